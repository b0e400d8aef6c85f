"""Every operator command runs, and every request it makes is one that Twilio describes."""

import shlex

import pytest

from tests.support import operator_commands
from tests.support.described_requests import DESCRIPTION, faults, operations_beyond, our_operations, twilios_operations
from tests.support.operator_commands import LINES, LOCAL, World
from tests.support.our_commands import OURS
from tests.support.webhook_receiver import sdk_client

pytestmark = pytest.mark.engines("sqlite")

OPERATOR_COMMANDS = sorted(name for name in OURS if name.split()[0] not in LOCAL)
MAY_ASK_NOTHING = ("conversations pause", "conversations resume", "tokens create")
PNG = {"content_type": "image/png", "filename": "a.png", "size": 100}
PROBLEMS = 1  # the exit code of `doctor` and `setup` in an account that no app serves


@pytest.fixture
def environ(environ, free_port):
    key = {"TWILIO_API_KEY": "SK" + "1" * 32, "TWILIO_API_SECRET": "0123456789abcdef" * 2}
    return environ | key | {"PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}


@pytest.fixture
def world(emulator, tmp_path, monkeypatch):
    """An account in which everything exists that a command line may name; the working directory has the files."""
    monkeypatch.chdir(tmp_path)
    world = World(emulator, sdk_client(emulator.url).conversations.v1)
    operator_commands.stage(world, emulator.inbound("hello", media=[PNG]), tmp_path)
    return world


@pytest.fixture
def run_line(app, world):
    """Run a command line and return the requests it made."""

    def run(line):
        operator_commands.prepare(world, line)
        before = len(world.emulator.requests())
        result = app.test_cli_runner().invoke(args=world.arguments(line), input="y\n")
        allowed = (0, PROBLEMS) if line.startswith(("doctor", "setup")) else (0,)
        assert result.exit_code in allowed, result.output + repr(result.exception)
        return world.emulator.requests()[before:]

    return run


@pytest.fixture(scope="session")
def described():
    """What Twilio describes of Conversations; where its description is absent, our own list."""
    return (twilios_operations() if DESCRIPTION.exists() else our_operations()) + operations_beyond()


def command_of(line):
    return max((name for name in OURS if f"{line} ".startswith(f"{name} ")), key=len, default="")


def takes_a_service(line):
    return "--service" not in line and any(option.name == "service_sid" for option in OURS[command_of(line)].params)


EXAMPLES = sorted(
    {
        line.strip().removeprefix("Example: flask ")
        for command in OURS.values()
        for line in (command.help or "").splitlines()
        if line.strip().startswith("Example: flask ")
    }
)
OPERATORS_EXAMPLES = [line for line in EXAMPLES if command_of(line) in OPERATOR_COMMANDS and "--follow" not in line]
IN_A_SERVICE = [f"{line} --service IS..." for line in LINES if takes_a_service(line)]


@pytest.mark.parametrize("line", [*LINES, *IN_A_SERVICE], ids=lambda line: f"{line[:50]}..{line[-20:]}")
def test_every_request_of_a_command_is_one_that_twilio_describes(run_line, described, line):
    requests = run_line(line)

    assert [fault for request in requests for fault in faults(described, request)] == []
    assert requests or command_of(line) in MAY_ASK_NOTHING


@pytest.mark.parametrize("line", OPERATORS_EXAMPLES, ids=lambda line: line[:70])
def test_the_examples_of_every_operator_command_run(run_line, described, line):
    requests = run_line(line)

    assert [fault for request in requests for fault in faults(described, request)] == []


@pytest.mark.parametrize("line", EXAMPLES, ids=lambda line: line[:70])
def test_the_examples_of_every_command_are_understood(tmp_path, monkeypatch, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "rules.toml").touch()
    name = command_of(line)
    context = OURS[name].make_context(name, shlex.split(line)[len(name.split()) :])

    assert context.command is OURS[name]


@pytest.mark.parametrize("command", OPERATOR_COMMANDS)
def test_every_operator_command_is_run_here(command):
    assert command in {command_of(line) for line in LINES}


@pytest.mark.parametrize("operation", our_operations(), ids=lambda one: f"{one.method} {one.path}")
def test_our_own_list_says_nothing_that_twilio_does_not(operation):
    if not DESCRIPTION.exists():
        pytest.skip("Twilio's OpenAPI description is not part of this checkout; our own list was used instead")
    (twilios,) = [one for one in twilios_operations() if (one.method, one.path) == (operation.method, operation.path)]

    assert set(operation.parameters) <= set(twilios.parameters)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"path": "/v1/Conversation"}, "there is no such operation"),
        ({"method": "DELETE"}, "there is no such operation"),
        ({"form": [["FriendlyNam", "x"]]}, "FriendlyNam is no parameter"),
        ({"query": [["Limit", "1"]]}, "Limit is no parameter"),
        ({"form": [["State", "open"]]}, "State='open' is not one of ['initializing', 'inactive', 'active', 'closed']"),
        ({"form": [["MessagingServiceSid", "MG1"]]}, "MessagingServiceSid='MG1' does not match ^MG[0-9a-fA-F]{32}$"),
        ({"form": [["UniqueName", "a"], ["UniqueName", "b"]]}, "UniqueName is given 2 times"),
        ({"path": "/v1/Services"}, "FriendlyName is missing"),
        ({"form": [["DateCreated", "today"]]}, "DateCreated='today' is not of type date-time"),
    ],
    ids=["path", "method", "form", "query", "enum", "pattern", "twice", "missing", "date"],
)
def test_a_request_that_is_not_as_described_is_found(change, fault):
    if not DESCRIPTION.exists():
        pytest.skip("Twilio's OpenAPI description is not part of this checkout")
    request = {"method": "POST", "path": "/v1/Conversations", "query": [], "form": []} | change

    assert fault in " ".join(faults(twilios_operations(), request))
