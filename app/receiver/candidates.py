"""Candidate requests for the diagnosis of a wrong signature: the usual differences from what Twilio signed."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from app.twilio_api.form import Form, decode_form

FORM_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 100  # Twilio sends about 20 parameters; more are not worth a try
MOST_CHANGES = 3
LONGEST_QUERY = 32 * 1024  # characters; of a longer one only its absence is tried
_NAMED = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,39}")
_REWRITTEN = ("X-Original-URI", "X-Forwarded-Uri", "X-Original-URL")  # where proxies say what they were called with
# Parameters that may arrive blank or not at all.
# Source: conversations-classic/conversations-webhooks, read 2026-11-22.
_OFTEN_BLANK = (
    "Attributes",
    "Author",
    "Body",
    "ClientIdentity",
    "ErrorCode",
    "FriendlyName",
    "Identity",
    "LastReadMessageIndex",
    "Media",
    "MessagingBinding.Address",
    "MessagingBinding.ProxyAddress",
    "MessagingServiceSid",
    "ParticipantSid",
    "Reason",
    "RoleSid",
    "Source",
    "State",
    "UniqueName",
)


@dataclass(frozen=True)
class Received:
    """A request as it came; names of `headers` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Self:
        """Return the request; of a repeated header the last counts."""
        return cls(method, target, {name.lower(): value for name, value in headers}, body)

    def header(self, name: str) -> str:
        """Return a header, or "" when there is none."""
        return self.headers.get(name.lower(), "")

    def names_account(self, account_sid: str) -> bool:
        """Return whether a webhook of this account came, as it says itself; others rarely know its SID."""
        said = f"AccountSid={account_sid}".encode()
        return bool(account_sid) and (said in self.body or said in self.target.encode("utf-8", "replace"))

    @property
    def in_url(self) -> bool:
        """Whether the parameters are in the URL."""
        return self.method.upper() in ("GET", "HEAD")

    @property
    def is_form(self) -> bool:
        return self.header("Content-Type").partition(";")[0].strip().lower() == FORM_TYPE


@dataclass(frozen=True)
class RequestChange:
    """One thing that is otherwise than we took it to be: its kind, and what it was when Twilio signed."""

    kind: str
    was: str = ""


@dataclass(frozen=True)
class Variant:
    """What Twilio may have signed, and the changes that lead there from what we checked."""

    url: str
    form: Form
    changes: tuple[RequestChange, ...] = ()


# What services behind a proxy are often reached under; of other names nothing is known but what the proxy says.
_USUAL_PREFIXES = ("parley", "twilio", "api", "app", "bot", "webhooks", "conversations", "sms", "chat", "prod", "v1")
Option = tuple[str, RequestChange | None]


def origin_of(public_url: str) -> tuple[str, str, str, str]:
    """Return scheme, host, port and path prefix of an address, without user:password@; never raises."""
    scheme, _, rest = public_url.partition("://")
    authority, slash, path = rest.partition("/")
    host, port = _host_and_port(authority.rpartition("@")[2])
    return scheme, host, port, (slash + path).rstrip("/")


def of_url(received: Received, public_url: str, form: Form) -> Iterator[Variant]:
    """Yield the request with other URLs, those with the fewest changes first; the first is the one we checked."""
    scheme, host, port, prefix = origin_of(public_url)
    path, mark, query = _path_and_query(received.target)
    dimensions = (
        _schemes(scheme),
        _hosts(received, host),
        _ports(received, port),
        _paths(received, prefix, path),
        _queries(received, mark + query),
    )
    every = (tuple(option) for option in itertools.product(*dimensions))
    ranked = sorted(((_changes(options), options) for options in every), key=lambda ranked: len(ranked[0]))
    for changes, (scheme_is, host_is, port_is, path_is, query_is) in ranked:
        if len(changes) <= MOST_CHANGES:
            port_part = f":{port_is[0]}" if port_is[0] else ""
            yield Variant(f"{scheme_is[0]}://{host_is[0]}{port_part}{path_is[0]}{query_is[0]}", form, changes)


def with_usual_prefixes(received: Received, public_url: str, form: Form) -> Iterator[Variant]:
    """Yield the request as if a proxy had stripped a prefix that many use."""
    scheme, host, port, prefix = origin_of(public_url)
    origin, target = f"{scheme}://{host}{f':{port}' if port else ''}", "".join(_path_and_query(received.target))
    for name in _USUAL_PREFIXES:
        yield Variant(f"{origin}{prefix}/{name}{target}", form, (RequestChange("path prefix", f"{prefix}/{name}"),))


def of_form(received: Received, url: str, form: Form) -> Iterator[Variant]:
    """Yield the request with its parameters signed in another way, each way alone."""
    bare, _, query = url.partition("?")
    body = decode_form(received.body)
    if received.in_url:
        yield Variant(bare, decode_form(query.encode("utf-8", "surrogatepass")), (RequestChange("method", "POST"),))
        return
    if body and not received.is_form:
        yield Variant(url, body, (RequestChange("content type"),))
    digest = hashlib.sha256(received.body).hexdigest()
    yield Variant(f"{url}{'&' if query else '?'}bodySHA256={digest}", (), (RequestChange("json"),))
    if received.is_form:
        yield Variant(url, (), (RequestChange("body unsigned"),))
    as_query = received.body.decode("utf-8", "surrogateescape")
    yield Variant(f"{url}{'&' if query else '?'}{as_query}", (), (RequestChange("method", "GET"),))
    if received.is_form:
        for changed, change in _forms(form):
            yield Variant(url, changed, (change,))


def _forms(form: Form) -> Iterator[tuple[Form, RequestChange]]:
    names = {name for name, _ in form}
    yield tuple(pair for pair in form if pair[1]), RequestChange("blank dropped by the signer")
    yield tuple((name, value.strip()) for name, value in form), RequestChange("trimmed by the signer")
    yield tuple(dict(form).items()), RequestChange("repeated")
    yield tuple(dict(reversed(form)).items()), RequestChange("repeated")
    for ending, other in (("\r\n", "\n"), ("\n", "\r\n")):
        yield tuple((name, value.replace(ending, other)) for name, value in form), RequestChange("line ends")
    for name in _OFTEN_BLANK:
        if name not in names:
            yield (*form, (name, "")), RequestChange("blank", name)
    for place, (name, value) in enumerate(form):
        for changed in (f"{value} ", f" {value}", f" {value} ", f"{value}\n", f"{value}\r\n"):
            yield (*form[:place], (name, changed), *form[place + 1 :]), RequestChange("trimmed", plain_name(name))


def plain_name(name: str) -> str:
    """Return the name of a parameter if it can be one of Twilio's, else "?": nobody writes into our files."""
    return name if _NAMED.fullmatch(name) else "?"


def _changes(options: Iterable[Option]) -> tuple[RequestChange, ...]:
    return tuple(change for _, change in options if change)


def _schemes(scheme: str) -> list[Option]:
    return _options(scheme, [(other, RequestChange("scheme", other)) for other in ("https", "http")])


def _hosts(received: Received, host: str) -> list[Option]:
    named = [_host_and_port(said)[0] for said in _said_hosts(received)]
    return _options(host, [(name, RequestChange("host", name)) for name in (*named, host.lower()) if name])


def _ports(received: Received, port: str) -> list[Option]:
    """Return the ports to try; one that is left out, or the scheme's own, is tried by `signature` as well."""
    said = [_host_and_port(host)[1] for host in _said_hosts(received)] + [received.header("X-Forwarded-Port")]
    ports = [port for port in said if port.isascii() and port.isdecimal()]
    return _options(port, [(name, RequestChange("port", name)) for name in (*ports, "", "443", "80")])


def _paths(received: Received, prefix: str, path: str) -> list[Option]:
    """Return the paths to try: slashes, prefixes that a proxy adds or takes away, and what it says it rewrote."""
    slash = RequestChange("trailing slash", "with" if not path.endswith("/") else "without")
    tries = [(prefix + (path + "/" if not path.endswith("/") else path.rstrip("/")), slash)]
    if prefix:
        tries.append((path, RequestChange("path prefix", "")))
    for name in ("X-Forwarded-Prefix", "X-Script-Name"):
        if said := received.header(name).rstrip("/"):
            tries.append((said + path, RequestChange("path prefix", said)))
    for name in _REWRITTEN:
        if said := _path_and_query(received.header(name))[0]:
            tries.append((said, RequestChange("path", said)))
    tries += [
        (f"{prefix}/{path}", RequestChange("path", f"/{path}")),
        (prefix + unquote(path), RequestChange("path", unquote(path))),
    ]
    return _options(prefix + path, tries)


def _queries(received: Received, query: str) -> list[Option]:
    tries = [("", RequestChange("query", "added"))]
    for name in _REWRITTEN:
        _, mark, rest = _path_and_query(received.header(name))
        tries.append((mark + rest, RequestChange("query", "rewritten")))
    if not query:
        return _options(query, [*tries, ("?", RequestChange("query", "cut off"))])
    said = query[1:]
    if len(said) > LONGEST_QUERY or said.count("&") > MOST_FIELDS:
        return _options(query, tries)
    pairs = parse_qsl(said, keep_blank_values=True, errors="surrogateescape")
    encodings = [
        urlencode(pairs, errors="surrogateescape"),
        urlencode(pairs, errors="surrogateescape").replace("+", "%20"),
        unquote(said, errors="surrogateescape"),
        unquote(said.replace("+", " "), errors="surrogateescape"),
        re.sub("%..", lambda escape: escape[0].lower(), said),
        re.sub("%..", lambda escape: escape[0].upper(), said),
        said.replace("+", "%20"),
        said.replace("%20", "+"),
    ]
    tries += [(f"?{encoded}", RequestChange("query", "re-encoded")) for encoded in encodings]
    parts = said.split("&")
    if 1 < len(parts) <= 10:
        without = ("&".join(parts[:place] + parts[place + 1 :]) for place in range(len(parts)))
        tries += [(f"?{rest}", RequestChange("query", "made longer")) for rest in without]
    return _options(query, tries)


def _options(as_is: str, tries: Iterable[tuple[str, RequestChange]]) -> list[Option]:
    """Return what was checked, then each other value once."""
    options: dict[str, RequestChange | None] = {as_is: None}
    for value, change in tries:
        options.setdefault(value, change)
    return list(options.items())


def _said_hosts(received: Received) -> list[str]:
    headers = (received.header(name) for name in ("Host", "X-Forwarded-Host", "X-Original-Host"))
    return [said.partition(",")[0].strip() for said in headers if said]


def _host_and_port(authority: str) -> tuple[str, str]:
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and port.isdecimal() else (authority, "")


def _path_and_query(target: str) -> tuple[str, str, str]:
    target = target.partition("#")[0]
    if not target.startswith("/") and "://" in target:
        try:
            parts = urlsplit(target)
        except ValueError:
            return "", "", ""
        target = parts.path + (f"?{parts.query}" if parts.query else "")
    return target.partition("?")
