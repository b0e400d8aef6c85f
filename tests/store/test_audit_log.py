"""The log of actions is a log: written by its writer, erasure and retention, and kept by nobody for anything else."""

import re
from pathlib import Path

import app

WRITES = re.compile(r"\b(insert|update|delete|insert_into|upsert|insert_new)\([^()]*\baudit_log\b")
PACKAGE = Path(app.__file__).parent


def test_nobody_but_its_writer_erasure_and_retention_writes_it():
    named = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\baudit_log\b", path.read_text()) and "migrations" not in path.parts
    }
    writing = {name for name in named if WRITES.search((PACKAGE / name).read_text())}

    assert writing == {"store/audit.py", "privacy/erasure.py"}
    assert named - writing == {
        "db/tables.py",
        "privacy/retention.py",  # deletes what is old, as from any table
        "privacy/subject_search.py",
        "store/agent_answers.py",  # reads what the version before has left there
        "dashboard/audit.py",
        "dashboard/routes.py",  # the view of it has its name
    }
