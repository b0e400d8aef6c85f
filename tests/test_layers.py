"""Who may import whom: `lint-imports` holds the contracts of pyproject.toml, and a planted fault is named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def tree(tmp_path):
    """A copy of app/ and its contracts, to plant faults in."""
    shutil.copytree(PROJECT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environ = os.environ | {"COLUMNS": "300", "PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, timeout=100)


def plant(tree, path, line):
    with (tree / path).open("a") as file:
        file.write(f"\n{line}\n")


def test_every_contract_holds(tree):
    said = lint_imports(tree)

    assert " 0 broken." in said.stdout, said.stdout + said.stderr
    assert said.returncode == 0


@pytest.mark.parametrize(
    ("path", "line", "named"),
    [
        pytest.param(
            "app/store/audit.py", "from app import create_app", "app.store.audit -> app (l.", id="an import of the root"
        ),
        pytest.param(
            "app/bot/sending.py",
            "from app.bot import handlers",
            "No cycles are allowed in app.bot.",
            id="a circle inside a package",
        ),
        pytest.param(
            "app/rules/engine.py",
            "def late():\n    from app.store import audit",
            "app.rules.engine -> app.store.audit (l.",
            id="an import of a package above",
        ),
        pytest.param(
            "app/monitoring/health.py",
            "from app.reconcile import run",
            "app.monitoring.health -> app.reconcile.run (l.",
            id="an import of a neighbour",
        ),
        pytest.param(
            "app/emulator/state.py", "import app.config", "app.emulator.state -> app.config (l.", id="of the emulator"
        ),
        pytest.param(
            "app/store/audit.py", "import requests", "app.store.audit -> requests (l.", id="of an outside library"
        ),
        pytest.param(
            "app/helpers.py", "", "every child of every container must be declared", id="a package without a place"
        ),
    ],
)
def test_a_planted_fault_is_named(tree, path, line, named):
    plant(tree, path, line)

    said = lint_imports(tree)

    assert said.returncode == 1
    assert named in said.stdout


def test_the_environment_is_read_in_config_only():
    users = {
        str(path.relative_to(PROJECT)) for path in (PROJECT / "app").rglob("*.py") if "os.environ" in path.read_text()
    }

    assert users == {
        "app/config.py",
        "app/cli/dev/app_process.py",  # `flask dev` hands it on to what it starts
        "app/runtime/gunicorn.py",  # the folder of the counters, for prometheus-client in the web processes
    }
