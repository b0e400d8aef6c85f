"""Installed by pip into an empty environment, from git or editable, Parley works in an empty folder."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config import VERSION

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Installed:
    """A virtual environment that knows nothing but Parley and what it needs, and a folder to start it in."""

    venv: Path
    folder: Path
    source: Path

    def run(self, program: str, *arguments: str, fails: bool = False, **environ: str) -> str:
        """Return what a program of the environment prints."""
        ended = subprocess.run(
            [self.venv / "bin" / program, *arguments],
            cwd=self.folder,
            env=outside() | environ,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert fails or ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


def outside() -> dict[str, str]:
    """Return the environment without what points back into this checkout or sets Parley up."""
    ours = ("TWILIO_", "BOT_", "FLASK_", "PYTHON", "DATABASE_URL", "PUBLIC_URL", "VIRTUAL_ENV", "COV_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of this checkout in git: what was built here before would be taken along."""
    clone = tmp_path_factory.mktemp("source") / "parley"
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout: its files cannot be told from what was made in it")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--no-verify", "-m", "all"]):
        subprocess.run([*git, *step], cwd=clone, check=True)
    return clone


@pytest.fixture(scope="module", params=["from git", "editable"])
def installed(
    request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """Parley, installed in both ways that the documents name."""
    base = tmp_path_factory.mktemp("installed")
    folder = base / "empty"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", base / "venv"], check=True)
    here = Installed(base / "venv", folder, source)
    must_reach_an_index(here, base)
    what = ["-e", str(source)] if request.param == "editable" else [f"git+file://{source}"]
    here.run("pip", "install", "--quiet", "--constraint", str(ROOT / "requirements.lock"), *what)
    yield here
    shutil.rmtree(base)


def must_reach_an_index(here: Installed, base: Path) -> None:
    """Skip where pip can download nothing."""
    wanted = ["--quiet", "--no-deps", "--retries", "1", "--dest", str(base / "probe"), "setuptools>=77"]
    here.run("pip", "download", *wanted, fails=True)
    if not list((base / "probe").glob("setuptools*")):
        pytest.skip("pip reaches no package index here: what Parley needs cannot be installed")


@pytest.fixture
def is_editable(installed: Installed) -> bool:
    return not list(installed.venv.glob("lib/*/site-packages/app"))


def test_all_commands_are_there(installed):
    said = installed.run("parley", "--help")

    for command in ("conversations", "db", "dev", "doctor", "inbox", "rules", "version", "worker"):
        assert f"\n  {command} " in said


def test_the_version_is_that_of_the_package(installed):
    told = json.loads(installed.run("parley", "version", "--json"))

    assert told["parley"] == VERSION
    assert installed.run("parley", "--version") == f"parley, version {VERSION}\n"
    assert f"\nVersion: {VERSION}\n" in installed.run("pip", "show", "parley")
    assert None not in told["libraries"].values()


def test_the_shipped_rules_hold_where_nobody_wrote_others(installed):
    assert installed.run("parley", "rules", "check").endswith(" rules, no errors, no warnings\n")


def test_rules_in_the_folder_win_over_the_shipped_ones(installed, is_editable):
    if is_editable:
        pytest.skip("an editable installation answers by the checkout's rules.toml")
    rules = installed.folder / "rules.toml"
    rules.write_text('[[rule]]\nname = "mine"\nreply = "Ours."\n')

    try:
        assert "Ours." in installed.run("parley", "rules", "test", "hello")
    finally:
        rules.unlink()


def test_the_schema_is_made_in_the_folder_or_in_the_checkout(installed, is_editable):
    installed.run("parley", "db", "upgrade")

    assert ((installed.source if is_editable else installed.folder) / "instance" / "parley.db").exists()
    assert "0" in installed.run("parley", "inbox", "stats")


def test_a_settings_file_in_the_folder_is_read(installed):
    dotenv = installed.folder / ".env"
    dotenv.write_text("BOT_RULES=/nowhere/rules.toml\n")

    try:
        assert "rules.toml" not in installed.run("parley", "rules", "check", fails=True)
    finally:
        dotenv.unlink()


def test_the_page_has_its_templates_and_static_files(installed):
    show = (
        "from app import create_app; client = create_app().test_client();"
        "print(client.get('/login').status_code, client.get('/static/parley.css').status_code)"
    )
    environ = {"BOT_ADMIN_PASSWORD": "a-long-password", "TWILIO_AUTH_TOKEN": "0" * 32}

    assert installed.run("python", "-c", show, **environ) == "200 200\n"


def test_the_demo_plays_where_no_checkout_is(installed, free_port):
    ports = ("--port", str(free_port()), "--emulator-port", str(free_port()))

    assert "rule order status" in installed.run("parley", "dev", "--story", "--once", *ports)


def test_gunicorn_serves_the_package_as_the_documents_say(installed, free_port):
    address = f"127.0.0.1:{free_port()}"
    asked = ["--config", "python:app.runtime.gunicorn", "--bind", address, "--check-config", "app:create_app()"]
    environ = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "0" * 32, "PUBLIC_URL": "https://b.example"}

    installed.run("gunicorn", *asked, **environ)


def test_the_types_are_shipped(installed):
    where = installed.run("python", "-c", "import app; print(app.__path__[0])").strip()

    assert (Path(where) / "py.typed").exists()
