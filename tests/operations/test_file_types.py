"""Which files can be sent: their content says what they are, whatever their name is."""

import pytest

from app.operations.file_types import ending_of, fitting_name, must_fit, recognize
from app.operations.validation import Refused
from tests.support import sample_files as files


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(files.JPG, "image/jpeg", id="jpg"),
        pytest.param(files.PNG, "image/png", id="png"),
        pytest.param(files.GIF, "image/gif", id="gif"),
        pytest.param(b"GIF87a" + bytes(9), "image/gif", id="old gif"),
        pytest.param(files.PDF, "application/pdf", id="pdf"),
        pytest.param(files.VCARD, "text/vcard", id="vcard"),
        pytest.param(b"\xef\xbb\xbf\nbegin:vcard\nfn:Ann\nend:vcard", "text/vcard", id="vcard with a mark in front"),
        pytest.param(files.MP3, "audio/mpeg", id="mp3"),
        pytest.param(b"\xff\xfb\x90\x00" + bytes(9), "audio/mpeg", id="mp3 without tags"),
        pytest.param(files.AMR, "audio/amr", id="amr"),
        pytest.param(b"#!AMR-WB\n" + bytes(9), "audio/amr", id="wide amr"),
        pytest.param(files.MP4, "video/mp4", id="mp4"),
        pytest.param(b"\x00\x00\x00\x20ftypM4A " + bytes(9), "audio/mp4", id="sound in mp4"),
    ],
)
def test_a_file_is_known_by_its_content(content, content_type):
    assert recognize(content, "file").content_type == content_type


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"MZ\x90\x00", id="a program"),
        pytest.param(b"<html><body>404</body></html>", id="a web page"),
        pytest.param(b"PK\x03\x04", id="a document"),
        pytest.param(b"\x00\x00\x00\x20ftypheic", id="heic"),
        pytest.param(b"\x00\x00\x00\x20ftypqt  ", id="quicktime"),
        pytest.param(b"\xff\xfeh\x00i\x00", id="UTF-16"),
        pytest.param(b"BEGIN:VCARD\nFN:Ann", id="half a vcard"),
        pytest.param(b" %PDF-1.7", id="a PDF behind something"),
        pytest.param(b"RIFF\x00\x00\x00\x00WEBP", id="webp"),
    ],
)
def test_anything_else_is_refused_with_its_name(content):
    with pytest.raises(Refused, match=r"'photo\.jpg' is (none of JPG, PNG, GIF, PDF, vCard, MP3, AMR, MP4|empty);"):
        recognize(content, "photo.jpg")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("photo.JPEG", "photo.JPEG"),
        ("photo", "photo.jpg"),
        ("image.php", "image.php.jpg"),
        ("photo.png", "photo.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\photos\\cat.jpg", "cat.jpg"),
        ("bell\x07\u202egpj.jpg", "bellgpj.jpg"),
        ("..", "file.jpg"),
        ("", "file.jpg"),
        ("x" * 300 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_a_file_is_named_as_what_it_is(name, expected):
    assert fitting_name(name, recognize(files.JPG, name)) == expected


def test_a_name_that_claims_another_type_is_refused():
    with pytest.raises(Refused, match=r"'photo\.jpg' is named like a JPG but holds a PDF"):
        must_fit("photo.jpg", recognize(files.PDF, "photo.jpg"))


@pytest.mark.parametrize(
    ("content_type", "ending"),
    [
        ("audio/ogg; codecs=opus", ".ogg"),
        ("Audio/AMR", ".amr"),
        ("image/webp", ".webp"),
        ("video/3gpp;x=1", ".3gp"),
        ("text/x-vcard", ".vcf"),
        ("application/octet-stream", ""),
        ("", ""),
    ],
)
def test_a_file_without_a_name_ends_as_files_of_its_type_do(content_type, ending):
    assert ending_of(content_type) == ending
