"""What the bot knows equals what Twilio has, whoever changes what by whichever road, in whatever order it is told."""

import json
import random
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from app.db.tables import conversations, participants
from app.recordings.files import RecordedRequest
from app.runtime.from_settings import make_conversations
from tests.support.mirror import differences
from tests.support.webhook_receiver import Receiver

SLOW = pytest.mark.slow, pytest.mark.timeout(900)
RUNS = [(1, 40), *(pytest.param(seed, 200, marks=SLOW) for seed in (2, 3, 4))]  # seed, and number of changes
FORM = "application/x-www-form-urlencoded"
OPEN = 4  # conversations at a time
TOLD = {"x_twilio_webhook_enabled": "true"}  # as a client's change: with a webhook


@pytest.fixture
def receiver(emulator) -> Iterator[Receiver]:
    """Who takes the webhooks in the app's place and keeps them for later."""
    found = Receiver()
    emulator.point_at(found.url, "https://bot.example.com")
    yield found
    found.close()


class World:
    """Random changes of an account, by our commands and by others; webhooks arrive late, twice and in any order."""

    def __init__(self, seed, run, client, emulator, receiver, deliver, run_worker) -> None:
        self.random = random.Random(seed)
        self.client, self.v1 = client, client.conversations.v1
        self.run, self.emulator, self.receiver = run, emulator, receiver
        self.deliver, self.run_worker = deliver, run_worker
        self.late: list[dict[str, str]] = []
        self.made = 0

    def change(self) -> None:
        """Make one change that fits what there is."""
        here = [one for one in self.v1.conversations.list() if one.state != "closed"]
        if len(here) < OPEN:
            return self._pick([self._create, self._desk_creates, self._customer_writes])()
        one = self._pick(here)
        people = one.participants.list()
        acts = [self._name, self._desk_names, self._set, self._merge, self._desk_sets, self._add, self._desk_adds]
        if people:
            acts += [self._set_of, self._desk_sets_of, self._reads, self._gives_role, self._remove, self._desk_removes]
        if self.random.random() < 0.2:
            acts += [self._close, self._desk_closes, self._delete, lambda it, _who: self._desk_deletes(it, None)]
        return self._pick(acts)(one, self._pick(people) if people else None)

    def some_arrive(self) -> None:
        """Let some webhooks arrive that were fired so far, in any order, some of them twice, and work them off."""
        assert self.emulator.settle()
        self.late += self.receiver.take()
        self.random.shuffle(self.late)
        arriving, self.late = self.late[: len(self.late) // 2], self.late[len(self.late) // 2 :]
        self._deliver(arriving + [form for form in arriving if self.random.random() < 0.1])

    def all_arrive(self) -> None:
        """Let everything arrive that is still under way."""
        for _ in range(3):  # what the bot does then may be told as well
            assert self.emulator.settle()
            arriving, self.late = self.late + self.receiver.take(), []
            self.random.shuffle(arriving)
            self._deliver(arriving)

    def _deliver(self, forms: list[dict[str, str]]) -> None:
        for form in forms:
            body = urlencode(form).encode()
            request = RecordedRequest("POST", "/conversations/webhook", {"Content-Type": FORM}, body)
            assert self.deliver(request).status_code == 204
        self.run_worker()

    def _pick(self, things):
        return self.random.choice(things)

    def _attributes(self) -> str:
        keys = self.random.sample(["tier", "role", "vip", "note"], self.random.randint(0, 3))
        return json.dumps({key: self._pick(["gold", "agent", True, 7, {"deep": [1]}]) for key in keys})

    def _number(self) -> str:
        self.made += 1
        return f"{self.made:04}"

    def _create(self) -> None:
        self.run("conversations", "create", "--attributes", self._attributes(), "--identity", f"chat-{self._number()}")

    def _desk_creates(self) -> None:
        self.v1.conversations.create(friendly_name=self._number(), attributes=self._attributes(), **TOLD)

    def _customer_writes(self) -> None:
        self.emulator.inbound("hello", sender=f"+1555010{self._number()}")

    def _name(self, one, _who) -> None:
        self.run("conversations", "update", one.sid, "--friendly-name", self._number(), "--unique-name", self._number())

    def _desk_names(self, one, _who) -> None:
        one.update(friendly_name=self._number(), **TOLD)

    def _set(self, one, _who) -> None:
        self.run("conversations", "attributes", "set", one.unique_name or one.sid, self._attributes())

    def _merge(self, one, _who) -> None:
        self.run("conversations", "attributes", "merge", one.sid, self._attributes())

    def _desk_sets(self, one, _who) -> None:
        one.update(attributes=self._attributes(), **TOLD)

    def _add(self, one, _who) -> None:
        who = ("--identity", f"chat-{self._number()}", "--attributes", self._attributes())
        self.run("participants", "add", one.sid, *who)

    def _desk_adds(self, one, _who) -> None:
        one.participants.create(identity=f"chat-{self._number()}", attributes=self._attributes(), **TOLD)

    def _set_of(self, one, who) -> None:
        verb = self._pick(["set", "merge"])
        self.run("participants", "attributes", verb, one.sid, who.sid, self._attributes())

    def _desk_sets_of(self, _one, who) -> None:
        who.update(attributes=self._attributes(), **TOLD)

    def _gives_role(self, one, who) -> None:
        roles = self.v1.services(one.chat_service_sid).roles.list()
        role = self._pick([role.sid for role in roles if role.type == "conversation"])
        self.run("participants", "update", one.sid, who.sid, "--role-sid", role)

    def _reads(self, one, who) -> None:
        if who.identity:
            self.emulator.read(one.sid, who.identity, self.random.randint(0, 50))

    def _remove(self, one, who) -> None:
        self.run("participants", "remove", one.unique_name or one.sid, who.sid, "--yes")

    def _desk_removes(self, one, who) -> None:
        self._desk_deletes(one, who)

    def _close(self, one, _who) -> None:
        self.run("conversations", "close", one.unique_name or one.sid, "--yes")

    def _desk_closes(self, one, _who) -> None:
        one.update(state="closed", **TOLD)

    def _delete(self, one, _who) -> None:
        self.run("conversations", "delete", one.sid, "--yes")

    def _desk_deletes(self, one, who) -> None:
        """Delete a participant, or all; the SDK (9.13) leaves the header out where it deletes."""
        path = f"/v1/Conversations/{one.sid}" + (f"/Participants/{who.sid}" if who else "")
        url = f"https://conversations.twilio.com{path}"
        assert self.client.request("DELETE", url, headers={"X-Twilio-Webhook-Enabled": "true"}).status_code == 204


@pytest.fixture
def client(app):
    """The SDK's client of others, of whose changes nobody tells us but webhooks."""
    return make_conversations(app.extensions["parley"].settings, None).ask(lambda client: client)


@pytest.fixture
def world(flask_command, client, emulator, receiver, deliver, run_worker) -> Callable[[int], World]:
    return lambda seed: World(seed, flask_command, client, emulator, receiver, deliver, run_worker)


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def in_doubt(db):
    """Return what is to be asked for at Twilio before the next decision."""

    def read():
        with db.read() as tx:
            keys = (conversations.c.conversation_sid, conversations), (participants.c.participant_sid, participants)
            return {sid for key, table in keys for sid in tx.scalars(select(key).where(table.c.fetch_due))}

    return read


@pytest.mark.parametrize(("seed", "changes"), RUNS)
def test_after_random_changes_a_second_apart_the_bot_knows_what_twilio_has(seed, changes, world, passes, db, client):
    account = world(seed)
    for number in range(changes):
        account.change()
        passes(1.5)
        if number % 5 == 0:
            account.some_arrive()
    account.all_arrive()

    assert differences(db, client) == []  # who has left before a message of theirs arrived may be asked for again


@pytest.mark.parametrize(("seed", "changes"), RUNS)
def test_after_random_changes_at_once_the_bot_knows_it_or_knows_that_it_must_ask(
    seed, changes, world, db, client, in_doubt, flask_command, passes
):
    account = world(seed)
    for number in range(changes):
        account.change()
        if number % 5 == 0:
            account.some_arrive()
    account.all_arrive()

    asks_for = in_doubt()
    assert [line for line in differences(db, client) if line.split(":")[0] not in asks_for] == []
    passes(120)
    flask_command("reconcile", "--per-second", "100")
    assert differences(db, client) == []
