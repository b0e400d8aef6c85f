"""The emulator as tests and the demo use it: started as a process of its own, driven by verbs."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

START_SECONDS = 60.0
_ROOT = Path(__file__).parents[2]
_READY = "Emulator ready on "


class Emulator:
    """A running emulator. Use `Emulator.start(...)`, or `Emulator(url)` for one that runs already."""

    def __init__(self, url: str, process: subprocess.Popen[str] | None = None) -> None:
        self.url = url.rstrip("/")
        self._process = process
        self._session = requests.Session()
        self._session.trust_env = False

    @classmethod
    def start(cls, **options: Any) -> Self:
        """Start an emulator with the options of `python -m app.emulator` (webhook_url=..., port=0 by default).

        A list gives a repeated option; True a switch. It ends with us, also when we are killed; Ctrl-C does not reach
        it. Raises RuntimeError when it does not come up.
        """
        arguments = _arguments({"port": 0, "until_stdin_closes": True} | options)
        process = subprocess.Popen(  # noqa: S603  our own
            [sys.executable, "-m", "app.emulator", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            start_new_session=True,
        )
        give_up = threading.Timer(START_SECONDS, process.kill)
        give_up.start()
        line = process.stdout.readline() if process.stdout else ""
        give_up.cancel()
        if not line.startswith(_READY):
            process.kill()
            process.wait()
            raise RuntimeError("the emulator did not start; its own output says why")
        return cls(line.removeprefix(_READY).strip(), process)

    def is_running(self) -> bool:
        """Whether the process that was started from here still runs."""
        return self._process is not None and self._process.poll() is None

    @classmethod
    def start_set_up(cls, **options: Any) -> Self:
        """Start an emulator that needs no set-up: what tests want that are about something else.

        Every number begins conversations, every well-formed template and messaging service is the account's, and there
        is no rate limit; all else is as strict as ever. `options` come on top.
        """
        return cls.start(**{"autocreate": True, "owned": ["HX", "MG"], "rate_limit": False} | options)

    def stop(self) -> None:
        """End the process, if it was started from here."""
        self._session.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def inbound(
        self,
        body: str | None = None,
        *,
        sender: str = "+15550100001",
        to: str = "+15550100099",
        channel: str = "sms",
        media: Sequence[Mapping[str, Any]] = (),
        service_sid: str | None = None,
    ) -> dict[str, Any]:
        """Let a customer write; return conversation_sid, message_sid, participant_sid and index."""
        said = {"channel": channel, "from": sender, "to": to, "body": body, "media": list(media)}
        return self.do("inbound", **said, service_sid=service_sid)

    def chat(self, conversation_sid: str, identity: str, body: str, attributes: Any = None) -> dict[str, Any]:
        """Let a chat client (a human agent, a web visitor) write; same answer as `inbound`.

        Without a conversation ("") it writes in the web chat of its own, which is opened if it must.
        """
        who = {"conversation_sid": conversation_sid, "identity": identity}
        return self.do("chat", **who, body=body, attributes=attributes)

    def adopt(self, form: Mapping[str, str]) -> str:
        """Make what a recorded onMessageAdded speaks of exist, with its SIDs; return the ConversationSid."""
        return str(self.do("adopt", form=dict(form))["conversation_sid"])

    def edit(self, message_sid: str, body: str, identity: str | None = None) -> dict[str, Any]:
        """Let a chat client edit a message."""
        return self.do("edit", message_sid=message_sid, body=body, identity=identity)

    def remove(self, message_sid: str, identity: str | None = None) -> dict[str, Any]:
        """Let a chat client delete a message."""
        return self.do("remove", message_sid=message_sid, identity=identity)

    def read(self, conversation_sid: str, identity: str, index: int) -> dict[str, Any]:
        """Let a chat client read up to a message."""
        return self.do("read", conversation_sid=conversation_sid, identity=identity, index=index)

    def look(self, participant: str) -> int:
        """Let a person look at the phone of an address or the web chat of an identity; return how much became read."""
        return int(self.do("look", participant=participant)["moved"])

    def messages(self, conversation_sid: str | None = None, participant: str | None = None) -> list[dict[str, Any]]:
        """Return all messages as stored, oldest first; or those where an address or identity takes part."""
        return self._list("messages", conversation_sid=conversation_sid, participant=participant)

    def replies(self, author: str = "support-bot") -> list[str]:
        """Return what an author has written, oldest first."""
        return [message["body"] for message in self.messages() if message["author"] == author]

    def counts(self, author: str | None = None) -> dict[str, int]:
        """Return the numbers of messages (of one author, if given), webhooks, requests and what is outstanding."""
        return self._get("counts", author=author)

    def webhooks(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """Return every webhook post made, with the answer it got."""
        return [post for post in self._list("webhooks") if event_type in (None, post["event_type"])]

    def requests(self) -> list[dict[str, Any]]:
        """Return every REST request seen: method, path, query and form as lists of [name, value], status."""
        return self._list("requests")

    def settle(self, timeout: float = 60.0) -> bool:
        """Wait until no webhook post and no receipt is outstanding; False when `timeout` ran out."""
        return bool(self.do("settle", timeout=timeout)["settled"])

    def reset(self) -> None:
        """Empty the account and end all faults."""
        self.do("reset")

    def faults(self, **wanted: Any) -> dict[str, Any]:
        """Put these faults in force and end all others."""
        return self.do("faults", **wanted)

    def faults_in_force(self) -> dict[str, Any]:
        """Return the faults in force, with what is left of the counted ones."""
        return self._get("faults")

    def advance(self, seconds: float) -> str:
        """Move the emulator's clock forward; return its time."""
        return str(self.do("clock", advance_seconds=seconds)["now"])

    def carrier(self, address: str, *, error_code: int | None = None, status: str | None = None) -> None:
        """Let later messages to an address end so; without code and status, in the ordinary way again."""
        self.do("carrier", address=address, error_code=error_code, status=status)

    def carriers(self) -> dict[str, dict[str, Any]]:
        """Return the status and error code that messages end with, for each address that was given an end."""
        return dict(self._get("carrier")["addresses"])

    def point_at(self, webhook_url: str, public_url: str = "") -> None:
        """Set the global webhook, as the options of the same names do."""
        self.do("target", webhook_url=webhook_url, public_url=public_url)

    def number(self, phone_number: str, sms_url: str = "") -> None:
        """Let the account own a number, with a classic SMS webhook or without."""
        self.do("number", phone_number=phone_number, sms_url=sms_url)

    def post(self, form: Mapping[str, str], *, method: str | None = None, url: str | None = None) -> dict[str, Any]:
        """Sign and post a form as it is; return the receiver's status, error and body."""
        return self.do("webhook", form=dict(form), method=method, url=url)

    def do(self, control: str, **said: Any) -> dict[str, Any]:
        """Call the control API; raise RuntimeError with its sentence when it refuses."""
        response = self._session.post(f"{self.url}/_emulator/{control}", json=said, timeout=120)
        return _read(response)

    def _list(self, control: str, **query: str | None) -> list[dict[str, Any]]:
        return list(self._get(control, **query)[control])

    def _get(self, control: str, **query: str | None) -> dict[str, Any]:
        response = self._session.get(f"{self.url}/_emulator/{control}", params=query, timeout=120)
        return _read(response)


def _read(response: requests.Response) -> dict[str, Any]:
    document: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        document = response.json()
    if not response.ok:
        raise RuntimeError(f"the emulator answered {response.status_code}: {document.get('message', '')}")
    return document


def _arguments(options: Mapping[str, Any]) -> list[str]:
    arguments = []
    for name, value in options.items():
        flag = "--" + {"numbers": "number"}.get(name, name).replace("_", "-")
        values = value if isinstance(value, list | tuple) else [value]
        for item in values:
            if item is True:
                arguments.append(flag)
            elif item is False and name == "rate_limit":
                arguments.append("--no-rate-limit")
            elif item is not None and item is not False:
                arguments += [flag, str(item)]
    return arguments
