"""Lists of people as programs, telephones and people save them: read as what they are, or refused in one sentence."""

import codecs

import pytest

from app.operations import participant_file
from app.operations.list_format import decode
from app.operations.validation import Refused

PROXY = "+15550100099"
PHONE = "+15550100001"
TWO = [("sms", PHONE), ("chat", "bob")]


def read(content):
    found = participant_file.read(content if isinstance(content, bytes) else content.encode(), proxy_address=PROXY)
    return [(entry.one.kind, entry.one.name) for entry in found]


@pytest.mark.parametrize(
    ("content", "people"),
    [
        pytest.param(
            '"address","channel"\r\n"+15550100001","WhatsApp"\r\n',
            [("whatsapp", f"whatsapp:{PHONE}")],
            id="all in quotes",
        ),
        pytest.param('"Address"\n"+15550100001"\n', [("sms", PHONE)], id="one column in quotes"),
        pytest.param("address;identity;;\r\n+15550100001;;;\r\n;bob\r\n", TWO, id="trailing semicolons"),
        pytest.param("address,identity\n+15550100001,,,\n,bob,\n", TWO, id="trailing commas below the header only"),
        pytest.param("sep=;\r\naddress;identity\r\n+15550100001;\r\n;bob\r\n", TWO, id="sep= of Excel"),
        pytest.param("# from the CRM\n\nidentity,address\n,+15550100001\nbob,\n", TWO, id="a remark above"),
        pytest.param(
            "\u200eAddress\u200e,Proxy-Address , Identity\n\u202a+1 555 010 0001\u202c,,\n,,bob\n",
            TWO,
            id="marks in cells",
        ),
        pytest.param("Proxy Address\tAddress\n+15550100098\t+15550100001\n", [("sms", PHONE)], id="tabs"),
        pytest.param(f"{PHONE}\nbob\n", TWO, id="text"),
        pytest.param("\u202a+15550100001\u202c\n\u200fbob\u200f\n", TWO, id="text with marks"),
        pytest.param('"+15550100001"\n"bob"\n', TWO, id="text in quotes"),
        pytest.param("TEL:+1-555-010-0001\nbob", TWO, id="tel: as in links"),
        pytest.param("WhatsApp:+15550100001\n", [("whatsapp", f"whatsapp:{PHONE}")], id="WhatsApp with capitals"),
        pytest.param("0015550100001\nbob", TWO, id="00 for the plus"),
        pytest.param("bob\n+15550100001", [("chat", "bob"), ("sms", PHONE)], id="an identity first"),
        pytest.param(
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301", [("chat", "3f2504e0-4f89-11d3-9a0c-0305e82c3301")], id="UUID"
        ),
        pytest.param("identity\n4711\n", [("chat", "4711")], id="digits under a header that says identity"),
    ],
)
def test_a_list_is_read_as_what_it_is(content, people):
    assert read(content) == people


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + f"address\n{PHONE}".encode(),
        codecs.BOM_UTF16_LE + f"Address\tIdentity\r\n{PHONE}\t\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + f'"address"\n{PHONE}\n'.encode("utf-16-be"),
        f"address\r\n{PHONE}\r\n".encode("utf-16-le"),
        f"{PHONE}\n".encode("utf-16-be"),
    ],
    ids=["UTF-8 with its mark", "Unicode text of Excel", "UTF-16, big end first", "no mark", "no mark, big end first"],
)
def test_a_list_is_read_in_the_encodings_that_programs_save(content):
    assert read(content) == [("sms", PHONE)]


LETTERS = "has no letter, so it is rather a number without its country; write it with + and the country code"
REFUSED = [
    pytest.param(
        "15550100001\n15550100002\n", [f"line 1: '15550100001' {LETTERS}", "line 2: "], id="numbers without plus"
    ),
    pytest.param("(0555) 010-0001", [LETTERS], id="a number at home"),
    pytest.param(
        "BEGIN:VCARD\r\nFN:Ann Example\r\nTEL:+15550100001\r\nEND:VCARD\r\n",
        ["line 1: this is a vCard, not a list"],
        id="vCard",
    ),
    pytest.param(f"bob\n\nbegin:vcard\nTEL:{PHONE}\nend:vcard", ["line 3: this is a vCard"], id="vCard below"),
    pytest.param(
        "Given Name,Family Name,Phone 1 - Value\nAnn,Example,+1 555-010-0001 ::: +1 555-010-0002\n",
        ["line 1: of the columns 'Given Name', 'Family Name', 'Phone 1 - Value' none is called address or identity"],
        id="CSV of a CRM",
    ),
    pytest.param(
        "Phone Number\n+15550100001\n",
        ["line 1: 'Phone Number' looks like a header; call it address"],
        id="a header alone",
    ),
    pytest.param(
        "Рассылка\n+15550100001\n+15550100002\n",
        ["line 1: 'Рассылка' looks like a header"],
        id="a name above numbers alone",
    ),
    pytest.param(
        "+15550100001;Ann\n", ["line 1: '+15550100001;Ann': it has several columns and no header"], id="no header"
    ),
    pytest.param(
        "Ann +1 555-010-0001\n", ["'Ann +1 555-010-0001' is more than a number"], id="a name before the number"
    ),
    pytest.param("messenger:7777777777\n", ["is an address of a channel that nobody can be added by"], id="Messenger"),
    pytest.param(
        "US.13491208655302741918\n", ["is an address of a channel that nobody can"], id="WhatsApp's id of a user"
    ),
    pytest.param("", ["the list names nobody: it is empty; write one number"], id="empty"),
    pytest.param("    \n# nobody yet\n", ["it is empty"], id="remarks alone"),
    pytest.param(codecs.BOM_UTF16_LE, ["it is empty"], id="a mark alone"),
    pytest.param("address;identity\n;\n", ["it has a header and no line below it"], id="a header and nothing"),
    pytest.param(
        "address;;\n+15550100001;;Ann\n", ["line 2: 3 cells under 1 columns"], id="more than the header names"
    ),
    pytest.param(
        "address;;identity\n;Ann;bob\n",
        ["line 2: 'Ann' stands in a column without a name"],
        id="a column without a name",
    ),
    pytest.param(b"PK\x03\x04rest", ["is a spreadsheet or another ZIP file; save it as CSV"], id="xlsx"),
    pytest.param(b"\x00\x01\x02\x00", ["the list is not text"], id="binary"),
    pytest.param(codecs.BOM_UTF16_LE + b"+\x001", ["the list is not UTF-16 (byte 4); save it as UTF-8"], id="cut off"),
    pytest.param(
        "+999999999999", ["line 1: '+999999999999' cannot be a phone number: no country has its code"], id="no country"
    ),
]


@pytest.mark.parametrize(("content", "sentences"), REFUSED)
def test_what_is_no_list_of_people_is_refused_and_nobody_is_taken_for_a_chat_identity(content, sentences):
    with pytest.raises(Refused) as refusal:
        read(content)

    assert [sentence for sentence in sentences if sentence not in str(refusal.value)] == []


@pytest.mark.parametrize(("content", "_sentences"), REFUSED[::3])
@pytest.mark.parametrize("name", ["people.csv", "-"])
def test_the_command_says_the_same_of_a_file_of_any_name_and_of_standard_input(
    app, tmp_path, content, _sentences, name
):
    content = content if isinstance(content, bytes) else content.encode()
    path = tmp_path / name if name != "-" else "-"
    (tmp_path / name).write_bytes(content)
    command = ["participants", "add", "CH" + "0" * 32, "--file", str(path), "--proxy-address", PROXY]
    result = app.test_cli_runner().invoke(args=command, input=content)

    with pytest.raises(Refused) as refusal:
        read(content)
    called = "standard input" if name == "-" else str(path)
    assert (result.exit_code, f"{called}: {refusal.value}" in result.output) == (1, True)


def test_a_byte_that_is_no_text_is_named():
    with pytest.raises(Refused, match=r"not UTF-8 \(byte 1\)"):
        decode(b"J\xf6rg")
