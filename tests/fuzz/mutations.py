"""Makes requests nobody would send out of recorded ones: valid ones, changed in their form, bytes, headers and body.

Most are signed after they were changed, as Twilio would sign such a thing, so that they pass the door.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from urllib.parse import urlencode

from app.recordings import files
from app.recordings.files import RecordedRequest
from app.testing.bot_tester import ORIGIN, TOKEN
from app.twilio_api import events
from tests.fuzz.shots import Shot
from tests.support import webhook_fixtures
from tests.support.hostile_requests import FORM_TYPE, TARGET, signed_bytes

Pairs = list[tuple[str, str]]

RECORDED = tuple(webhook_fixtures.load(name) for name in webhook_fixtures.names())
NAMES = tuple(sorted({name for one in RECORDED for name, _ in files.form_of(one)}))
TYPES = (*sorted(events.EVENT_CLASSES), "onMessageAdd", "onConversationAdd", "onPollAnswered", "", "é" * 400)
VALUES = (
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "9" * 400,
    "null",
    "true",
    "{",
    "[" * 3000,
    "a" * 5000,
    '{"parley": {"reply_to": []}}',
    '{"a":' * 500 + "1" + "}" * 500,
    '"\\ud800\\u0000"',
    "\x00",
    "\r\n\r\nGET / HTTP/1.1",
    "\x1b[2J",
    "\ud83d",
    "\ufffe",
    "{{ 7 * 7 }}",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%s%n%x",
    "IM" + "g" * 32,
    "CH" + "1" * 32,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999-23:59",
    "2026-02-30T25:61:00Z",
    "é" * 300,
    "\u202e\u2066٣",
    "whatsapp:+15550100001",
    "[null,7,{}]",
    "🦜" * 200,
)
HEADERS = (
    "X-Twilio-Signature",
    "X-Twilio-Webhooks-Signature-Settings",
    "Content-Type",
    "I-Twilio-Idempotency-Token",
    "Host",
    "User-Agent",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "Content-Encoding",
    "Transfer-Encoding",
    "Authorization",
    "Cookie",
    "Accept",
    "Expect",
    "Range",
    "If-None-Match",
    "Upgrade",
    "Origin",
)
CONTENT_TYPES = (
    "",
    "application/json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    FORM_TYPE.upper(),
    f"{FORM_TYPE}; charset=utf-16",
    f"{FORM_TYPE}; charset=\xff",
    ";",
    "application/x-www-form-urlencoded;" * 50,
)
METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X", "post")
PATHS = (
    "/",
    "//",
    "/healthz",
    "/readyz",
    "/metrics",
    "/login",
    "/static/x",
    TARGET + "/",
    TARGET + "%2f",
    "/%ff",
    "*",
    "",
    "/conversations",
    "/conversations//webhook",
    "/conversations/../webhook",
    "http://evil.example/conversations/webhook",
)
JUNK = (b"", b"%", b"%zz", b"%ff%fe", b"&&", b"=", b";", b"\x00")
LENGTHS = ("", "0", "7", "-1", "x", "1e3", "9" * 50, "\xb2", "+5", "262145")


def draw(seed: int, number: int) -> Shot:
    """Return the request with this number: the same one each time."""
    die = Random(f"{seed}:{number}")
    body = _bytes(_form(list(files.form_of(die.choice(RECORDED))), die), die)
    request = _request(body, die)
    shot = Shot(request.method, request.target, tuple(request.headers.items()), request.body, str(len(request.body)))
    for _ in range(die.choice([0, 0, 0, 1, 1, 2])):
        shot = die.choice(_CHANGES)(shot, die)
    return shot


def _form(pairs: Pairs, die: Random) -> Pairs:
    for _ in range(die.choice([0, 1, 1, 2, 3, 6])):
        n = die.randrange(len(pairs)) if pairs else 0
        what = die.randrange(8)
        if what == 0 and pairs:
            del pairs[n]
        elif what == 1:
            pairs.append((die.choice(NAMES), _value(die)))
        elif what == 2 and pairs:
            pairs.insert(0, pairs[n])
        elif what == 3:
            pairs = [(name, die.choice(TYPES) if name == "EventType" else value) for name, value in pairs]
        elif what == 4:
            pairs.append((_value(die), _value(die)))
        elif pairs:
            pairs[n] = (pairs[n][0], _mixed(pairs[n][1], die))
    return pairs


def _value(die: Random) -> str:
    if die.random() < 0.7:
        return die.choice(VALUES)
    return "".join(
        chr(die.choice([die.randrange(128), die.randrange(0x3000), die.randrange(0x110000)]))
        for _ in range(die.randrange(40))
    )


def _mixed(value: str, die: Random) -> str:
    if die.random() < 0.5:
        return _value(die)
    n = die.randrange(len(value) + 1)
    return value[:n] + die.choice(["", _value(die)]) + value[n + die.randrange(3) :]


def _bytes(pairs: Pairs, die: Random) -> bytes:
    """Return the form urlencoded, now and then with bytes that no browser would write."""
    if die.random() < 0.1:
        body = "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass")
    else:
        body = urlencode(pairs, errors="surrogatepass").encode("ascii")
        body = body.replace(b"+", die.choice([b"+", b"%20"]))
    for _ in range(die.choice([0, 0, 0, 0, 1, 4])):
        n = die.randrange(len(body) + 1)
        junk = die.choice([*JUNK, die.randbytes(die.randrange(1, 20))])
        body = body[:n] + junk + body[n + die.randrange(4) :]
    if die.random() < 0.005:
        body += b"&Body=" + b"x" * die.choice([100_000, 262_144, 400_000])
    return body


def _request(body: bytes, die: Random) -> RecordedRequest:
    """Return it as a POST or a GET; signed, mostly after all that was done to it."""
    target = TARGET + die.choice(["", "", "", "?", "?a=b", "?a=%ff&" + "x" * 30, "#fragment", "?x=1#y"])
    if die.random() < 0.15:
        target = f"{TARGET}?{body.decode('latin-1')}"
        signed = signed_bytes(b"", ORIGIN, TOKEN, target) if target.isascii() else _unsigned(body, target)
        return RecordedRequest("GET", target, signed.headers, b"")
    signed = signed_bytes(body, ORIGIN, TOKEN, target.partition("#")[0])
    signed = RecordedRequest("POST", target, signed.headers, body)
    return signed if die.random() < 0.85 else _unsigned(body, target)


def _unsigned(body: bytes, target: str) -> RecordedRequest:
    return RecordedRequest("POST", target, {"Content-Type": FORM_TYPE, "X-Twilio-Signature": "x" * 28}, body)


def _header(shot: Shot, die: Random) -> Shot:
    text = _value(die).encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")
    return replace(shot, headers=(*shot.headers, (die.choice(HEADERS), text)))


def _without_header(shot: Shot, die: Random) -> Shot:
    name, _ = die.choice(shot.headers) if shot.headers else ("", "")
    return replace(shot, headers=tuple(one for one in shot.headers if one[0] != name))


def _content_type(shot: Shot, die: Random) -> Shot:
    others = tuple(one for one in shot.headers if one[0] != "Content-Type")
    return replace(shot, headers=(*others, ("Content-Type", die.choice(CONTENT_TYPES))))


def _length(shot: Shot, die: Random) -> Shot:
    return replace(shot, length=die.choice([None, None, *LENGTHS]))


def _cut(shot: Shot, die: Random) -> Shot:
    return replace(shot, breaks=die.randrange(len(shot.body) + 1), length=die.choice([None, shot.length]))


def _method(shot: Shot, die: Random) -> Shot:
    return replace(shot, method=die.choice(METHODS))


def _path(shot: Shot, die: Random) -> Shot:
    query = shot.target.partition("?")[2][:200]
    return replace(shot, target=die.choice(PATHS) + (f"?{query}" if query else ""))


def _body(shot: Shot, die: Random) -> Shot:
    body = die.choice([b"", shot.body[: die.randrange(len(shot.body) + 1)], shot.body * 2, die.randbytes(100), b"{}"])
    return replace(shot, body=body, length=str(len(body)))


_CHANGES: tuple[Callable[[Shot, Random], Shot], ...] = (
    _header,
    _header,
    _without_header,
    _content_type,
    _length,
    _cut,
    _method,
    _path,
    _body,
)
