"""A web process that dies while the rules file is broken takes no other with it; its successor waits for the rules."""

import json
import os
import signal
import urllib.error
import urllib.request

import pytest

from tests.conftest import ORIGIN, RULES
from tests.support.eventually import eventually
from tests.support.running_service import Service, environ_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.engines("sqlite")]
ORDER = "Please send your order number."


@pytest.fixture
def service(emulator, database_url, tmp_path):
    """One installation with two web processes."""
    (tmp_path / "rules.toml").write_text(RULES)
    environ = environ_of(emulator, database_url, tmp_path / "rules.toml", BOT_RECONCILE_SECONDS="0")
    running = Service(environ, tmp_path / "log")
    emulator.point_at(running.url, ORIGIN)
    running.start("web")
    yield running
    running.close()


def told_of_rules(service):
    """Return what /readyz says of the rules, "" for nothing, None while nobody answers."""
    try:
        with urllib.request.urlopen(service.url.replace("/conversations/webhook", "/readyz"), timeout=5) as answer:
            return json.load(answer).get("rules", "")
    except (urllib.error.URLError, OSError):
        return None


@pytest.mark.parametrize("how", ["one is killed", "all are reloaded"])
def test_what_comes_meanwhile_is_stored_and_answered_once_the_rules_are_mended(service, emulator, tmp_path, how):
    assert eventually(lambda: len(service.children("web")) == 2 and told_of_rules(service) == "", seconds=60)
    (tmp_path / "rules.toml").write_text("[[rule]")
    if how == "one is killed":
        os.kill(service.children("web")[0], signal.SIGKILL)
    else:
        os.kill(service.processes["web"].pid, signal.SIGHUP)
    assert eventually(lambda: "stores and answers none" in (told_of_rules(service) or ""), seconds=60)
    emulator.inbound("my order")
    assert emulator.settle()
    (tmp_path / "rules.toml").write_text(RULES)

    assert eventually(lambda: emulator.replies() == [ORDER], seconds=60)
    assert eventually(lambda: told_of_rules(service) == "", seconds=60)
    assert service.processes["web"].poll() is None
