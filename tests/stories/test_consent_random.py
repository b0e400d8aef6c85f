"""Whatever is said, decided, erased and renamed, on whatever channel: nothing automatic reaches who wants silence."""

from collections import defaultdict
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.db.consent_tables import consent_ledger

pytestmark = pytest.mark.engines("sqlite")
RULES = """
[bot]
opt_out_per_channel = {apart}
reply_budget = {{ count = 1000, per = "1d" }}
repeated_text = 0

[[rule]]
name = "still there"
when = {{ unanswered_for = "15m" }}
reply = "We have not forgotten you."

[[rule]]
name = "greet"
reply = "Hi."
"""
WISH, WISHES_AND_WRITES = "please stop texting me", ("please stop texting me", "hello")
# What somebody says in one go, before anything of it is worked on.
SAID = [
    ("hello",),
    ("STOP",),
    ("START",),
    (WISH,),
    ("hello", "STOP"),
    ("STOP", "hello"),
    ("hello", WISH),
    ("START", "hello"),
    ("STOP", "START"),
    WISHES_AND_WRITES,
]
FORMS = {
    "mexico": ("+521{n:010}", "+52{n:010}", "whatsapp:+521{n:010}", "whatsapp:+52{n:010}", "rcs:+52{n:010}"),
    "brazil": ("+55119{n:08}", "+5511{n:08}", "whatsapp:+5511{n:08}", "whatsapp:+55119{n:08}", "rcs:+55119{n:08}"),
    "elsewhere": ("+1555{n:07}", "whatsapp:+1555{n:07}", "rcs:+1555{n:07}"),
    "chat": ("anna-{n}",),
}
PEOPLE = st.sampled_from(sorted(FORMS))
SPELLINGS = st.integers(0, 4)
STEPS = st.one_of(
    st.tuples(st.just("says"), PEOPLE, SPELLINGS, st.sampled_from(SAID)),
    st.tuples(st.just("says"), PEOPLE, SPELLINGS, st.sampled_from(SAID[:4])),
    st.tuples(st.just("decides"), PEOPLE, SPELLINGS, st.sampled_from(["opt-out", "opt-in"])),
    st.tuples(st.just("erases"), PEOPLE, SPELLINGS),
    st.tuples(st.just("renames"), PEOPLE, SPELLINGS, SPELLINGS),
    st.tuples(st.just("waits")),
)
_numbers = count(1)


class Wishes:
    """What people want, by what they said and what was decided for them: kept apart from how the bot stores it."""

    def __init__(self, apart):
        self._apart = apart
        self._out = defaultdict(bool)
        self._asks = defaultdict(bool)

    def _keys(self, person, channel):
        return [(person, channel if self._apart else "")]

    def say(self, person, channel, text):
        for key in self._keys(person, channel):
            if text in ("STOP", "START"):
                self._out[key], self._asks[key] = text == "STOP", False
            else:
                self._asks[key] = text == WISH and not self._out[key]

    def decide(self, person, decision):
        for channel in ("sms", "whatsapp", "rcs", "chat"):
            for key in self._keys(person, channel):
                self._out[key], self._asks[key] = decision == "opt-out", False

    def is_silent(self, person, channel):
        return any(self._out[key] or self._asks[key] for key in self._keys(person, channel))


class World:
    """One example: new people, who write, each address in a conversation of its own."""

    def __init__(self, tools, apart):
        self._tools = tools
        self.wishes = Wishes(apart)
        self._n = next(_numbers)
        self._seen = len(tools.emulator.messages())
        self._where = {}  # ConversationSid -> person, channel
        tools.bot.rules(RULES.format(apart=str(apart).lower()))

    def name(self, person, spelling):
        forms = FORMS[person]
        return forms[spelling % len(forms)].format(n=self._n)

    def take(self, step):
        """Let something happen, then look whom the bot has written to, and whether the ledger was only added to."""
        kind, *what = step
        before = self._tools.ledger(kind)
        getattr(self, kind)(*what)
        assert self._tools.ledger(kind)[: len(before)] == before, f"{step}: the ledger was changed"
        written = self._written()
        silent = [one for one in written if self.wishes.is_silent(*one)]
        assert silent == [], f"{step}: written to {silent}"
        if kind == "says" and what[2][-1] == "hello" and not self.wishes.is_silent(*self._place(*what[:2])):
            assert self._place(*what[:2]) in written, f"{step}: not answered"

    def says(self, person, spelling, texts):
        for text in texts:
            self._tools.clock.advance(1)
            self._post(person, spelling, text)
            self.wishes.say(*self._place(person, spelling), text)
        self._tools.run_worker()

    def decides(self, person, spelling, decision):
        self._tools.clock.advance(1)
        name = self.name(person, spelling)
        self._tools.flask_command("consent", decision, name, "--why", "asked on the telephone")
        self.wishes.decide(person, decision)

    def erases(self, person, spelling):
        self._tools.erase(self.name(person, spelling))

    def renames(self, person, spelling, other):
        """Tell of another spelling of an address, or another identity, of a participant."""
        self._tools.clock.advance(1)
        sids, binding = self._sids(person, spelling), {}
        if person == "chat":
            named = {"Identity": f"{self.name(person, spelling)}-{other}"}
        else:
            named, binding = (
                {"Identity": None, "ClientIdentity": None},
                {
                    "MessagingBinding.Address": self.name(person, other),
                    "MessagingBinding.Type": self._place(person, spelling)[1],
                },
            )
        self._tools.post("onParticipantUpdated__read_index", binding | {"DateUpdated": None}, **sids, **named)
        self._tools.post("onConversationUpdated__api", ConversationSid=sids["ConversationSid"], FriendlyName="Renamed")
        self._tools.run_worker()

    def waits(self):
        self._tools.clock.advance(16 * 60)
        self._tools.run_worker()

    def _post(self, person, spelling, text):
        name, channel = self.name(person, spelling), self._place(person, spelling)[1]
        sids = self._sids(person, spelling) | {"MessageSid": f"IM{next(_numbers):032x}"}
        self._where[sids["ConversationSid"]] = person, channel
        recorded = "chat_sdk" if person == "chat" else "sms_text"
        more = {"ClientIdentity": name} if person == "chat" else {"Source": channel.upper()}
        answer = self._tools.post(f"onMessageAdded__{recorded}", Author=name, Body=text, **sids, **more)
        assert answer.status_code == 204

    def _sids(self, person, spelling):
        one = (sorted(FORMS).index(person) + 1) * 10 + spelling % len(FORMS[person])
        return {"ConversationSid": f"CH{self._n:024x}{one:08x}", "ParticipantSid": f"MB{self._n:024x}{one:08x}"}

    def _place(self, person, spelling):
        prefix, colon, _ = self.name(person, spelling).partition(":")
        return person, "chat" if person == "chat" else prefix if colon else "sms"

    def _written(self):
        """Return to whom the bot has written since the last look."""
        everything = self._tools.emulator.messages()
        new, self._seen = everything[self._seen :], len(everything)
        ours = [one["conversation_sid"] for one in new if one["author"] == "support-bot"]
        return [self._where[sid] for sid in ours if sid in self._where]  # not those of examples before


@pytest.fixture
def tools(app, emulator, clock, bot, post_webhook, run_worker, flask_command):
    class Tools:
        def ledger(self, kind):
            """Return the ledger, oldest first; what an erasure leaves of it, where one is under way."""
            left = ("id", "at", "person", "channel", "change", "word")
            columns = [consent_ledger.c[name] for name in left] if kind == "erases" else [consent_ledger]
            with app.extensions["parley"].db.read() as tx:
                return [tuple(row) for row in tx.execute(select(*columns).order_by(consent_ledger.c.id))]

        def erase(self, name):
            runner = app.test_cli_runner()
            ended = runner.invoke(args=["privacy", "erase", name, "--yes", "--no-rewrite"])
            assert ended.exit_code in (0, 1), ended.output  # 1: nobody of that name has written

    made = Tools()
    made.emulator, made.clock, made.bot = emulator, clock, bot
    made.post, made.run_worker, made.flask_command = post_webhook, run_worker, flask_command
    return made


def play(tools, steps, apart):
    world = World(tools, apart)
    for step in steps:
        world.take(step)


FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=60)
PLAYS = given(st.lists(STEPS, min_size=1, max_size=10), st.booleans())


@pytest.mark.timeout(600)
@FEW
@PLAYS
@example([("says", "mexico", 0, ("STOP",)), ("says", "mexico", 3, ("hello",)), ("erases", "mexico", 0)], False)
@example([("says", "brazil", 0, ("STOP",)), ("erases", "brazil", 0), ("says", "brazil", 1, ("hello",))], False)
@example([("says", "elsewhere", 1, ("STOP",)), ("says", "elsewhere", 0, ("hello",)), ("waits",)], True)
@example([("says", "chat", 0, ("STOP",)), ("renames", "chat", 0, 1), ("says", "chat", 0, ("hello",))], False)
@example([("says", "mexico", 2, ("hello",)), ("says", "mexico", 1, (WISH,)), ("waits",)], False)
@example([("says", "brazil", 4, ("hello",)), ("decides", "brazil", 1, "opt-out"), ("waits",)], True)
def test_nothing_automatic_reaches_who_wants_silence_and_everybody_else_is_answered(tools, steps, apart):
    play(tools, steps, apart)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@MANY
@PLAYS
def test_it_holds_for_many_more_sequences(tools, steps, apart):
    play(tools, steps, apart)
