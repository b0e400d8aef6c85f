"""`flask dev`: loops beside each other, how each ends, and how other commands find them."""

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from app.emulator.client import Emulator
from tests.support.checkout import Checkout
from tests.support.eventually import eventually

NUMBER = "+15550100099"


@pytest.fixture
def checkout(tmp_path):
    checkout = Checkout(tmp_path / "parley")
    yield checkout
    checkout.end()


@pytest.fixture
def ports(free_port):
    """The options for two ports that nobody uses."""
    return lambda: ("--port", str(free_port()), "--emulator-port", str(free_port()))


@pytest.fixture
def dev(checkout, ports):
    """Start a loop on free ports and wait until it is ready."""

    def start(*options, **environ):
        loop = checkout.start("dev", "--no-disorder", *(options or ports()), **environ)
        assert loop.says("Now try it"), loop.said()
        return loop

    return start


def addresses(loop):
    return re.search(r"Ready\. App (\S+), emulator (\S+)\.", loop.said()).groups()


def is_open(url):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def answers(loop, body="Where is my order?", sender="+15550100007"):
    """Return whether a customer who writes gets a reply from this loop, and is told of in its terminal."""
    emulator = Emulator(addresses(loop)[1])
    before = len(emulator.replies())
    emulator.inbound(body, sender=sender, to=NUMBER)
    answered = eventually(lambda: len(emulator.replies()) > before, seconds=30)
    emulator.stop()
    return answered and loop.says(f'{sender}: "{body}"')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dies", "stays", "number"),
    [(0, 1, signal.SIGKILL), (1, 0, signal.SIGKILL), (0, 1, signal.SIGTERM)],
    ids=["the first is killed", "the second is killed", "the first is ended"],
)
def test_two_loops_run_beside_each_other_and_one_outlives_the_other(dev, checkout, dies, stays, number):
    loops = [dev(), dev()]
    both_answered = [answers(loop) for loop in loops]
    loops[dies].ends(number)
    gone = all(eventually(lambda url=url: not is_open(url), seconds=40) for url in addresses(loops[dies]))
    still_answers = answers(loops[stays], sender="+15550100008")
    again = dev()

    assert (both_answered, gone, still_answers, answers(again)) == ([True, True], True, True, True)
    assert "Another `flask dev` runs here" in loops[1].said()
    assert 'Where is my order?"' in loops[stays].said()  # what it had stored before is still there
    listed = checkout.run("inbox", "list", "--json", TWILIO_API_BASE_URL=addresses(loops[stays])[1])
    assert sum(one["event_type"] == "onMessageAdded" for one in json.loads(listed.stdout)) == 2


@pytest.mark.slow
def test_without_ports_the_second_takes_the_next_free_ones(dev, checkout, ports):
    first, emulator = ports()[1::2]
    usual = checkout.folder / "app" / "cli" / "dev_loops.py"
    usual.write_text(usual.read_text().replace("= 8000, 4010", f"= {first}, {emulator}"))
    one, two = dev("--disorder"), dev("--disorder")

    assert addresses(one) == (f"http://127.0.0.1:{first}", f"http://127.0.0.1:{emulator}")
    assert int(addresses(two)[0].rpartition(":")[2]) > int(first)
    assert (answers(one), answers(two)) == (True, True)


def test_an_emulator_of_another_checkout_at_the_usual_port_is_left_alone(checkout, emulator):
    usual = checkout.folder / "app" / "cli" / "dev_loops.py"
    usual.write_text(usual.read_text().replace("= 8000, 4010", f"= 8000, {emulator.url.rpartition(':')[2]}"))
    asked = checkout.run("conversations", "create", "--unique-name", "mine")

    assert (asked.returncode, "TWILIO_ACCOUNT_SID is empty" in asked.stderr) == (1, True)
    assert emulator.requests() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_it_ends_emulator_and_app_too(dev, checkout, number):
    loop = dev()
    code = loop.ends(number)

    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0), loop.said()
    assert all(eventually(lambda url=url: not is_open(url), seconds=40) for url in addresses(loop))


@pytest.mark.slow
def test_other_commands_find_it_on_any_ports(dev, checkout):
    loop = dev()
    triggered = checkout.run("trigger", "onMessageAdded", "--set", "Body=Where is my order?")
    assert triggered.returncode == 0, triggered.stderr
    assert loop.says("rule order status"), loop.said()

    said = {
        command: checkout.run(*command.split())
        for command in ("inbox list", "deliveries list", "conversations list", "listen --last 5 --for 0", "record")
    }
    assert {command: one.returncode for command, one in said.items()} == dict.fromkeys(said, 0)
    assert "onMessageAdded" in said["inbox list"].stdout
    assert "delivered" in said["deliveries list"].stdout
    assert "active" in said["conversations list"].stdout
    assert "rule order status" in said["listen --last 5 --for 0"].stdout


@pytest.mark.slow
def test_the_file_that_tells_of_it_is_for_its_owner_alone_and_goes_with_it(dev, checkout):
    loop = dev()
    file = checkout.folder / "instance" / "dev.json"
    there = file.stat().st_mode & 0o777
    loop.ends(signal.SIGTERM)

    assert there == 0o600
    assert not file.exists()


@pytest.mark.slow
def test_a_changed_rules_file_is_told_in_the_terminal(dev, checkout):
    loop, rules = dev(), checkout.folder / "rules.toml"
    good = rules.read_text()
    rules.write_text(good + '\n[[rule]]\nname = "new"\nrepli = "x"\n')
    assert loop.says("rules.toml is broken, so the rules from before stay in force"), loop.said()
    assert 'rule "new"' in loop.said()

    rules.write_text(good + '\n[[rule]]\nname = "new"\nreply = "x"\n')
    assert loop.says("rules.toml is reloaded: 8 rules are in force."), loop.said()


@pytest.mark.slow
def test_an_app_that_does_not_start_shows_its_own_sentence(checkout, ports):
    result = checkout.run("dev", *ports(), BOT_RESPONDER="nowhere:answer")

    assert result.returncode == 1
    assert "the app did not start" in result.stderr
    assert '- BOT_RESPONDER nowhere:answer: there is no module "nowhere"' in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("part", ["app.emulator", "gunicorn_child"])
def test_a_part_that_ends_by_itself_ends_the_loop_with_a_sentence(dev, part):
    loop = dev()
    (child,) = (pid for pid in children(loop.process.pid) if part in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(int(child), signal.SIGKILL)

    assert loop.process.wait(60) == 1
    assert "ended by itself" in loop.said()


@pytest.mark.parametrize(("option", "name"), [("--port", "PORT"), ("--emulator-port", "EMULATOR_PORT")])
def test_another_program_on_a_port_is_one_sentence_and_nothing_is_deleted(checkout, free_port, option, name):
    stored = checkout.folder / "instance" / "dev.db"
    stored.parent.mkdir()
    stored.write_text("of an earlier loop")
    ports = {"--port": free_port(), "--emulator-port": free_port()}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports[option]))
        listener.listen()
        result = checkout.run("dev", *(word for pair in ports.items() for word in map(str, pair)))

    assert result.returncode == 1
    assert re.fullmatch(
        rf"Error: port {ports[option]} is in use by another program; end that, or take another port: "
        rf"`flask dev {option} \d+` \(`make demo {name}=\d+`\)\n",
        result.stderr,
    )
    assert stored.read_text() == "of an earlier loop"
