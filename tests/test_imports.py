"""Who may import whom: imports point one way, and each outside library has one home."""

import ast
from functools import cache
from pathlib import Path

import pytest

APP = Path(__file__).parent.parent / "app"

# From the outside in; a file may import from files that stand in its row.
ALLOWED = {
    "__init__": {
        "bot",
        "cli",
        "config",
        "dashboard",
        "db",
        "inbox",
        "logs",
        "monitoring",
        "receiver",
        "responder",
        "rules",
        "runtime",
        "twilio_api",
    },
    "cli": {
        "__init__",
        "cli",
        "config",
        "db",
        "emulator",
        "inbox",
        "operations",
        "privacy",
        "receiver",
        "reconcile",
        "recordings",
        "rules",
        "store",
        "twilio_api",
    },
    "operations": {"config", "db", "operations", "rules", "store", "twilio_api"},
    "twilio_api": {"twilio_api"},
    "dashboard": {
        "bot",
        "config",
        "dashboard",
        "db",
        "emulator",
        "inbox",
        "operations",
        "receiver",
        "responder",
        "rules",
        "store",
        "twilio_api",
    },
    "store": {"db", "rules"},
    "inbox": {"db", "inbox", "logs", "store", "twilio_api"},
    "receiver": {"db", "inbox", "logs", "monitoring", "receiver", "twilio_api"},
    "monitoring": {"dashboard", "db", "inbox", "logs", "monitoring", "store", "twilio_api"},
    "rules": {"rules"},
    "bot": {"bot", "db", "inbox", "logs", "responder", "rules", "store", "twilio_api"},
    "responder": {"logs"},
    "reconcile": {"db", "inbox", "reconcile", "recordings", "store", "twilio_api"},
    "privacy": {"db", "privacy", "reconcile", "store", "twilio_api"},
    "runtime": {"config", "db", "inbox", "privacy", "reconcile", "twilio_api"},
    "db": {"db", "logs"},
    "testing": {"__init__", "config", "db", "emulator", "inbox", "recordings", "store", "testing", "twilio_api"},
    "recordings": {"recordings", "rules", "store", "twilio_api"},
    "emulator": {"emulator"},
}
HOMES = {
    "flask": {"__init__", "cli", "dashboard", "emulator", "monitoring", "receiver", "testing"},
    "flask_login": {"dashboard", "monitoring"},
    "flask_wtf": {"dashboard"},
    "prometheus_client": {"monitoring"},
    "pytest": {"testing"},
    "twilio.rest": {"twilio_api"},
    "twilio.request_validator": {"emulator"},
    "twilio.jwt": {"operations"},
    "requests": {"emulator", "twilio_api"},
    "sqlite3": {"config", "privacy"},
    "psycopg": set(),
    "dotenv": {"config"},
    "jinja2": {"rules"},
    "pydantic": {"rules"},
    "regex": {"rules"},
    "alembic": {"db"},
}


def part_of(path: Path) -> str:
    return path.relative_to(APP).parts[0].removesuffix(".py")


@cache
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
    users = {
        part_of(path)
        for path in FILES
        if any(name == library or name.startswith(f"{library}.") for name in imported_by(path))
    }

    assert users <= HOMES[library]


def test_the_environment_is_read_in_config_only():
    users = {part_of(path) for path in FILES if "os.environ" in path.read_text()}

    assert users <= {"config", "cli"}  # cli: hands its environment to the processes that `flask dev` starts
