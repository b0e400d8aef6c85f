"""Who may import whom: imports point one way, and each outside library has one home."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).parent.parent / "app"

# From the outside in; a file may import from files that stand in its row.
ALLOWED = {
    "__init__": {"bot", "cli", "config", "conversations", "db", "group_commit", "handlers", "health", "inbox", "logs",
                 "refusals", "rules", "rules_file", "signature", "webhooks", "worker"},
    "cli": {"__init__", "cli", "config", "conversations", "db", "delivery_log", "diagnosis", "emulator",
            "error_codes", "events", "expectations", "inbox_admin", "memory", "operations", "recordings", "redaction",
            "refusals", "signature", "twilio_webhooks", "variants", "worker"},
    "operations": {"config", "conversations", "db", "delivery_log", "error_codes", "memory", "operations", "signature",
                   "twilio_webhooks"},
    "webhooks": {"db", "events", "group_commit", "inbox", "logs", "refusals", "signature", "variants"},
    "refusals": {"diagnosis", "logs", "signature", "variants"},
    "diagnosis": {"parameters", "signature", "variants"},
    "variants": {"parameters"},
    "twilio_webhooks": {"conversations"},
    "health": {"db", "inbox"},
    "worker": {"conversations", "db", "dispatch", "events", "inbox", "logs", "work"},
    "handlers": {"bot", "conversations", "db", "delivery_log", "dispatch", "error_codes", "events", "memory",
                 "replying"},
    "replying": {"bot", "conversations", "db", "delivery_log", "dispatch", "events", "inbox", "memory", "rules",
                 "work"},
    "bot": {"conversations", "rules", "rules_file", "work"},
    "work": {"db", "inbox"},
    "inbox_admin": {"db", "inbox", "tables"},
    "inbox": {"db", "tables"},
    "delivery_log": {"db", "tables"},
    "memory": {"db", "tables"},
    "group_commit": {"db"},
    "migrations": {"tables"},
    "db": {"turns"},
    "rules": {"guards", "reply_template", "rules_file"},
    "guards": {"rules_file"},
    "rules_file": {"reply_template"},
    "testing": {"__init__", "bot_tester", "config", "db", "emulator", "events", "expectations", "recordings"},
    "bot_tester": {"__init__", "emulator", "inbox_admin", "memory"},
    "redaction": {"neutral_text", "parameters", "recordings", "rules_file"},
    "neutral_text": {"rules_file"},
    "expectations": {"delivery_log", "memory", "recordings"},
    "recordings": {"parameters", "signature"},
    "events": {"event_types", "parameters"},
    "event_types": {"parameters"},
    "emulator": {"emulator"},
}  # fmt: skip
HOMES = {
    "flask": {"__init__", "webhooks", "health", "cli", "emulator", "bot_tester", "testing"},
    "pytest": {"testing"},
    "twilio.rest": {"conversations"},
    "twilio.request_validator": {"emulator"},
    "requests": {"conversations", "emulator"},
    "sqlite3": {"config"},
    "psycopg": set(),
    "dotenv": {"config"},
    "jinja2": {"reply_template"},
    "pydantic": {"rules_file"},
    "alembic": {"db", "migrations"},
}


def part_of(path: Path) -> str:
    return path.relative_to(APP).parts[0].removesuffix(".py")


def imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = sorted(APP.rglob("*.py"))
PARTS = {part_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_a_file_imports_only_what_stands_below_it(path):
    ours = {name.split(".")[1] for name in imported_by(path) if name.startswith("app.")} & PARTS

    assert ours <= ALLOWED.get(part_of(path), set())


@pytest.mark.parametrize("library", HOMES)
def test_an_outside_library_has_its_home(library):
    users = {part_of(path) for path in FILES
             if any(name == library or name.startswith(f"{library}.") for name in imported_by(path))}  # fmt: skip

    assert users <= HOMES[library]


def test_the_environment_is_read_in_config_only():
    users = {part_of(path) for path in FILES if "os.environ" in path.read_text()}

    assert users <= {"config", "cli"}  # cli: hands its environment to the processes that `flask dev` starts
