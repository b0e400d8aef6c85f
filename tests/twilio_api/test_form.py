"""Bytes to pairs, texts to values: nothing is lost, and nothing is refused."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.twilio_api.form import (
    EARLIEST,
    LATEST,
    Media,
    decode_form,
    read_attributes,
    read_date,
    read_flag,
    read_form,
    read_index,
    read_media,
    read_number,
    read_text,
    storable,
)


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        pytest.param(b"", (), id="nothing"),
        pytest.param(b"a=1&b=2", (("a", "1"), ("b", "2")), id="two"),
        pytest.param(b"b=2&a=1&b=2&b=3", (("b", "2"), ("a", "1"), ("b", "2"), ("b", "3")), id="order and repeats"),
        pytest.param(b"a=&b&=c", (("a", ""), ("b", ""), ("", "c")), id="blank"),
        pytest.param(b"&&a=1&&b=2&", (("a", "1"), ("b", "2")), id="empty parts"),
        pytest.param(b"a=b=c%3D", (("a", "b=c="),), id="equals sign in the value"),
        pytest.param(b"a+b=+c%2Bd%20", (("a b", " c+d "),), id="plus and spaces"),
        pytest.param("a=caf%C3%A9+é".encode(), (("a", "café é"),), id="UTF-8, encoded and raw"),
        pytest.param(b"a=%F0%9F%98%80", (("a", "😀"),), id="emoji"),
        pytest.param(b"a=%E9%FF", (("a", "\udce9\udcff"),), id="not UTF-8"),
        pytest.param(b"a=%zz%4", (("a", "%zz%4"),), id="not percent encoding"),
        pytest.param(b"a=%00", (("a", "\x00"),), id="NUL"),
        pytest.param(b"MessagingBinding.Address=x;y", (("MessagingBinding.Address", "x;y"),), id="dot and semicolon"),
    ],
)
def test_a_form_is_decoded_without_loss(raw, pairs):
    assert decode_form(raw) == pairs


@pytest.mark.parametrize(
    ("method", "target", "body", "pairs"),
    [
        pytest.param("POST", "/hook?t=1", b"a=2", (("a", "2"),), id="POST reads the body"),
        pytest.param("GET", "/hook?t=1&b=a+b!:", b"a=2", (("t", "1"), ("b", "a b!:")), id="GET reads the query"),
        pytest.param("get", "/hook?t=1", b"", (("t", "1"),), id="small letters"),
        pytest.param("GET", "/hook", b"", (), id="no query"),
        pytest.param("GET", "/hook?a=1?b#c=2", b"", (("a", "1?b"),), id="question mark and fragment"),
    ],
)
def test_parameters_come_from_where_twilio_put_them(method, target, body, pairs):
    assert read_form(method, target, body) == pairs


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("35", 35), ("007", 7), ("2147483647", 2147483647)]
    + [(odd, None) for odd in ("", "-1", "+1", "1.0", " 1", "1_0", "٣", "2147483648", "9" * 5000, "x", "1\n")],
)
def test_an_index_is_a_number_a_database_can_hold_or_nothing(text, number):
    assert read_index(text) == number
    assert read_number(text) == (number or 0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-08-11T13:03:28.879Z", datetime(2026, 8, 11, 13, 3, 28, 879000, UTC), id="webhook"),
        pytest.param("2026-08-11T13:03:28Z", datetime(2026, 8, 11, 13, 3, 28, tzinfo=UTC), id="REST"),
        pytest.param("2026-08-11T15:03:28+02:00", datetime(2026, 8, 11, 13, 3, 28, tzinfo=UTC), id="other zone"),
        pytest.param("2026-08-11T13:03:28", None, id="no zone"),
        pytest.param("2026-13-11T13:03:28Z", None, id="no such month"),
        pytest.param("0001-01-01T00:00:00Z", EARLIEST, id="year one"),
        pytest.param("0001-01-01T00:00:00+14:00", EARLIEST, id="before year one in UTC"),
        pytest.param("9999-12-31T23:59:59-14:00", LATEST, id="after year 9999 in UTC"),
        pytest.param("", None, id="empty"),
        pytest.param("yesterday", None, id="words"),
    ],
)
def test_a_date_is_a_moment_in_utc_or_nothing(text, moment):
    assert read_date(text) == moment


@pytest.mark.parametrize(
    ("text", "flag"), [("true", True), ("TRUE", True), ("false", False), ("", None), ("1", None), ("yes", None)]
)
def test_a_flag_is_true_false_or_unsaid(text, flag):
    assert read_flag(text) is flag


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        pytest.param("{}", {}, id="none set"),
        pytest.param('{"a": {"b": [1, null, "c"]}}', {"a": {"b": [1, None, "c"]}}, id="nested"),
        pytest.param(r'{"a\u0000": "\ud800x"}', {"a\ufffd": "\ufffdx"}, id="escapes no database takes"),
        pytest.param('{"a": NaN, "b": 1e999}', {"a": None, "b": None}, id="numbers no database takes"),
        pytest.param("", {}, id="empty"),
        pytest.param("{broken", {}, id="broken"),
        pytest.param("[1]", {}, id="a list"),
        pytest.param("null", {}, id="null"),
        pytest.param("[" * 100_000, {}, id="too deep"),
        pytest.param('{"a":' + "9" * 5000 + "}", {}, id="too long a number"),
    ],
)
def test_attributes_are_an_object_or_empty(text, attributes):
    assert read_attributes(text) == attributes


@pytest.mark.parametrize(
    ("text", "media"),
    [
        pytest.param(
            '[{"Sid":"ME1","ContentType":"image/jpeg","Filename":"p.jpg","Size":12345},{"Sid":"ME2","Size":"7"}]',
            (Media("ME1", "image/jpeg", "p.jpg", 12345), Media("ME2", "", "", 7)),
            id="two attachments",
        ),
        pytest.param(
            '[{"Sid":null,"Filename":"a\\u0000b","Size":-1}]', (Media("", "", "a\ufffdb", 0),), id="odd values"
        ),
        pytest.param('[1, "x", null]', (), id="no objects"),
        pytest.param('{"Sid":"ME1"}', (), id="no list"),
        pytest.param("[broken", (), id="broken"),
        pytest.param("", (), id="empty"),
    ],
)
def test_media_are_read_from_a_text_that_holds_json(text, media):
    assert read_media(text) == media


@settings(deadline=None)
@given(raw=st.binary(max_size=200))
def test_any_bytes_become_pairs_and_any_text_can_be_stored(raw):
    pairs = decode_form(raw)

    assert storable(repr(pairs)).encode("utf-8")
    assert "\x00" not in storable("".join(name + value for name, value in pairs))


@given(
    st.dictionaries(st.sampled_from(["Author", "Body", "BodyAuthor", "Source"]), st.text()),
    st.sampled_from(["POST", "GET"]),
)
def test_one_parameter_is_read_as_among_all(values, method):
    encoded = urlencode(values, errors="surrogatepass")
    target, body = (f"/hook?{encoded}", b"") if method == "GET" else ("/hook", encoded.encode())
    form = dict(read_form(method, target, body))

    assert read_text(method, target, body, "Body") == storable(form.get("Body", ""))


def test_of_a_repeated_parameter_the_first_is_read():
    assert read_text("POST", "", b"Body=one&Body=two", "Body") == "one"
