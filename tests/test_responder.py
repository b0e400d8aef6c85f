"""What a responder may be and may return: faults name the next step, at the start and not when a customer writes."""

import sys
from types import ModuleType

import pytest

from app import config, create_app
from app.responder import Reply, ResponderError, checked_reply, load
from app.runtime.from_settings import responder_problems
from tests.support.gunicorn_process import launch

pytestmark = pytest.mark.engines("sqlite")


async def sends_later(message, context):
    return "later"


class Chatty:
    def __call__(self, message, context):
        return "from an object"

    async def later(self, message, context):
        return "later"


NAMES = {
    "answer": lambda message, context: "from a function",
    "with_more": lambda message, context, model="small": model,
    "short": lambda message: "too few",
    "chatty": Chatty(),
    "text": "not a function",
    "sends_later": sends_later,
}


@pytest.fixture
def our_module(monkeypatch):
    module = ModuleType("our_responder")
    vars(module).update(NAMES)
    monkeypatch.setitem(sys.modules, "our_responder", module)


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("our_responder:answer", "from a function", id="function"),
        pytest.param("our_responder:with_more", "small", id="more parameters with defaults"),
        pytest.param("our_responder:chatty", "from an object", id="object that can be called"),
        pytest.param("our_responder:chatty.__call__", "from an object", id="method"),
    ],
)
def test_whatever_takes_a_message_and_a_context_can_be_a_responder(our_module, name, text):
    assert load(name)(None, None) == text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("not_there:answer", 'there is no module "not_there"; put not_there.py beside', id="no module"),
        pytest.param("json.not_there:answer", 'there is no module "json.not_there"', id="no submodule"),
        pytest.param(
            "our_responder:reply", 'the module our_responder has no "reply"; write the name', id="no function"
        ),
        pytest.param("our_responder:text", "is str, not a function; name one that takes", id="not a function"),
        pytest.param(
            "our_responder:short", "cannot be called with (message, context); let it take", id="one parameter"
        ),
        pytest.param("our_responder:sends_later", "is async; name a plain function", id="async function"),
        pytest.param("our_responder:chatty.later", "is async; name a plain function", id="async method"),
    ],
)
def test_what_cannot_be_a_responder_is_named_with_the_next_step(our_module, name, sentence):
    assert [sentence in fault for fault in faults_of(name)] == [True]


def faults_of(name):
    settings = config.from_environment({"BOT_RESPONDER": name})
    faults = responder_problems(settings)
    assert all(fault.startswith(f"BOT_RESPONDER {name}: ") for fault in faults)
    return faults


def test_a_library_that_the_module_needs_is_named(write_module):
    write_module("needs_more", "import not_installed_here\n")

    assert faults_of("needs_more:answer") == [
        'BOT_RESPONDER needs_more:answer: needs_more imports "not_installed_here", which is not there; install it'
    ]


def test_a_module_that_breaks_while_it_is_imported_is_named_without_its_words(write_module):
    write_module("breaks", "def connect():\n    raise ValueError('key 1234')\n\nconnect()\n")

    assert faults_of("breaks:answer") == [
        "BOT_RESPONDER breaks:answer: importing breaks failed: ValueError at breaks.py:2 in connect; correct it"
    ]


@pytest.mark.parametrize("value", ["my_responder", "my_responder.answer", ":answer", "my responder:answer", "a:b:c"])
def test_a_setting_of_another_shape_is_a_fault(value):
    (fault,) = config.from_environment({"BOT_RESPONDER": value}).problems

    assert fault.startswith(f"BOT_RESPONDER is {value!r}; write module:function, e.g. my_responder:answer")


def test_making_the_app_never_refuses_a_responder(environ):
    assert create_app(config.from_environment(environ | {"BOT_RESPONDER": "not_there:answer"})) is not None


def test_the_worker_refuses_a_responder_that_is_not_there(environ):
    app = create_app(config.from_environment(environ | {"BOT_RESPONDER": "not_there:answer"}))
    result = app.test_cli_runner().invoke(args=["worker", "--drain"])

    assert result.exit_code == 1
    assert 'BOT_RESPONDER not_there:answer: there is no module "not_there"' in result.output


def test_gunicorn_refuses_a_responder_that_is_not_there(environ, tmp_path):
    process = launch(environ | {"BOT_RESPONDER": "not_there:answer"}, tmp_path / "output")

    assert process.wait(60) == 1
    assert 'BOT_RESPONDER not_there:answer: there is no module "not_there"' in (tmp_path / "output").read_text()


@pytest.mark.parametrize(
    ("returned", "reply"),
    [
        pytest.param(" Hello. ", Reply("Hello."), id="text"),
        pytest.param(Reply("Hello."), Reply("Hello."), id="reply"),
        pytest.param(Reply(media="menu.pdf"), Reply(media="menu.pdf"), id="media alone"),
        pytest.param(Reply(hand_over=True), Reply(hand_over=True), id="hand-over without a word"),
        pytest.param(None, None, id="no answer"),
        pytest.param("  \n", None, id="blank text"),
        pytest.param(Reply(), None, id="empty reply"),
        pytest.param("x" * 16_000, Reply("x" * 16_000), id="as long as it may be"),
    ],
)
def test_a_text_a_reply_or_nothing_may_be_returned(returned, reply):
    assert checked_reply(returned) == reply


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        pytest.param(42, "returned int; return a Reply, a text or None", id="number"),
        pytest.param(("Hello.", True), "returned tuple", id="tuple"),
        pytest.param(Reply(b"Hello."), "returned Reply with text bytes", id="bytes in a reply"),
        pytest.param("x" * 16_001, "returned 16001 characters; 16000 are the most", id="too long"),
    ],
)
def test_anything_else_is_refused_without_its_words(returned, sentence):
    with pytest.raises(ResponderError, match=sentence):
        checked_reply(returned)
