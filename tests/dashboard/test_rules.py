"""The page of rules: what is in force and how it was used, what is wrong with the file, and the dry run."""

import html
import json
import logging
import os
import re

import pytest
from sqlalchemy import func, select

from app.db.tables import metadata
from tests.support.eventually import eventually
from tests.support.page_text import words

RULES = """
[bot]
timezone = "Europe/Berlin"
hours = { mon-fri = "09:00-17:30" }

[[rule]]
name = "shadow"
when = { keywords = ["order"] }
reply = "The new answer about orders."
mode = "observe"

[[rule]]
name = "order"
when = { keywords = ["order", "where is my"], channel = ["sms", "whatsapp"] }
reply = "Please send <b>your</b> order number, {{ author }}."
set_attributes = { topic = "order" }
cooldown = "90m"

[[rule]]
name = "closed"
when = { hours = "closed" }
reply = "We are closed."

[[rule]]
name = "default"
when = { any = [{ hours = "open" }, { not = { media = true } }] }
reply = "A colleague answers."

[[rule]]
name = "still waiting"
when = { unanswered_for = "15m" }
reply = "Sorry that you wait."
quota = 1
"""

LATE = """
[[rule]]
name = "late"
when = { keywords = ["where is my"], channel = "sms" }
reply = "Never said."
"""


@pytest.fixture
def try_out(page):
    """Try a message; return the answer."""
    return lambda **fields: page.get("/rules/try", query_string=fields)


class TestRules:
    def test_nobody_reads_them_without_logging_in(self, visitor):
        assert visitor.get("/rules").status_code == 302
        assert visitor.get("/rules/try?text=hello").status_code == 302

    def test_each_rule_says_when_it_applies_and_what_it_does(self, page):
        read = words(page.get("/rules").text)

        assert "order has the words “order” or “where is my” by sms or whatsapp says “Please send <b>your</b>" in read
        assert 'sets the attribute topic = "order" then passed over for 90 min' in read
        assert "default one of: while open; not with a picture or file" in read
        assert "still waiting after 15 min without a human says “Sorry that you wait.” at most 1 time ever" in read

    def test_uses_observed_rules_and_silences_are_counted(self, page, customer_writes, emulator, run_worker):
        customer_writes("where is my order")
        customer_writes("the order again", sender="+15550100002")
        customer_writes("STOP", sender="+15550100003")
        run_worker()

        answer = page.get("/rules").text
        read = words(answer)
        assert "in 3 decisions" in read
        assert "then passed over for 90 min 2" in read
        assert "shadow observes" in read
        assert "Decisions without a rule" in read and "opt-out word 1 33.3 %" in read
        seen = re.search(r'id="observed">.*?</section>', answer, re.DOTALL)[0]
        assert "shadow 2 IM" in words(seen)
        link = re.search(r'href="(/why/IM\w+)"', seen)[1]
        assert "observed only" in words(page.get(link).text)

    def test_a_rule_that_is_no_longer_in_the_file_keeps_its_uses(self, page, customer_writes, run_worker, rules_file):
        customer_writes("order")
        run_worker()
        rules_file.write_text(RULES.replace('name = "order"', 'name = "parcel"'))

        assert "order no longer in the file 1" in words(page.get("/rules").text)

    @pytest.mark.parametrize(("period", "decisions"), [("24h", 0), ("7d", 1)])
    def test_uses_are_those_of_the_period(self, period, decisions, page, customer_writes, run_worker, clock):
        customer_writes("order")
        run_worker()
        clock.advance(3 * 86400)

        assert f"in {decisions} decision" in words(page.get(f"/rules?period={period}").text)

    def test_what_the_linter_finds_stands_there_with_rule_and_line(self, page, rules_file):
        rules_file.write_text(RULES + LATE)

        read = words(page.get("/rules").text)
        assert "Warnings about the rules file" in read
        assert "late (line 35) " in read

    def test_very_many_rules_are_left_to_the_command(self, page, rules_file):
        rules_file.write_text(
            "".join(f'[[rule]]\nname = "r{n}"\nwhen = {{ keywords = ["word{n}"] }}\nreply = "x"\n' for n in range(301))
        )

        assert "look for mistakes with flask rules check" in words(page.get("/rules").text)

    def test_a_broken_file_is_said_where_nobody_works(self, page, rules_file):
        rules_file.write_text(RULES.replace('hours = "closed"', 'hours = "shut"'))

        answer = page.get("/rules")
        assert answer.status_code == 200
        assert "The rules file has errors" in words(answer.text)
        assert 'rule "closed" (line 21)' in words(answer.text)
        assert "one that is started now does not start" in words(answer.text)

    def test_a_broken_edit_is_said_and_the_rules_from_before_are_those_in_force(self, app, page, rules_file):
        worker = app.extensions["parley"].start_worker()
        try:
            rules_file.write_text("[[rule]\n")
            os.utime(rules_file, (1, 1))  # nobody is still writing it

            assert eventually(lambda: "The rules file has errors" in words(page.get("/rules").text))
            read = words(page.get("/rules").text)
        finally:
            worker.stop()
        assert "The rules file has errors The rules from before stay in force" in read
        assert "order has the words “order”" in read

    def test_hostile_names_stay_text(self, page, rules_file):
        rules_file.write_text('[[rule]]\nname = "<script>alert(1)</script>"\nreply = "<img src=x onerror=alert(1)>"\n')

        answer = page.get("/rules").text
        assert "<script>alert(1)" not in answer and "<img src=x" not in answer
        assert "style=" not in answer

    def test_a_database_that_is_away_is_said(self, page, tmp_path, app):
        app.extensions["parley"].db.close()
        (tmp_path / "parley.db").unlink()

        assert page.get("/rules").status_code == 503


class TestDryRun:
    def test_the_page_of_rules_has_the_form(self, page):
        form = re.search(
            r'<form class="trial-form" action="/rules/try">.*?</form>', page.get("/rules").text, re.DOTALL
        )[0]

        assert {"text", "channel", "author", "at", "contact", "attributes"} <= set(re.findall(r'name="(\w+)"', form))

    def test_it_shows_the_answer_the_trace_and_what_follows_if_no_human_answers(self, try_out):
        answer = try_out(text="Where is my parcel?", at="2026-11-28 22:00", channel="whatsapp", author="whatsapp:+1555")

        read = words(answer.text)
        assert answer.status_code == 200
        assert "Sat 2026-11-28 22:00 Europe/Berlin, closed; whatsapp from whatsapp:+1555, first message" in read
        assert 'rule "order" matched Please send <b>your</b> order number, whatsapp:+1555.' in read
        assert 'would do: set attributes {"topic": "order"}' in read
        assert "shadow has none of the keywords" in read or re.search("shadow .*? order ✓ decided", read)
        assert "After 15 min without a human" in read and "Sorry that you wait." in read

    def test_what_was_written_stays_in_the_form_and_is_escaped(self, try_out):
        answer = try_out(text='</textarea><script>alert("x")</script>', author='"><b>', attributes='{"a": 1}')

        assert "<script>alert" not in answer.text and '"><b>' not in answer.text
        assert html.escape('</textarea><script>alert("x")</script>', quote=False) in html.unescape(
            answer.text.replace("&lt;", "&amp;lt;").replace("&gt;", "&amp;gt;")
        )

    @pytest.mark.parametrize(
        ("fields", "verdict"),
        [
            ({"text": "STOP"}, "opt-out word"),
            ({"text": "hello", "paused": "1"}, "paused"),
            ({"text": "hello", "opted_out": "1"}, "opted out"),
            ({"text": "hello", "author": "support-agent", "channel": "chat"}, "agent"),
            ({"text": "hello", "roles": "agent"}, "agent"),
        ],
        ids=["opt-out word", "paused", "opted out", "an agent's name", "an agent's role"],
    )
    def test_guards_are_asked_first(self, fields, verdict, try_out):
        assert f"{verdict} keeps the bot silent" in words(try_out(**fields).text)

    def test_what_the_channel_tells_counts(self, try_out, rules_file):
        rules_file.write_text("""
[[rule]]
name = "confirmed"
when = { button_payload = "confirm", media_type = "image/*", channel_metadata = { type = "whatsapp" } }
reply = "{{ profile_name }} pressed {{ button }}."
""")
        fields = {
            "text": "",
            "button": "Yes",
            "button_payload": "confirm",
            "media_type": "image/jpeg",
            "profile_name": "Ann",
            "channel_metadata": '{"type": "whatsapp"}',
        }
        answer = try_out(**fields)

        assert "Ann pressed Yes." in words(answer.text)
        assert all(f'name="{name}" value="{value}"' in answer.text for name, value in list(fields.items())[1:5])
        assert "pressed" not in words(try_out(**fields | {"button_payload": "cancel"}).text)
        assert "This is no JSON object" in words(try_out(**fields | {"channel_metadata": "[]"}).text)

    def test_attributes_and_being_known_count(self, try_out, rules_file):
        rules_file.write_text("""
[[rule]]
name = "gold"
when = { attributes = { tier = "gold" }, participant_attributes = { vip = true }, first_contact = false }
reply = "Hello, dear {{ author }}."
""")
        fields = {
            "text": "hello",
            "author": "Ann",
            "attributes": '{"tier": "gold"}',
            "participant_attributes": '{"vip": true}',
        }

        assert "Hello, dear Ann." in words(try_out(**fields, contact="known").text)
        assert "Hello, dear" not in words(try_out(**fields, contact="first").text)

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"text": ""}, "Write the text of the message."),
            ({"text": "a", "attributes": "{"}, "This is not JSON"),
            ({"text": "a", "attributes": "[1]"}, "This is no JSON object"),
            ({"text": "a", "attributes": "[" * 100_000}, "This is not JSON"),
            ({"text": "a", "participant_attributes": "1"}, "This is no JSON object"),
            ({"text": "a", "at": "soon"}, "'soon' is no time; write"),
            ({"text": "a", "at": "9999-12-31 23:59"}, "is too far away"),
            ({"text": "a", "at": "0001-01-01 00:00"}, "is too far away"),
        ],
        ids=["no text", "no JSON", "a list", "nested deeply", "a number", "no time", "end of time", "year 1"],
    )
    def test_what_cannot_be_tried_is_said_at_its_field(self, fields, problem, try_out):
        answer = try_out(**fields)

        assert answer.status_code == 400
        assert problem in words(answer.text)
        assert 'aria-invalid="true"' in answer.text
        assert ">Result<" not in answer.text

    def test_with_a_broken_file_nothing_can_be_tried(self, try_out, rules_file):
        rules_file.write_text("[[rule]\n")

        assert "nothing can be tried" in words(try_out(text="hello").text)

    def test_a_long_reply_is_shown_in_the_messages_in_which_it_would_be_sent(self, try_out, rules_file):
        rules_file.write_text(
            '[[rule]]\nname = "long"\nreply = "{% for n in range(400) %}{{ n }} bottles. {% endfor %}"\n'
        )

        assert len(re.findall("would-send", try_out(text="hello").text)) == 4

    def test_it_writes_nothing_down_and_logs_no_text(self, try_out, db, caplog):
        caplog.set_level(logging.DEBUG)
        with db.read() as tx:
            before = {
                table.name: tx.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables
            }

        try_out(text="a secret that no log may show", author="+15550100077")

        with db.read() as tx:
            after = {table.name: tx.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables}
        assert after == before
        assert "secret" not in caplog.text and "+15550100077" not in caplog.text

    def test_it_says_what_the_command_says(self, try_out, flask_command):
        asked = {"at": "Mon 10:00", "channel": "sms"}
        said = json.loads(flask_command("rules", "test", "where is my order", "--at", asked["at"], "--json"))

        read = words(try_out(text="where is my order", **asked).text)
        assert said["reason"] in read
        assert said["reply"] in read
