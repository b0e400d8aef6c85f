"""Run the quick tests on SQLite with each Python that Parley is for and this machine has; say which ran.

Usage: python .ci/pythons.py [folder of the project]. Each gets an environment of its own (.venv/python3.12), the locked
versions, and SECONDS to begin tests in; of the rest it is told how many they are. Exit 0: all that ran passed.
With HAS_RUN=3.11 in the environment that version is left out: `make test` has just run all tests with it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")
SECONDS = 90  # the tests that have begun by then end within two minutes
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements.lock")
USABLE = "import ensurepip, sqlite3, sys; print('.'.join(map(str, sys.version_info[:2])))"


def candidates(version: str) -> Iterator[Path]:
    """Yield where an interpreter of this version may be: on the PATH, or where pyenv and uv keep theirs."""
    name = f"python{version}"
    yield from (Path(folder) / name for folder in os.get_exec_path())
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"))
    yield from sorted(data.glob(f"uv/python/cpython-{version}.*/bin/{name}"))


def is_usable(python: Path, version: str) -> bool:
    """Return whether it starts (pyenv's stand-ins may not), is this version, and can make an environment."""
    try:
        found = subprocess.run([python, "-c", USABLE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.stdout.strip() == version


def environment(python: Path, version: str, root: Path) -> Path | None:
    """Return the interpreter of an environment with what the tests need; None: it could not be made, pip says why."""
    folder = root / ".venv" / f"python{version}"
    made_for = folder / "made-for"
    wanted = hashlib.sha256(b"".join((root / name).read_bytes() for name in REQUIREMENTS)).hexdigest()
    if not made_for.exists() or made_for.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        needed = ["-r", str(root / "requirements-dev.txt"), "-c", str(root / "requirements.lock")]
        for step in ([python, "-m", "venv", folder], [folder / "bin" / "python", *install, *needed]):
            if subprocess.run(step, check=False).returncode:
                return None
        made_for.write_text(wanted)
    return folder / "bin" / "python"


def run_tests(python: Path, root: Path) -> int:
    """Run them, two at once for each processor, and return pytest's exit code."""
    workers = str(2 * (os.cpu_count() or 1))
    plugin = ["-p", "tests.support.sqlite_subset", "--seconds", str(SECONDS), "-p", "no:cacheprovider"]
    command = [python, "-m", "pytest", "-q", *plugin, "-n", workers, "--dist", "loadfile"]
    return subprocess.run(command, cwd=root, check=False).returncode


def outcome(version: str, root: Path) -> str:
    """Run the tests with one version and return what to say of it."""
    usable = (path for path in candidates(version) if is_usable(path, version))
    found = next(usable, None)
    if found is None:
        return "absent"
    print(f"Python {version} ({found}):", flush=True)
    python = environment(found, version, root)
    if python is None:
        return "FAILED, what the tests need could not be installed"
    begun = time.monotonic()
    status = run_tests(python, root)
    return f"{f'FAILED ({status})' if status else 'passed'} in {time.monotonic() - begun:.0f} s"


def main(root: Path) -> int:
    """Run them with each version and return 1 where one failed, or none was there to try."""
    has_run = os.environ.get("HAS_RUN", "")
    outcomes = {version: outcome(version, root) for version in VERSIONS if version != has_run}
    print(
        "\n".join(
            ["The quick tests on SQLite:", *(f"  Python {version}: {told}" for version, told in outcomes.items())]
        )
    )
    nothing_ran = not has_run and set(outcomes.values()) == {"absent"}
    return int(nothing_ran or any("FAILED" in told for told in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if sys.argv[1:] else Path(__file__).parents[1]).resolve()))
