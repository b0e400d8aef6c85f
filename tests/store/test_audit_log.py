"""The log of actions is a log: written by its writer, erasure and retention, and kept by nobody for anything else."""

import ast
import re
from pathlib import Path

import app

PACKAGE = Path(app.__file__).parent
WRITES = re.compile(r"\b(insert|update|delete|insert_into|upsert|insert_new)\([^()]*\baudit_log\b")
DELETE_WHAT_IS_OLD = {"privacy/retention.py"}  # from any table, by its name
READ = {"privacy/subject_search.py", "store/agent_answers.py"}


def uses_the_table(path: Path) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and any(one.name == "audit_log" for one in node.names)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "app.db.tables"
    )


def test_nobody_but_its_writer_erasure_and_retention_writes_it():
    using = [path for path in PACKAGE.rglob("*.py") if uses_the_table(path)]
    writing = {str(path.relative_to(PACKAGE)) for path in using if WRITES.search(path.read_text())}

    assert writing == {"store/audit.py", "privacy/erasure.py"}
    assert {str(path.relative_to(PACKAGE)) for path in using} - writing == DELETE_WHAT_IS_OLD | READ
