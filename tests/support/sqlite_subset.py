"""A pytest plugin for another interpreter: the tests that need no PostgreSQL, as many as fit into some seconds.

    python -m pytest -p tests.support.sqlite_subset --seconds 90

What did not fit is skipped, and the summary tells how many that were. `.ci/pythons.py` uses it.
"""

import time

import pytest

BEGUN = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seconds", type=float, required=True, help="begin no test later than this")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _needs_postgresql(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not _needs_postgresql(item)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    seconds = item.config.getoption("--seconds")
    if time.monotonic() - BEGUN > seconds:
        pytest.skip(f"the {seconds:g} seconds were over")


def _needs_postgresql(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    engine = parameters and parameters.params.get("database_url")
    return engine == "postgresql" or "postgresql_server" in getattr(item, "fixturenames", ())
