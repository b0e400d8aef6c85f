"""Conversations of each kind of channel, and files to send into them."""

import pytest

SMS, PROXY = "+15550100001", "+15550100099"
WHATSAPP, SENDER = f"whatsapp:{SMS}", f"whatsapp:{PROXY}"


@pytest.fixture
def chat(account):
    """A conversation in which people only chat."""
    return new_conversation(account, {"identity": "ann"})


@pytest.fixture
def sms(account):
    """A conversation with a customer on SMS."""
    return new_conversation(account, {"messaging_binding_address": SMS, "messaging_binding_proxy_address": PROXY})


@pytest.fixture
def whatsapp(emulator):
    """A conversation that a customer began on WhatsApp just now."""
    return emulator.inbound("hello", sender=WHATSAPP, to=SENDER, channel="whatsapp")["conversation_sid"]


@pytest.fixture
def group(account):
    """A group MMS of two, with our own number."""
    return new_conversation(
        account,
        {"messaging_binding_address": SMS},
        {"messaging_binding_address": "+15550100002"},
        {"messaging_binding_projected_address": PROXY},
    )


def new_conversation(account, *participants):
    """Return the SID of a new conversation with these participants."""

    def create(v1):
        sid = v1.conversations.create(unique_name="order-7").sid
        for one in participants:
            v1.conversations(sid).participants.create(**one)
        return sid

    return account.ask(create)


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def refuse(refused):
    return lambda *arguments: refused("messages", "send", *arguments)


@pytest.fixture
def send(flask_command):
    return lambda *arguments: flask_command("messages", "send", *arguments)


def said(emulator, conversation):
    """Return who said what with which files, the oldest first."""
    return [
        (one["author"], one["body"], [file["filename"] for file in one["media"] or []])
        for one in emulator.messages(conversation)
    ]
