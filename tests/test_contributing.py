"""docs/architecture.md and CONTRIBUTING.md: what they name is there, and every package has its line."""

import re

import pytest

from app.config import PROJECT

ARCHITECTURE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECURITY = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
PACKAGES = sorted(path.parent.name for path in (PROJECT / "app").glob("*/__init__.py"))


def named_paths(page: str) -> set[str]:
    """Return what stands between backquotes and looks like a path: with a slash, of this project."""
    return {path for path in re.findall(r"`([\w./]+)`", page) if "/" in path and not path.startswith("/")}


@pytest.mark.parametrize("path", sorted(named_paths(ARCHITECTURE)))
def test_what_the_architecture_names_is_there(path):
    assert (PROJECT / path).exists() or (PROJECT / "app" / path).exists()


@pytest.mark.parametrize("path", sorted(named_paths(CONTRIBUTING) - {".venv/bin/pre-commit"}))
def test_what_the_recipes_name_is_there(path):
    assert (PROJECT / path).exists() or path.startswith(".venv/")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_explained(package):
    assert f"`{package}/`" in ARCHITECTURE


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)", CONTRIBUTING))))
def test_every_make_target_that_is_named_exists(target):
    assert f"\n{target}: " in MAKEFILE


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z_]{5,})`", ARCHITECTURE + CONTRIBUTING)) - {"NOON"}))
def test_every_table_that_is_named_exists(name):
    assert any(
        re.search(rf"^{name}\b.* = ", path.read_text(), re.MULTILINE) for path in (PROJECT / "app").rglob("*.py")
    )


@pytest.mark.parametrize(
    "page", [ARCHITECTURE, CONTRIBUTING, SECURITY], ids=["architecture", "contributing", "security"]
)
def test_every_link_leads_somewhere(page):
    folder = PROJECT / "docs" if page is ARCHITECTURE else PROJECT
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", page):
        assert (folder / target).exists(), target
