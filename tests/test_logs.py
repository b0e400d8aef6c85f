"""Log lines: one record a line, in text or JSON, without the words of an error or of a request."""

import io
import json
import logging
import re

import pytest

from app import logs
from tests.support.eventually import eventually

SECRET = "+15550100001 says hello"
NASTY = 'a\r\nlevel=error "forged"\x1b[2J\u2028\x00\ud800'


def written(log_format: str, *arguments: object, level: int = logging.INFO, **more: object) -> str:
    """Return what a handler writes for one record."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(log_format))
    log = logging.Logger("parley.test")
    log.addHandler(handler)
    log.log(level, *arguments, **more)
    return stream.getvalue()


def fail() -> None:
    raise ValueError(SECRET)


def caught() -> ValueError:
    with pytest.raises(ValueError) as caught:
        fail()
    return caught.value


def test_a_json_line_has_the_facts_of_the_step():
    line = json.loads(
        written("json", "event.processed", extra={"inbox_id": 3, "outcome": "replied by rule", "lane": None})
    )

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "parley.test",
        "message": "event.processed",
        "inbox_id": 3,
        "outcome": "replied by rule",
    }


def test_a_text_line_can_be_read_and_quotes_what_has_spaces():
    line = written("text", "event.processed", extra={"inbox_id": 3, "outcome": "replied by rule", "sid": "IM1"})

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line[:20])
    assert line[20:] == ' info parley.test event.processed inbox_id=3 outcome="replied by rule" sid=IM1\n'


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_whatever_a_record_holds_is_one_printable_line(log_format):
    line = written(log_format, "said %s", NASTY, extra={"fact": NASTY, "error": caught()})

    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_a_json_line_gives_back_what_went_in():
    assert json.loads(written("json", "%s", NASTY, extra={"fact": NASTY}))["fact"] == NASTY


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_exception_is_logged_by_kind_and_place_only(log_format):
    line = written(log_format, "event.failed", level=logging.ERROR, exc_info=caught())

    assert SECRET not in line
    assert "ValueError at test_logs.py:" in line
    assert " in fail" in line


def test_a_fault_has_no_words():
    assert logs.describe_error(caught()).startswith("ValueError at test_logs.py:")
    assert logs.describe_error(KeyError(SECRET)) == "KeyError"


def adopted(*messages: str) -> list[str]:
    """Return the lines of a log of gunicorn's that writes these messages at once."""
    stream = io.StringIO()
    log = logging.Logger("gunicorn.error")
    log.addHandler(logging.StreamHandler(stream))
    logs.adopt(log, "text")
    for message in messages:
        log.warning(message)
    return [line.split("gunicorn.error ")[1] for line in stream.getvalue().splitlines()]


def test_gunicorn_quotes_no_broken_request_and_counts_no_flood():
    quote = "Invalid request from ip=10.0.0.1: Invalid HTTP request line: 'GET /?Body=hello\n'"

    assert adopted(*[quote] * 100, "Booting worker") == ["Invalid request from ip=10.0.0.1", "Booting worker"]


def test_gunicorn_says_of_a_fault_neither_target_nor_query():
    assert adopted(f"Error handling request GET /?Body={SECRET}") == ["Error handling request"]


def test_the_loggers_of_libraries_that_print_whole_urls_are_quiet():
    logs.configure()

    levels = {logging.getLogger(name).getEffectiveLevel() for name in ("twilio.http_client", "urllib3", "werkzeug")}
    assert levels == {logging.WARNING}


def test_configuring_twice_prints_once(capsys):
    logs.configure("json")
    logs.configure("json")

    logging.getLogger("parley.test").info("once")
    logging.getLogger("another.library").warning("once too")

    printed = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert printed == ["once", "once too"]


def test_what_is_said_sparingly_is_said_again_after_a_time_with_its_number_and_at_once_after_a_success(caplog):
    sparingly = logs.Sparingly(logging.getLogger("sparing"), every_seconds=3600)
    for reason in ("no tables", "no tables", "locked", "no tables"):
        sparingly.error("waiting", reason=reason)
    sparingly.forget()
    sparingly.error("waiting", reason="no tables")
    assert [one.reason for one in caplog.records] == ["no tables", "locked", "no tables"]

    often = logs.Sparingly(logging.getLogger("sparing"), every_seconds=0.2)
    assert eventually(lambda: often.error("again") or caplog.records[-1].times_since_last_line > 1)
