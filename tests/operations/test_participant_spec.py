"""Who shall join a conversation: what is asked of Twilio, and what is refused with which sentence."""

import pytest

from app.operations import participant_file
from app.operations.participant_spec import make_spec
from app.operations.validation import Refused

PROXY = "+15550100099"


@pytest.mark.parametrize(
    ("given", "kind", "parameters"),
    [
        pytest.param(
            {"sms": "+1 (555) 010-0001", "proxy_address": PROXY},
            "sms",
            {"messaging_binding_address": "+15550100001", "messaging_binding_proxy_address": PROXY},
            id="sms, written as people do",
        ),
        pytest.param(
            {"whatsapp": "+15550100001", "proxy_address": PROXY},
            "whatsapp",
            {
                "messaging_binding_address": "whatsapp:+15550100001",
                "messaging_binding_proxy_address": f"whatsapp:{PROXY}",
            },
            id="whatsapp, prefix on both sides",
        ),
        pytest.param(
            {"whatsapp": "whatsapp:+15550100001", "proxy_address": f"whatsapp:{PROXY}"},
            "whatsapp",
            {
                "messaging_binding_address": "whatsapp:+15550100001",
                "messaging_binding_proxy_address": f"whatsapp:{PROXY}",
            },
            id="whatsapp, prefix once only",
        ),
        pytest.param(
            {"identity": "alice", "attributes": {"vip": True}},
            "chat",
            {"identity": "alice", "attributes": '{"vip":true}'},
            id="chat with attributes",
        ),
        pytest.param(
            {"group": "+15550100001"}, "group", {"messaging_binding_address": "+15550100001"}, id="group member"
        ),
        pytest.param(
            {"identity": "alice", "projected_address": PROXY},
            "group",
            {"identity": "alice", "messaging_binding_projected_address": PROXY},
            id="our own number in a group",
        ),
        pytest.param(
            {"projected_address": PROXY},
            "group",
            {"messaging_binding_projected_address": PROXY},
            id="our own number without identity",
        ),
    ],
)
def test_a_newcomer_is_what_twilio_wants(given, kind, parameters):
    one = make_spec(**given)

    assert (one.kind, one.parameters()) == (kind, parameters)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("\u202a+15550100001\u202c", id="copied from a telephone"),
        pytest.param("\u2066+1\u00a0(555)\u00a0010\u20110001\u2069\u200e", id="with marks and unseen spaces"),
        pytest.param("001 555/010.0001", id="as it is dialled"),
        pytest.param("＋１ ５５５ ０１０ ０００１", id="full width"),
        pytest.param("+١٥٥٥٠١٠٠٠٠١", id="Arabic digits"),
    ],
)
def test_a_number_is_read_however_a_person_or_a_telephone_wrote_it(written):
    assert make_spec(sms=written, proxy_address=PROXY).address == "+15550100001"


@pytest.mark.parametrize(
    "number", ["+5215512345678", "+525512345678", "+5491123456789", "+4930123456", "+8613800138000"]
)
def test_a_number_that_somebody_can_have_is_taken(number):
    assert make_spec(whatsapp=number, proxy_address=PROXY).address == f"whatsapp:{number}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param({"sms": "+15550100001"}, "'+15550100001' by SMS needs one of your Twilio numbers", id="no number"),
        pytest.param({"whatsapp": "+15550100001"}, "needs your WhatsApp sender too", id="no sender"),
        pytest.param(
            {"sms": "+15550100001", "proxy_address": f"whatsapp:{PROXY}"}, "both must be of one channel", id="channels"
        ),
        pytest.param({"sms": "whatsapp:+15550100001", "proxy_address": PROXY}, "add it with --whatsapp", id="prefix"),
        pytest.param({"sms": PROXY, "proxy_address": PROXY}, "are both +15550100099", id="the same on both sides"),
        pytest.param({"sms": "12345", "proxy_address": PROXY}, "'12345' is not a phone number", id="no number at all"),
        pytest.param({"sms": "+15550100001", "proxy_address": "me"}, "'me' is not a phone number", id="proxy"),
        pytest.param({"group": "whatsapp:+15550100001"}, "has no WhatsApp groups", id="whatsapp in a group"),
        pytest.param(
            {"identity": "alice", "projected_address": f"whatsapp:{PROXY}"}, "has no WhatsApp groups", id="our sender"
        ),
        pytest.param(
            {"whatsapp": "+15550100001", "projected_address": PROXY}, "has no WhatsApp groups", id="whatsapp projected"
        ),
        pytest.param(
            {"identity": "alice", "sms": "+15550100001", "proxy_address": PROXY},
            "'alice' is a chat identity and '+15550100001' an address; add two participants",
            id="identity and address",
        ),
        pytest.param({"sms": "+15550100001", "whatsapp": "+15550100001"}, "one address", id="two addresses"),
        pytest.param({"identity": "alice", "proxy_address": PROXY}, "only an SMS or WhatsApp", id="chat with proxy"),
        pytest.param({"group": "+15550100001", "proxy_address": PROXY}, "only an SMS or WhatsApp", id="group, proxy"),
        pytest.param({"group": "+15550100001", "projected_address": PROXY}, "only your own number", id="group twice"),
        pytest.param({"sms": "+15550100001", "projected_address": PROXY}, "with --group instead", id="sms projected"),
        pytest.param({"identity": "+15550100001"}, "is an address, not an identity", id="identity is a number"),
        pytest.param({"identity": "+1 (555) 010-0001"}, "is an address, not an identity", id="number as people write"),
        pytest.param({"identity": "WhatsApp:US.12345"}, "is an address, not an identity", id="address of no number"),
        pytest.param(
            {"sms": "+999999999999", "proxy_address": PROXY},
            "'+999999999999' cannot be a phone number: no country has its code",
            id="no such country",
        ),
        pytest.param(
            {"sms": "+1555010000", "proxy_address": PROXY}, "fewer digits than those of a number with +1", id="short"
        ),
        pytest.param(
            {"whatsapp": "+155501000011", "proxy_address": PROXY}, "more digits than those of a number", id="long"
        ),
        pytest.param(
            {"sms": "+15550100001", "proxy_address": "+0000000"}, "'+0000000' is not a phone number", id="zeros"
        ),
        pytest.param({"identity": "a" * 257}, "is no identity", id="long identity"),
        pytest.param({"identity": "alice", "attributes": "[1]"}, "not a JSON object", id="list as attributes"),
        pytest.param({"identity": "alice", "attributes": "{vip}"}, "not valid JSON", id="no JSON"),
        pytest.param({"identity": "alice", "attributes": {"x": "y" * 4090}}, "have 4098 bytes", id="over 4 KB"),
        pytest.param({}, "nobody to add", id="nobody"),
    ],
)
def test_a_newcomer_twilio_would_refuse_is_refused_before(given, sentence):
    with pytest.raises(Refused) as refusal:
        make_spec(**given)

    assert sentence in str(refusal.value)


def told(entries):
    return [(entry.line, entry.one.kind, entry.one.name, entry.one.attributes) for entry in entries]


def test_a_text_file_has_one_a_line_of_any_kind():
    content = b"# customers\n+15550100001\n\n whatsapp:+15550100002 \nalice\n"

    assert told(participant_file.read(content, proxy_address=PROXY)) == [
        (2, "sms", "+15550100001", ""),
        (4, "whatsapp", "whatsapp:+15550100002", ""),
        (5, "chat", "alice", ""),
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            'address,identity,channel,proxy_address,attributes\n+15550100001,,sms,+15550100099,"{""vip"": true}"\n'
            '+15550100002,,whatsapp,,\n\n+15550100003,,group,,\n,"Alice, of sales",,,\n',
            id="commas",
        ),
        pytest.param(
            "\ufeffAddress;Identity;Channel;Proxy_Address;Attributes\r\n+15550100001;;sms;+15550100099;"
            '"{""vip"": true}"\r\n+15550100002;;whatsapp;;\r\n;;;;\r\n+15550100003;;group;;\r\n;Alice, of sales;;;\r\n',
            id="semicolons, as Excel saves it",
        ),
    ],
)
def test_a_csv_has_columns(content):
    assert told(participant_file.read(content.encode(), proxy_address="+15550100098")) == [
        (2, "sms", "+15550100001", '{"vip":true}'),
        (3, "whatsapp", "whatsapp:+15550100002", ""),
        (5, "group", "+15550100003", ""),
        (6, "chat", "Alice, of sales", ""),
    ]


def test_every_bad_line_is_named_with_its_number():
    content = b"address,identity,channel\n+15550100001,,sms\nnobody,,sms\n,bob\n,+15550100002\n+15550100003,,fax\n,,\n"
    with pytest.raises(Refused) as refusal:
        participant_file.read(content, proxy_address=PROXY)

    assert str(refusal.value).splitlines() == [
        "3 of 5 lines cannot be used, so nobody was added:",
        "  line 3: 'nobody' is not a phone number; write it with + and the country code, like +15550100001",
        "  line 5: '+15550100002' is an address, not an identity; add it with --sms or --whatsapp",
        "  line 6: 'fax' is no channel; choose one of sms, whatsapp, chat, group",
    ]


def test_of_very_many_bad_lines_twenty_are_named():
    with pytest.raises(Refused, match=r"and 30 more$"):
        participant_file.read(b"+1\n" * 50, proxy_address=PROXY)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"adress,identity\n+15550100001,\n", "has a column 'adress'", id="unknown column"),
        pytest.param(b"channel,attributes\nsms,\n", "needs a header with a column", id="nobody in the header"),
        pytest.param(b"+15550100001,sms\n", "has several columns and no header names them", id="no header"),
        pytest.param(b"address,address\n+15550100001,\n", "names a column twice", id="column twice"),
        pytest.param(b'identity,attributes\nbob,{"a": 1, "b": 2}\n', "3 cells under 2 columns", id="unquoted JSON"),
        pytest.param(b'identity\n"bob\n', "line 2: this is not CSV", id="open quote"),
        pytest.param(b"identity\nJ\xf6rg\n", "is not UTF-8", id="Latin-1"),
        pytest.param(b"identity,channel\nbob,sms\n", "the column address must not be empty", id="sms without address"),
        pytest.param(b"address,channel\n+15550100001,chat\n", "into the column identity", id="chat with address"),
        pytest.param(b"address,identity\n+15550100001,bob\n", "add two participants", id="both"),
    ],
)
def test_a_csv_that_cannot_be_right_is_refused(content, sentence):
    with pytest.raises(Refused) as refusal:
        participant_file.read(content, proxy_address=PROXY)

    assert sentence in str(refusal.value)


def test_who_is_given_twice_is_added_once_but_not_with_two_sets_of_values():
    entries = participant_file.read(b"bob\nalice\nbob\n")
    other = participant_file.read(b'identity,attributes\nbob,"{""vip"": 1}"\n')

    assert told(participant_file.each_once(entries)) == [(1, "chat", "bob", ""), (2, "chat", "alice", "")]
    with pytest.raises(Refused, match=r"line 2, bob: given before with other values \(line 1, bob\)"):
        participant_file.each_once(entries + other)
