"""The documents say what is true: every setting, every command, every link."""

import re
from pathlib import Path

import pytest

from app import config
from tests.support.our_commands import OURS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def settings_read() -> set[str]:
    source = (ROOT / "app" / "config.py").read_text()
    return set(re.findall(r'read\(\s*"([A-Z_]+)"', source)) | {"WEB_CONCURRENCY"}


def settings_in_example() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_the_example_has_every_setting_and_no_other():
    assert settings_in_example() == settings_read()


def test_the_example_has_no_real_value_and_is_accepted(tmp_path):
    assert config.from_environment(config.dotenv_values(ROOT / ".env.example")).problems == ()


@pytest.mark.parametrize("setting", sorted(settings_read()))
def test_the_readme_names_every_setting(setting):
    assert f"`{setting}`" in README


@pytest.mark.parametrize("command", sorted(OURS))
def test_the_readme_names_every_command(command):
    assert f"flask {command}" in README


@pytest.mark.parametrize("command", sorted(OURS))
def test_every_commands_help_has_an_example(command):
    assert f"Example: flask {command}" in (OURS[command].help or "")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_the_readmes_links_lead_somewhere(target):
    assert (ROOT / target).exists()


def test_the_lock_has_every_requirement():
    wanted = re.findall(r"^([a-z][a-z0-9-]*)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")

    assert [name for name in wanted if f"{name}==" not in locked] == []
