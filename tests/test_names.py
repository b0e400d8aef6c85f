"""One name, one meaning: no two modules of app/ define a class of the same name, unless both keep it to themselves."""

import ast
import io
import tokenize
from collections import defaultdict

import pytest

from app.config import PROJECT

# Names that only insiders understood, with the field's word for each.
PRIVATE = {
    "deed": "action",
    "deeds": "actions",
    "desk": "slot",
    "door": "receiver",
    "foreseen": "preview",
    "newcomer": "make_spec",
    "noting": "recording",
    "patient": "without priority",
    "supposed": "simulated",
    "urgent": "priority",
}


def test_no_two_classes_share_a_name():
    defined: dict[str, list[str]] = defaultdict(list)
    for path in sorted((PROJECT / "app").rglob("*.py")):
        if "versions" in path.parts:  # revisions of the schema are never changed
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(str(path.relative_to(PROJECT)))

    assert {name: places for name, places in defined.items() if len(places) > 1} == {}


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "app").rglob("*.py")), ids=lambda path: str(path.relative_to(PROJECT))
)
def test_no_name_is_a_private_metaphor(path):
    text = io.StringIO(path.read_text(encoding="utf-8"))
    names = {token.string.lower().strip("_") for token in tokenize.generate_tokens(text.readline) if token.type == 1}

    assert {name: PRIVATE[name] for name in names & PRIVATE.keys()} == {}
