"""`flask messages media download`: all files of a message, in one folder and nowhere else."""

import json

import pytest

from tests.support import sample_files as files


def inbound_files(emulator, *names):
    media = [{"content_type": "image/jpeg", "filename": name, "content": "/9j/4A=="} for name in names]
    message = emulator.inbound(None, media=media)
    return message["conversation_sid"], message["message_sid"]


@pytest.mark.parametrize(
    ("filename", "ending"),
    [
        pytest.param("photo.jpg", "-photo.jpg", id="a plain name"),
        pytest.param("../../../etc/passwd", "-passwd", id="folders"),
        pytest.param("..\\..\\boot.ini", "-boot.ini", id="folders of another kind"),
        pytest.param("/etc/cron.d/x", "-x", id="an absolute path"),
        pytest.param("a\nb;rm -rf ~.jpg", "-a_b_rm_-rf__.jpg", id="odd letters"),
        pytest.param("..", ".jpg", id="dots"),
        pytest.param(None, ".jpg", id="none"),
    ],
)
def test_a_downloaded_file_stays_in_its_folder_whatever_its_sender_called_it(
    emulator, flask_command, tmp_path, filename, ending
):
    conversation, message_sid = inbound_files(emulator, filename)
    out = tmp_path / "inner" / "saved"
    flask_command("messages", "media", "download", conversation, message_sid, "--out", str(out))

    (media,) = emulator.messages(conversation)[0]["media"]
    assert [path.name for path in out.iterdir()] == [media["sid"] + ending]
    assert (out / (media["sid"] + ending)).read_bytes() == files.JPG[:4]


def test_all_files_of_a_message_are_saved(emulator, flask_command, tmp_path):
    conversation, message_sid = inbound_files(emulator, "a.jpg", "b.jpg")
    command = ["messages", "media", "download", conversation, message_sid, "--out", str(tmp_path), "--json"]
    saved = json.loads(flask_command(*command))

    assert [(one["filename"], one["size"]) for one in saved] == [("a.jpg", 4), ("b.jpg", 4)]


def test_a_message_without_media_says_so(emulator, flask_command):
    message = emulator.inbound("hi")
    names = [message["conversation_sid"], message["message_sid"]]

    assert "has no media" in flask_command("messages", "media", "download", *names)


def test_a_folder_that_cannot_be_made_is_named(emulator, refused, tmp_path):
    (tmp_path / "taken").write_text("a file")
    names = inbound_files(emulator, "a.jpg")

    assert "choose another --out" in refused(
        "messages", "media", "download", *names, "--out", str(tmp_path / "taken" / "saved")
    )
