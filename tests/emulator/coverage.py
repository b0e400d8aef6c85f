"""Counts which of Twilio's described operations the emulator answers; writes or checks the table of docs/emulator.md.

python -m tests.emulator.coverage           through twilio-python: is the table true?
python -m tests.emulator.coverage --write   write it
python -m tests.emulator.coverage --node    the same count through twilio-node, which npm installs beside its script
"""

import argparse
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.emulator.client import Emulator
from tests.emulator import description, exercise
from tests.emulator.description import Exchange, Operation
from tests.support.webhook_receiver import ACCOUNT_SID, AUTH_TOKEN, sdk_client

DOCUMENT = Path(__file__).parents[2] / "docs" / "emulator.md"
BEGIN, END = "<!-- coverage: make emulator-coverage -->\n", "<!-- end of coverage -->\n"
NODE = Path(__file__).parent / "node"
# Answered in the described shape, and nothing comes of it.
IDLE = ("Credentials", "Bindings", "Notifications")
_NOT_RESOURCES = ("v1", "Services")


def through_python() -> list[Exchange]:
    """Return what twilio-python was answered to every described operation."""
    with Emulator.start_set_up(receipt_delay=0.01) as emulator:
        client = sdk_client(emulator.url)
        exercise.exercise(emulator, client)
        documents: list[Exchange] = client.http_client.documents  # type: ignore[attr-defined]
    return documents


def through_node() -> list[Exchange]:
    """Return what twilio-node was answered to every described operation. Ends the program without node or npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise SystemExit("node and npm are needed to try the emulator with twilio-node, and are not installed here")
    install = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(install, cwd=NODE).returncode:
        raise SystemExit("npm could not install twilio-node; its own output says why")
    with Emulator.start_set_up(receipt_delay=0.01) as emulator:
        environ = os.environ | {"EMULATOR": emulator.url, "ACCOUNT_SID": ACCOUNT_SID, "AUTH_TOKEN": AUTH_TOKEN}
        done = subprocess.run([node, "exercise.js"], cwd=NODE, env=environ, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit("twilio-node was refused something; its own output says what")
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def resource_of(operation: Operation) -> str:
    """Return the resource that an operation is about: the last word of its path that is no parameter."""
    words = [word for word in operation[1].split("/") if word and not word.startswith("{")]
    named = [word for word in words if word not in _NOT_RESOURCES] or ["Services"]
    return "Configuration/Webhooks" if named[-2:] == ["Configuration", "Webhooks"] else named[-1]


def table(described: Iterable[Operation], answered: set[Operation]) -> str:
    """Return the counts as Markdown, a line for each resource."""
    total, found = Counter(map(resource_of, described)), Counter(map(resource_of, answered))
    done, idle = len(answered), sum(found[name] for name in IDLE)
    whole = done - idle
    lines = [
        f"{done} of {total.total()} operations answer as Twilio describes them. {whole} do what they do there;",
        f"the {idle} of {', '.join(IDLE)} keep and show what they are given, and nothing is ever pushed.",
        "",
        "| resource | described | answered | |",
        "| --- | --- | --- | --- |",
    ]
    for name in sorted(total):
        note = "does nothing" if name in IDLE else "" if found[name] == total[name] else "not all"
        lines.append(f"| {name} | {total[name]} | {found[name]} | {note} |")
    return "\n".join(lines) + "\n"


def with_table(document: str, counted: str) -> str:
    """Return the document with the counts between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + counted + END + after


def count(found: dict[str, Any], exchanges: list[Exchange]) -> str:
    """Return the table for what was answered. Ends the program when an answer differs from the description."""
    answered, differences = description.compare(found, exchanges)
    if differences:
        raise SystemExit("\n".join(["the emulator answers otherwise than Twilio describes:", *differences]))
    return table(description.described_operations(found), answered)


def main() -> None:
    """Count as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into docs/emulator.md")
    parser.add_argument("--node", action="store_true", help="through twilio-node instead of twilio-python")
    parser.add_argument("--description", type=Path, default=description.DESCRIPTION, help="Twilio's OpenAPI document")
    asked = parser.parse_args()
    if not asked.description.exists():
        raise SystemExit(
            "Twilio's OpenAPI description is not part of this repository; give it with --description "
            "(github.com/twilio/twilio-oai, spec/json/twilio_conversations_v1.json)"
        )
    counted = count(description.read(asked.description), through_node() if asked.node else through_python())
    written = with_table(DOCUMENT.read_text(), counted)
    print(counted)
    if asked.write:
        DOCUMENT.write_text(written)
    elif written != DOCUMENT.read_text():
        raise SystemExit("docs/emulator.md says something else; run `make emulator-coverage`")


if __name__ == "__main__":
    main()
