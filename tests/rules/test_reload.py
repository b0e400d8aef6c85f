"""The rules in force follow the rules file while the bot runs; a broken edit changes nothing and is said loudly."""

import logging
import os
import threading
from pathlib import Path

import pytest

from app.rules import loader
from app.rules.loader import RulesError
from app.rules.reload import WatchedRules
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines("sqlite")

OLD, NEW, BROKEN = ('[[rule]]\nname = "old"\nreply = "Old."', '[[rule]]\nname = "new"\nreply = "New."', "[[rule]")
LONG_AGO = 1_700_000_000


class Watched:
    """A rules file that is watched, with the clocks in our hand."""

    def __init__(self, path):
        self.path, self.seconds, self.edits = path, 100.0, 0
        self.edit(OLD)
        self.rules = WatchedRules(path, monotonic=lambda: self.seconds, wall=lambda: LONG_AGO + self.seconds)

    def edit(self, text):
        """Save the file, as it was long ago."""
        self.path.write_text(text)
        self.edits += 1
        os.utime(self.path, (LONG_AGO, LONG_AGO + self.edits))

    def names(self, *, after=1.0):
        self.seconds += after
        return [rule.name for rule in self.rules.current().rules]


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path / "rules.toml")


@pytest.fixture
def lines():
    """What is logged about the rules."""
    log, heard = logging.getLogger("parley.rules"), []
    listener, level = logging.Handler(), log.level
    listener.emit = heard.append
    log.addHandler(listener)
    log.setLevel("INFO")
    yield heard
    log.removeHandler(listener)
    log.setLevel(level)


@pytest.fixture
def said(lines):
    """The level and the text of each line."""
    return lambda: [(line.levelname, line.getMessage()) for line in lines]


def test_an_edit_is_in_force_a_second_later(watched):
    watched.edit(NEW)

    assert [watched.names(after=0.5), watched.names(after=0.5)] == [["old"], ["new"]]


def test_a_file_that_was_replaced_is_in_force_too(watched, tmp_path):
    (tmp_path / "draft").write_text(NEW)
    os.utime(tmp_path / "draft", (LONG_AGO, LONG_AGO + 1))
    (tmp_path / "draft").replace(watched.path)

    assert watched.names() == ["new"]


def test_a_file_that_is_being_written_is_read_when_it_has_settled(watched):
    watched.edit("")
    os.utime(watched.path, (LONG_AGO, LONG_AGO + watched.seconds + 1))
    half_written = watched.names()
    watched.edit(NEW)

    assert half_written == ["old"]
    assert watched.names(after=0.2) == ["new"]


def test_a_broken_edit_keeps_the_old_rules_and_a_mended_one_is_in_force(watched):
    watched.edit(BROKEN)
    broken = watched.names()
    fault = watched.rules.fault()
    watched.edit(NEW)

    assert broken == ["old"]
    assert "not valid TOML" in fault
    assert watched.names() == ["new"]
    assert watched.rules.fault() == ""


def test_a_broken_edit_is_logged_once_and_so_is_its_mending(watched, said):
    watched.edit(BROKEN)
    for _ in range(3):
        watched.names()
    watched.edit(OLD)
    for _ in range(3):
        watched.names()

    assert said() == [
        ("ERROR", "rules.not_reloaded"),
        ("INFO", "rules.reloaded"),
    ]


def test_what_is_logged_names_the_rule_its_line_and_its_key(watched, lines):
    watched.edit(OLD + '\n[[rule]]\nname = "late"\nreply = "x"\ncooldown = 3')
    watched.names()

    assert 'rule "late" (line 7): cooldown: 3 is not a duration' in lines[-1].problems


def test_saving_the_same_again_is_not_worth_a_line(watched, said):
    watched.edit(OLD)
    watched.names()

    assert said() == []


FAULTS = [
    pytest.param(lambda path: path.unlink(), "No such file or directory", id="removed"),
    pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8", id="not UTF-8"),
    pytest.param(lambda path: path.write_text("a = " + "[" * 100_000), "nested too deeply", id="nested without end"),
]


@pytest.mark.parametrize(("harm", "fault"), FAULTS)
def test_whatever_happens_to_the_file_the_old_rules_stay_in_force(watched, harm, fault):
    harm(watched.path)

    assert watched.names() == ["old"]
    assert fault in watched.rules.fault()


def test_a_file_that_is_faulty_at_the_start_is_refused(tmp_path):
    (tmp_path / "rules.toml").write_text(BROKEN)

    with pytest.raises(RulesError, match="not valid TOML"):
        WatchedRules(tmp_path / "rules.toml")


class CountingPath(type(Path())):
    """A path that counts how often the file is looked at."""

    looks = 0

    def stat(self, **more):
        CountingPath.looks += 1
        return super().stat(**more)


def test_the_file_is_looked_at_once_a_second_however_often_it_is_asked_for(tmp_path):
    watched = Watched(CountingPath(tmp_path / "rules.toml"))
    at_first = CountingPath.looks
    for _ in range(500):
        watched.names(after=0.005)

    assert CountingPath.looks - at_first == 2


def test_many_threads_get_old_or_new_rules_and_one_reload(watched, said):
    watched.edit(NEW)
    watched.seconds += 1
    start, seen = threading.Barrier(8), []
    threads = [threading.Thread(target=lambda: (start.wait(), seen.append(watched.names(after=0)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {tuple(names) for names in seen} <= {("old",), ("new",)}
    assert ("INFO", "rules.reloaded") in said()
    assert len(said()) == 1


@pytest.fixture
def running(app):
    worker = app.extensions["parley"].start_worker()
    yield worker
    assert worker.stop()


@pytest.fixture
def answer_to(customer_writes, emulator):
    """Write to the bot that runs, and return what it has answered."""

    def write(body):
        before = len(emulator.replies())
        customer_writes(body, sender=f"+1555010{before:04}")
        assert eventually(lambda: len(emulator.replies()) > before)
        return emulator.replies()[-1]

    return write


def test_a_running_bot_answers_by_the_edited_file_and_after_a_broken_edit_as_before(
    app, running, answer_to, rules_file
):
    rules = app.extensions["parley"].rules
    first = answer_to("hello")
    rules_file.write_text(NEW)
    assert eventually(lambda: rules.current().rules[0].name == "new")
    second = answer_to("hello")
    rules_file.write_text(BROKEN)
    assert eventually(rules.fault)
    ready = app.test_client().get("/readyz")

    assert [first, second, answer_to("hello")] == ["Thanks, we will be right back.", "New.", "New."]
    assert (ready.status_code, ready.json["ready"]) == (200, True)
    assert "`flask rules check`" in ready.json["rules"]


@pytest.mark.timeout(30)
def test_a_pipe_in_place_of_the_file_is_refused_and_waited_for_by_nobody(watched, said):
    watched.path.unlink()
    os.mkfifo(watched.path)

    assert watched.names() == ["old"]
    assert "is no file but a pipe" in watched.rules.fault()
    with pytest.raises(RulesError, match="is no file but a pipe"):
        WatchedRules(watched.path)


def test_a_file_without_an_end_is_refused(tmp_path):
    (tmp_path / "rules.toml").symlink_to("/dev/zero")
    with pytest.raises(RulesError, match="is no file but a pipe or a device"):
        WatchedRules(tmp_path / "rules.toml")

    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(loader.MAX_BYTES + 1)
    with pytest.raises(RulesError, match="is larger than 4,096 KB"):
        WatchedRules(tmp_path / "large.toml")
