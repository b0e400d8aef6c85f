"""Many participants at once: limits, rate, refusals in the middle, a crash; nobody is added twice."""

import json
import signal

import pytest

from app.emulator.client import Emulator
from app.operations import bulk_add, participants
from app.operations.bulk_add import Pace
from app.operations.participant_file import Entry, read
from tests.support.live_command import LiveCommand, joined, progress_of, writes

PEOPLE = [f"user-{number:04d}" for number in range(60)]
ADD = {"method": "POST", "path_contains": "/Participants"}


@pytest.fixture(scope="module")
def strict_process():
    """An emulator that takes 30 writes in a second of its clock, as Twilio does."""
    with Emulator.start_set_up(rate_limit=True) as emulator:
        yield emulator


@pytest.fixture
def emulator(strict_process):
    strict_process.reset()
    return strict_process


@pytest.fixture
def conversation(account):
    return account.ask(lambda v1: v1.conversations.create()).sid


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "people.txt"
    path.write_text("\n".join(PEOPLE))
    return str(path)


class EmulatorsTime:
    """The emulator's time: whoever sleeps moves it forward."""

    def __init__(self, emulator):
        self._emulator, self.slept = emulator, []

    def clock(self):
        return sum(self.slept)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self._emulator.advance(seconds)


@pytest.fixture
def time(emulator):
    return EmulatorsTime(emulator)


@pytest.fixture
def add_all(account, conversation, time):
    """Add people to the conversation in the emulator's time, and return what came of it."""

    def run(people=PEOPLE):
        entries = read("\n".join(people).encode(), proxy_address="+15550100099")
        planned = bulk_add.plan(account, conversation, entries)
        pace = Pace(clock=time.clock, sleep=time.sleep)
        return bulk_add.outcome(planned, list(bulk_add.add_all(account, planned, pace=pace)))

    return run


def test_sixty_are_added_without_meeting_the_rate_limit(add_all, emulator, conversation, time):
    outcome = add_all()

    assert [one.address for one in outcome.added] == PEOPLE == joined(emulator, conversation)
    assert {it["status"] for it in writes(emulator)} == {201}
    assert time.clock() == pytest.approx(2.0)


def test_twilio_asks_to_wait_and_it_goes_on_after_that(add_all, emulator, conversation, time):
    emulator.faults(fail_next=[ADD | {"status": 429, "code": 50063, "retry_after": 7, "count": 2}])
    outcome = add_all()

    assert (len(outcome.added), outcome.failed) == (60, [])
    assert joined(emulator, conversation) == PEOPLE
    assert time.slept[:2] == [7.0, 7.0]


def test_a_fault_of_twilios_is_tried_again(add_all, emulator, conversation):
    emulator.faults(fail_next=[ADD | {"status": 503, "count": 2}])

    assert len(add_all().added) == 60
    assert joined(emulator, conversation) == PEOPLE


def test_who_cannot_be_added_is_named_and_the_others_are(add_all, emulator, conversation, account):
    other = account.ask(lambda v1: v1.conversations.create()).sid
    participants.add(account, other, sms="+15550100001", proxy_address="+15550100099")
    outcome = add_all(["alice", "+15550100001", "bob"])

    assert [one.address for one in outcome.added] == ["alice", "bob"]
    assert [(it.entry.where, it.error.code) for it in outcome.failed] == [("line 2, +15550100001", 50416)]
    assert joined(emulator, conversation) == ["alice", "bob"]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        pytest.param({"status": 401, "code": 20003, "count": 9}, 1, id="credentials"),
        pytest.param({"status": 400, "code": 50377, "count": 9}, 1, id="closed"),
        pytest.param({"status": 404, "code": 50350, "count": 9}, 1, id="no conversation"),
        pytest.param({"status": 429, "code": 20429, "count": 99}, 11, id="too many requests for too long"),
    ],
)
def test_what_everybody_would_meet_ends_it_at_once(add_all, emulator, fault, requests):
    emulator.faults(fail_next=[ADD | fault])
    outcome = add_all()

    assert (len(outcome.failed), len(outcome.not_tried)) == (1, 59)
    assert len(writes(emulator)) == requests


def test_what_was_done_although_the_answer_was_lost_is_not_done_twice(account, conversation, emulator, add_all):
    participants.add(account, conversation, sms="+15550100001", proxy_address="+15550100099")
    entry = read(b"+15550100001", proxy_address="+15550100099")[0]
    planned = bulk_add.BulkAddPlan(conversation, (entry,))
    (result,) = bulk_add.add_all(account, planned)

    assert (result.address, result.already) == ("+15550100001", True)
    assert joined(emulator, conversation) == ["+15550100001"]


@pytest.mark.parametrize(
    ("lines", "options", "sentence"),
    [
        pytest.param(
            [f"user-{number}" for number in range(1000)],
            [],
            "a conversation has at most 1,000 participants; this one has 1 and 1,000 more are given, so nobody was "
            "added; remove some or give 999 at most",
            id="1,001 people",
        ),
        pytest.param(
            [f"+155501{number:05d}" for number in range(51)],
            ["--proxy-address", "+15550100099"],
            "at most 50 participants by SMS, WhatsApp or group MMS",
            id="51 phones",
        ),
        pytest.param(
            ["address,channel", *(f"+155501{number:05d},group" for number in range(11))],
            [],
            "at most 10 participants in a group MMS",
            id="a group of 11",
        ),
    ],
)
def test_more_than_twilio_takes_is_refused_before_anybody_is_added(
    app, account, conversation, emulator, tmp_path, lines, options, sentence
):
    participants.add(account, conversation, identity="somebody")
    path = tmp_path / "list"
    path.write_text("\n".join(lines))
    result = app.test_cli_runner().invoke(args=["participants", "add", conversation, "--file", str(path), *options])

    assert result.exit_code == 1
    assert sentence in result.output
    assert joined(emulator, conversation) == ["somebody"]


def test_failures_are_listed_at_the_end_also_for_scripts(app, emulator, conversation):
    emulator.faults(fail_next=[ADD | {"status": 400, "code": 50407}])
    command = ["participants", "add", conversation, "--identity", "alice", "--identity", "bob", "--json"]
    result = app.test_cli_runner().invoke(args=command)
    document = json.loads(result.output)

    assert result.exit_code == 1
    assert [one["address"] for one in document["added"]] == ["bob"]
    assert [(one["name"], one["code"]) for one in document["failed"]] == [("alice", 50407)]
    assert document["failed"][0]["reason"].endswith(
        "give the customer's own number with + and country code, "
        "no number of Twilio's, and no projected address beside it"
    )


def test_a_command_that_is_killed_and_run_again_adds_everybody_once(environ, emulator, conversation, file):
    emulator.faults(latency=0.02)
    command = LiveCommand(environ, "participants", "add", conversation, "--file", file)
    command.kill_when(lambda: len(writes(emulator)) >= 10)
    after_the_crash = len(joined(emulator, conversation))
    emulator.advance(1)
    emulator.faults(fail_next=[ADD | {"status": 429, "code": 50063, "retry_after": 0.1}])
    code, said = LiveCommand(environ, "participants", "add", conversation, "--file", file).ended()

    assert 9 <= after_the_crash < 60
    assert joined(emulator, conversation) == PEOPLE
    assert (code, said.splitlines()[-1]) == (0, f"There already: {after_the_crash}.")
    assert [it["status"] for it in writes(emulator) if it["status"] != 201] == [429]


@pytest.mark.slow
def test_on_a_terminal_a_bar_shows_how_far_it_is(environ, emulator, conversation, file):
    command = LiveCommand(environ, "participants", "add", conversation, "--file", file, terminal=True)
    code, said = command.ended()

    assert code == 0
    assert progress_of(said)[-1] == "60/60"
    assert len(progress_of(said)) > 3


def test_who_stops_it_is_told_that_it_can_go_on(environ, emulator, conversation, file):
    emulator.faults(latency=0.02)
    command = LiveCommand(environ, "participants", "add", conversation, "--file", file)
    command.signal_when(lambda: len(writes(emulator)) >= 5, signal.SIGINT)
    code, said = command.ended()

    assert code == 1
    assert "run it again to add the rest, nobody is added twice" in said


def test_an_entry_says_where_it_comes_from():
    entry = read(b"\nalice")[0]

    assert (entry.where, Entry(entry.one).where) == ("line 2, alice", "alice")
