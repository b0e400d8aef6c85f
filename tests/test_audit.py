"""`make audit`: what it makes of the answers it gets, and what it says when it gets none."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
NOBODY = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}


@pytest.fixture(scope="module")
def audit():
    return runpy.run_path(str(SCRIPT))


def test_a_withdrawn_release_is_named(audit):
    report = {
        "install": [
            {"is_yanked": True, "metadata": {"name": "left", "version": "1.2"}},
            {"is_yanked": False, "metadata": {"name": "right", "version": "3.4"}},
        ]
    }

    assert list(audit["withdrawn"](report)) == ["left 1.2 was withdrawn by its authors"]


def test_a_known_fault_is_named_with_the_release_that_mends_it(audit):
    report = {
        "dependencies": [
            {"name": "left", "version": "1.2", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.3", "2.0"]}]},
            {"name": "right", "version": "3.4", "vulns": [{"id": "PYSEC-2026-2", "fix_versions": []}]},
            {"name": "sound", "version": "5.6", "vulns": []},
            {"name": "odd", "skip_reason": "not found"},
        ]
    }

    assert list(audit["faulty"](report)) == [
        "left 1.2 has PYSEC-2026-1; mended in 1.3, 2.0",
        "right 3.4 has PYSEC-2026-2; not mended yet",
        "odd could not be looked up: not found",
    ]


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--unreachable-ok"], 0)], ids=["fails", "goes on"])
def test_when_nobody_can_be_asked_it_says_so(options, code):
    finished = subprocess.run(
        [sys.executable, SCRIPT, *options],
        env={"PATH": os.environ["PATH"]} | NOBODY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == code
    assert finished.stdout.count("NOT AUDITED") == 2
