"""docs/rules.md is a complete reference: every key is in it, every example loads, every output is what is printed."""

import re
import shlex

import pytest

from app import config, create_app
from app.config import PROJECT
from app.rules.fault_words import TABLES
from app.rules.guards import MAY_OPT_OUT
from app.rules.loader import load
from app.rules.templates import REPLY_VARIABLES

PAGE = (PROJECT / "docs" / "rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
OUTPUTS = re.findall(r"```text\n\$ flask (rules (?:check|test) .*?)\n(.*?)```", PAGE, re.DOTALL)
KEYS = sorted(
    {field.alias or name for table in TABLES.values() for name, field in table.model_fields.items()} - {"rule"}
)
IN_A_TABLE = set(re.findall(r"`(\w+)`", "\n".join(line for line in PAGE.splitlines() if line.lstrip().startswith("|"))))
CODES = [
    "own author",
    "own marker",
    "agent",
    "api",
    "system",
    "opt-out word",
    "opt-in word",
    "help word",
    MAY_OPT_OUT,
    "removed",
    "opted out",
    "closed",
    "paused",
    "quiet hours",
    "empty",
    "too old",
    "repeated text",
    "reply budget",
    "whatsapp window",
]


@pytest.mark.parametrize("key", sorted(set(KEYS) - {"bot"}))
def test_every_key_is_explained_in_a_table(key):
    assert key in IN_A_TABLE


@pytest.mark.parametrize("key", KEYS)
def test_every_key_stands_in_an_example(key):
    assert any(re.search(rf"(?<!\w){key}(?!\w)", block) for block in BLOCKS)


@pytest.mark.parametrize("name", sorted(REPLY_VARIABLES))
def test_every_variable_of_a_template_is_explained(name):
    assert name in IN_A_TABLE


@pytest.mark.parametrize("code", CODES)
def test_every_reason_for_silence_is_named(code):
    assert f"`{code}`" in PAGE


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {n}" for n in range(1, len(BLOCKS) + 1)])
def test_every_example_is_a_rules_file(block):
    assert load(block)


@pytest.mark.parametrize(("command", "output"), OUTPUTS, ids=[command for command, _ in OUTPUTS])
def test_an_output_is_what_the_command_prints(command, output, tmp_path, monkeypatch):
    draft = next(block for block in BLOCKS if '"orders"' in block)
    (tmp_path / "draft.toml").write_text(draft)
    (tmp_path / "rules.toml").write_text(BLOCKS[0])
    monkeypatch.chdir(tmp_path)
    app = create_app(config.from_environment({"BOT_RULES": str(tmp_path / "rules.toml")}))

    assert app.test_cli_runner().invoke(args=shlex.split(command)).output == output
