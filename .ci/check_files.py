"""What no linter asks: a Python file of app/ or tests/ has at most 300 lines, and none tells the formatter to keep off.

Usage: python .ci/check_files.py [folder of the project]. Prints a line for each fault; exit 0 none, 1 some.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_LINES = 300
FOLDERS = ("app", "tests")
KEPT_OFF = re.compile(r"#\s*fmt:\s*(skip|off)")


def faults(root: Path) -> Iterator[str]:
    """Yield what is wrong, with the file, the line and the next step."""
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py")):
        lines, name = path.read_text(encoding="utf-8").splitlines(), path.relative_to(root)
        if len(lines) > MOST_LINES:
            yield f"{name}: has {len(lines)} lines, {MOST_LINES} are allowed; split it by subject"
        for number, line in enumerate(lines, start=1):
            if KEPT_OFF.search(line):
                yield f"{name}:{number}: keeps the formatter off; let it lay out the line, or make the line shorter"


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1]))
    print("\n".join(found) or "no file is too long, and the formatter lays out every line")
    sys.exit(bool(found))
