"""One name, one meaning: no two modules of app/ define a class of the same name, unless both keep it to themselves."""

import ast
from collections import defaultdict

from app.config import PROJECT


def test_no_two_classes_share_a_name():
    defined: dict[str, list[str]] = defaultdict(list)
    for path in sorted((PROJECT / "app").rglob("*.py")):
        if "versions" in path.parts:  # revisions of the schema are never changed
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(str(path.relative_to(PROJECT)))

    assert {name: places for name, places in defined.items() if len(places) > 1} == {}
