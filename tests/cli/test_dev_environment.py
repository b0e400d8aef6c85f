"""When the database of `flask dev` stands in for one that is not there: only where no account is set up."""

import click
import pytest

from app.cli import dev_environment
from app.config import DEFAULT_DATABASE, Settings
from app.db.database import Database
from app.runtime.process import Runtime


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Parts of a process in a folder in which `flask dev` has run, and nothing else."""
    monkeypatch.setattr(dev_environment, "PROJECT", tmp_path)
    (tmp_path / "instance").mkdir()
    (tmp_path / dev_environment.DATABASE).touch()

    def made(**settings):
        path = tmp_path / DEFAULT_DATABASE.removeprefix("sqlite:///")
        return Runtime(Settings(**settings), Database(f"sqlite:///{path}"))

    return made


def test_without_an_account_it_does(parts):
    assert dev_environment.database_of(parts()).url.database.endswith(dev_environment.DATABASE)


@pytest.mark.parametrize("setting", ["account_sid", "auth_token", "api_key"])
def test_with_an_account_it_does_not(parts, setting):
    with pytest.raises(click.ClickException, match="there is no database"):
        dev_environment.database_of(parts(**{setting: "given"}))
