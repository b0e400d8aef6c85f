"""The list of conversations on the page: its order, search, filters, and that it brings itself up to date."""

import uuid
from datetime import timedelta

import pytest

from app.store import conversations, messages
from tests.support import page_text

BO, CY = "+15550100002", "+15550100003"


@pytest.fixture
def writes(db, clock):
    """Store messages of customers as the worker does, each a second after the last."""

    def write(*texts, number="+15550100001", sid="CH" + "1" * 32):
        with db.write() as tx:
            for n, text in enumerate(texts):
                clock.advance(1)
                message_sid = f"IM{uuid.uuid5(uuid.NAMESPACE_URL, f'{sid} {n} {text}').hex}"
                facts = {"conversation_sid": sid, "author": number, "body": text, "message_index": n}
                messages.record_message(tx, message_sid, facts, dated=None, now=clock())
            conversations.record_participant(tx, "MB" + sid[2:], {"conversation_sid": sid, "address": number})
        return sid

    return write


def sid_of(n):
    return f"CH{n:032x}"


def test_whoever_wrote_last_is_on_top(page, bot):
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")
    bot.customer(BO).says("are you there?")

    assert page_text.titles(page.get("/").text) == [BO, CY]


def test_the_list_shows_who_had_the_last_word(page, bot):
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")
    bot.agent().says("I am looking into it.", to=CY)
    previews = [one.text for one in page_text.elements(page.get("/").text) if one.kind == "preview"]

    assert previews == ["support-agent: I am looking into it.", "Bot: Thanks, we will be right back."]


def test_without_conversations_the_page_says_so(page):
    assert "No conversation yet." in page.get("/").text


@pytest.mark.parametrize(
    "search", ["15550100002", "(555) 010-0002", "555 0100002", "PARCEL", "my parcel is", "100%", "under_score"]
)
def test_a_search_finds_numbers_and_words(page, writes, search):
    writes("My parcel is 100% lost, under_score", number=BO, sid=sid_of(1))
    writes("order", number=CY, sid=sid_of(2))

    assert page_text.titles(page.get("/", query_string={"search": search}).text) == [BO]


def test_a_search_finds_what_the_bot_has_said(page, bot):
    bot.customer(BO).says("hello")
    bot.customer(CY).says("order")

    assert page_text.titles(page.get("/", query_string={"search": "Right BACK"}).text) == [BO]


@pytest.mark.parametrize("search", ["%", "_", "10%", "under-score", "no such words", "\x00%"])
def test_wildcards_of_databases_mean_themselves(page, writes, search):
    writes("100 per cent, under score")

    answer = page.get("/", query_string={"search": search})
    assert answer.status_code == 200
    assert page_text.titles(answer.text) == []


@pytest.mark.parametrize("search", ["grüße", "GRÜSSE AUS", "Grüße"])
def test_letters_beyond_ascii_are_found_in_either_case(page, writes, search):
    writes("Viele Grüße aus Köln", "VIELE GRÜSSE AUS KÖLN", "grüße")

    assert len(page_text.titles(page.get("/", query_string={"search": search}).text)) == 1


def test_a_conversation_is_found_by_its_name_and_by_its_sid(page, writes, db):
    sid = writes("hello")
    with db.write() as tx:
        conversations.record_conversation(tx, sid, {"friendly_name": "Ada of Example Ltd"})

    assert page_text.titles(page.get("/", query_string={"search": "ada OF"}).text) == ["Ada of Example Ltd"]
    assert page_text.titles(page.get("/", query_string={"search": sid}).text) == ["Ada of Example Ltd"]


def test_who_waits_for_a_human_is_found_until_one_has_answered(page, bot):
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")
    bot.agent().says("Hello!", to=CY)

    assert page_text.titles(page.get("/?only=waiting").text) == [BO]


def test_where_a_delivery_has_failed_of_late_is_found(page, bot, emulator):
    emulator.carrier(BO, error_code=30003)
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")
    assert page_text.titles(page.get("/?only=failed").text) == [BO]

    bot.advance(days=8)
    assert page_text.titles(page.get("/?only=failed").text) == []


def test_where_twilio_refused_a_reply_is_found_too(page, bot, emulator):
    emulator.faults(fail_next=[{"status": 400, "code": 50513, "method": "POST"}])
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")

    assert page_text.titles(page.get("/?only=failed").text) == [BO]


def test_where_the_bot_is_paused_is_found_while_it_is(page, bot):
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")
    bot.agent().says("Hello!", to=CY)
    assert page_text.titles(page.get("/?only=paused").text) == [CY]

    bot.advance(hours=1)
    assert page_text.titles(page.get("/?only=paused").text) == []


def test_each_filter_says_how_many_it_would_show(page, bot):
    bot.customer(BO).says("hello")
    bot.customer(CY).says("hello")
    bot.agent().says("Hello!", to=CY)
    chips = [one.text for one in page_text.elements(page.get("/").text) if one.kind == "chip"]

    assert chips == ["All", "Waiting for a human 1", "Failed", "Bot paused 1", "May opt out"]


def test_more_conversations_are_shown_on_demand(page, writes):
    for n in range(70):
        writes("hello", number=f"+1555010{n:04}", sid=sid_of(n))
    first = page.get("/").text
    second = page.get(page_text.link(first, "Show more")).text
    third = page.get(page_text.link(second, "Show more")).text

    assert [len(page_text.titles(one)) for one in (first, second, third)] == [30, 60, 70]
    assert "Show more" not in third


def test_a_conversation_opens_beside_the_same_list(page, writes):
    writes("one parcel", number=BO, sid=sid_of(1))
    writes("two parcels", number=CY, sid=sid_of(2))
    found = page.get("/", query_string={"search": "two"}).text
    href = next(one.href for one in page_text.elements(found) if one.id == f"c-{sid_of(2)}")
    opened = page.get(href).text

    assert page_text.titles(opened) == [CY]
    assert page_text.bubbles(opened) == ["two parcels"]


def test_the_list_is_sent_again_only_when_it_has_changed(page, writes):
    writes("hello")
    first = page.get("/fragments/list")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert page.get("/fragments/list", headers=tag).status_code == 304
    assert page.get("/fragments/list", headers=tag).data == b""

    writes("news", sid=sid_of(2))
    assert "news" in page.get("/fragments/list", headers=tag).text


def test_the_end_of_a_pause_is_news(page, writes, db, clock):
    sid = writes("hello")
    with db.write() as tx:
        conversations.pause(tx, sid, clock() + timedelta(minutes=5), "lunch", by="operator")
    tag = {"If-None-Match": page.get("/fragments/list").headers["ETag"]}
    assert page.get("/fragments/list", headers=tag).status_code == 304

    clock.advance(301)
    assert page.get("/fragments/list", headers=tag).status_code == 200


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "&lt;b&gt;"]
)
@pytest.mark.parametrize("where", ["body", "friendly_name"])
def test_hostile_words_stay_words(page, writes, db, hostile, where):
    sid = writes(hostile if where == "body" else "hello")
    with db.write() as tx:
        conversations.record_conversation(tx, sid, {"friendly_name": hostile if where == "friendly_name" else "Ada"})
    html = page.get("/").text

    assert hostile in [one.text for one in page_text.elements(html) if one.kind == "preview" or one.tag == "strong"]
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_hostile_search_words_stay_words(page):
    html = page.get("/", query_string={"search": '"><script>alert(1)</script>', "only": "<b>"}).text

    assert "<script>alert" not in html


def test_nonsense_in_the_address_is_no_error(page, writes):
    writes("hello")

    assert len(page_text.titles(page.get("/?limit=-7&only=everything").text)) == 1
    assert len(page_text.titles(page.get("/?limit=many").text)) == 1


def test_without_its_database_the_page_says_so(page, tmp_path):
    (tmp_path / "parley.db").rename(tmp_path / "elsewhere.db")
    answer = page.get("/")

    assert answer.status_code == 503
    assert "The database cannot be reached" in answer.text


@pytest.mark.parametrize("path", ["/", "/fragments/list"])
def test_a_visitor_sees_no_conversation(visitor, writes, path):
    writes("a secret")

    assert visitor.get(path).status_code in (302, 401)
    assert b"a secret" not in visitor.get(path).data
