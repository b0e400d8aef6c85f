"""Asks whether a locked dependency was withdrawn or has a known fault. Exit 0 none, 1 found, or could not be asked.

Usage: python .ci/audit.py [--unreachable-ok]
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
PATIENCE = 600  # seconds


def withdrawn(report: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each release that its authors have withdrawn, from pip's installation report."""
    for one in report["install"]:
        if one["is_yanked"]:
            yield f"{one['metadata']['name']} {one['metadata']['version']} was withdrawn by its authors"


def faulty(report: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each known fault, and each package that could not be looked up, from pip-audit's report."""
    for one in report["dependencies"]:
        if "skip_reason" in one:
            yield f"{one['name']} could not be looked up: {one['skip_reason']}"
        for fault in one.get("vulns", ()):
            mended = f"mended in {', '.join(fault['fix_versions'])}" if fault["fix_versions"] else "not mended yet"
            yield f"{one['name']} {one['version']} has {fault['id']}; {mended}"


def ask_registry() -> dict[str, Any] | None:
    """Return pip's report on what the lock would install, None when the registry cannot be asked."""
    return _document("pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report=-")


def ask_advisories() -> dict[str, Any] | None:
    """Return pip-audit's report on the lock, None when the advisory database cannot be asked."""
    return _document(
        "pip_audit",
        "--vulnerability-service=osv",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner=off",
        "--format=json",
    )


def _document(*command: str) -> dict[str, Any] | None:
    """Return what a module prints about the lock, None when that is no document; then its last words are shown."""
    finished = subprocess.run(
        [sys.executable, "-m", *command, "-r", LOCK], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    try:
        document: dict[str, Any] = json.loads(finished.stdout)
    except ValueError:
        print(*finished.stderr.strip().splitlines()[-1:], sep="\n")
        return None
    return document


def main() -> int:
    """Ask both, print what was found, and return the exit code."""
    unreachable_ok = "--unreachable-ok" in sys.argv[1:]
    code = 0
    for who, report, read in (
        ("the package registry", ask_registry(), withdrawn),
        ("the advisory database (OSV)", ask_advisories(), faulty),
    ):
        if report is None:
            print(f"NOT AUDITED: {who} could not be asked from here. Run `make audit` where it can be.")
            code |= not unreachable_ok
            continue
        found = list(read(report))
        print(f"Asked {who}: {len(found) or 'nothing'} found.", *(f"  - {one}" for one in found), sep="\n")
        code |= bool(found)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
