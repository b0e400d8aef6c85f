"""Diagnoses a rejected request: tries the usual mismatches and suggests a fix for each; keeps nothing, never raises."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.receiver.candidates import (
    MOST_FIELDS,
    Received,
    RequestChange,
    Variant,
    of_form,
    of_url,
    origin_of,
    with_usual_prefixes,
)
from app.twilio_api import signature
from app.twilio_api.form import Form, read_form
from app.twilio_api.signature import DEFAULT_ALGORITHM, Keys

MOST_TRIES = 4000
MOST_BYTES = 8 * 1024 * 1024  # hashed for one request, about 20 ms
_ALGORITHMS = (DEFAULT_ALGORITHM, "HMAC_SHA256")
TRIED = (
    "scheme, host, port, path prefix, trailing slash, query, method, content type, JSON, blank and trimmed values, "
    "and every key of the settings"
)


@dataclass(frozen=True)
class Explanation:
    """One mismatch: a short word for logs and scripts, and a sentence with the fix."""

    mismatch: str
    fix: str


@dataclass(frozen=True)
class _Key:
    """Something to sign with; `change` says what is odd about it, None for the keys that were checked."""

    secret: str
    algorithm: str
    change: RequestChange | None = None


def explain(received: Received, keys: Keys, public_url: str, account_sid: str = "") -> list[Explanation]:
    """Return why a request is refused, one explanation for each thing that is otherwise; [] for a valid request.

    What is never found out: a token that is in no setting, a path prefix of any name that a proxy strips, a parameter
    that was lost or changed on the way. With `account_sid`, what names that account is not called forged.
    """
    verdict = check(received, keys, signature.public_url(public_url, received.target))
    if verdict.valid:
        return []
    if verdict.reason in _BY_REASON:
        return [Explanation(*_BY_REASON[verdict.reason])]
    changes, url = _search(received, keys, public_url) or ((), "")
    if changes:
        return [_explanation(change, public_url, url, received) for change in changes]
    if verdict.reason in ("unknown key", "unknown algorithm"):
        return [_UNKNOWN_KEY]
    return [_UNEXPLAINED_OF_OURS if received.names_account(account_sid) else _UNEXPLAINED]


def explain_path(received: Received, keys: Keys, public_url: str, account_sid: str = "") -> list[Explanation]:
    """Return why nothing takes a request that came to another path than that of webhooks, and what else is wrong."""
    return [_WRONG_PATH, *explain(received, keys, public_url, account_sid)]


def check(received: Received, keys: Keys, url: str) -> signature.Verdict:
    """Return the receiver's verdict on a request that Twilio sent to `url`."""
    signed = signature.SignedRequest(
        url=url,
        form=read_form(received.method, received.target, received.body),
        signature=received.header("X-Twilio-Signature") or None,
        settings=received.header("X-Twilio-Webhooks-Signature-Settings") or None,
        content_type=received.header("Content-Type"),
        body=received.body,
        method=received.method,
    )
    return signature.check(keys, signed)


def _search(received: Received, keys: Keys, public_url: str) -> tuple[tuple[RequestChange, ...], str] | None:
    """Return the changes that make the signature right, and the URL that was signed; None when nothing does."""
    if received.body.count(b"&") > MOST_FIELDS:
        return None
    wanted, tries, hashed = received.header("X-Twilio-Signature").encode("utf-8", "replace"), 0, 0
    for variant, key in _candidates(received, keys, public_url):
        tries, hashed = tries + 1, hashed + len(variant.url) + len(received.body)
        if tries > MOST_TRIES or hashed > MOST_BYTES:
            return None
        computed = signature.compute(key.secret, variant.url, variant.form, key.algorithm)
        if hmac.compare_digest(computed.encode("ascii"), wanted):
            return variant.changes + ((key.change,) if key.change else ()), variant.url
    return None


def _candidates(received: Received, keys: Keys, public_url: str) -> Iterator[tuple[Variant, _Key]]:
    form = () if received.in_url or not received.is_form else read_form("POST", "", received.body)
    usual, odd = _keys(received, keys)
    as_checked = signature.public_url(public_url, received.target)
    bare = Variant(as_checked, form)
    yield from ((bare, key) for key in odd)
    yield from ((variant, key) for variant in of_form(received, as_checked, form) for key in usual)
    yield from ((variant, key) for variant in of_url(received, public_url, form) for key in usual)
    yield from ((variant, key) for variant in with_usual_prefixes(received, public_url, form) for key in usual)
    # Anybody can sign with an empty token: such a signature must not vouch for an address.
    ours = [key for key in odd if key.secret]
    yield from ((variant, key) for variant in _once_changed(received, public_url, form) for key in ours)


def _once_changed(received: Received, public_url: str, form: Form) -> Iterator[Variant]:
    return (variant for variant in of_url(received, public_url, form) if len(variant.changes) == 1)


def _keys(received: Received, keys: Keys) -> tuple[list[_Key], list[_Key]]:
    """Return the keys that were checked, and those that may have signed all the same."""
    named = received.header("X-Twilio-Webhooks-Signature-Settings")
    tokens = [token for token in keys.tokens if token]
    shared = [secret for secret in keys.shared.values() if secret]
    usual = [_Key(token, DEFAULT_ALGORITHM) for token in tokens]
    of_shared = [_Key(secret, algorithm, RequestChange("shared key")) for secret in shared for algorithm in _ALGORITHMS]
    odd = [_Key(token, "HMAC_SHA256", RequestChange("algorithm")) for token in tokens]
    odd += [_Key("", algorithm, RequestChange("empty token")) for algorithm in _ALGORITHMS]
    if not named:
        return usual, of_shared + odd
    as_named = [_Key(secret, algorithm) for secret in shared for algorithm in _ALGORITHMS]
    by_token = [_Key(key.secret, key.algorithm, RequestChange("token")) for key in usual]
    return as_named, by_token + [_Key(key.secret, key.algorithm, RequestChange("other key")) for key in as_named] + odd


def _explanation(change: RequestChange, public_url: str, url: str, received: Received) -> Explanation:
    if change.kind in _OF_ADDRESS:
        return Explanation(change.kind, _OF_ADDRESS[change.kind](change, public_url, url))
    word, sentence = _SENTENCES[change.kind]
    return Explanation(word, sentence.format(was=change.was, content_type=_content_type(received)))


def _content_type(received: Received) -> str:
    return "JSON" if "json" in received.header("Content-Type").lower() else "something else"


def _new_origin(url: str, public_url: str) -> str:
    """Return the PUBLIC_URL that would have fitted: origin of the signed URL, path prefix as it is."""
    scheme, host, port, _ = origin_of(url)
    prefix = origin_of(public_url)[3]
    fits = prefix and url.partition("://")[2].partition("/")[2].startswith(prefix[1:] + "/")
    return f"{scheme}://{host}{f':{port}' if port else ''}{prefix if fits else ''}"


def _was(public_url: str, part: int, name: str) -> str:
    value = origin_of(public_url)[part]
    return f"PUBLIC_URL has the {name} {value}" if value else f"PUBLIC_URL has no {name}"


def _scheme(change: RequestChange, public_url: str, url: str) -> str:
    ours = origin_of(public_url)[0]
    said = f"is {ours}://..." if ours else "is empty"
    return f"PUBLIC_URL {said}, but Twilio called {change.was}://...: set PUBLIC_URL={_new_origin(url, public_url)}"


def _host(change: RequestChange, public_url: str, url: str) -> str:
    said = _was(public_url, 1, "host")
    return f"{said}, but Twilio called {change.was}: set PUBLIC_URL={_new_origin(url, public_url)}"


def _port(change: RequestChange, public_url: str, url: str) -> str:
    called = f"port {change.was}" if change.was else "no port"
    return f"{_was(public_url, 2, 'port')}, but Twilio called {called}: set PUBLIC_URL={_new_origin(url, public_url)}"


def _prefix(change: RequestChange, public_url: str, url: str) -> str:
    scheme, host, port, _ = origin_of(url)
    right = f"{scheme}://{host}{f':{port}' if port else ''}{change.was}"
    called = f"with {change.was} before the path" if change.was else "without it"
    return f"{_was(public_url, 3, 'path')}, but Twilio called {called}: set PUBLIC_URL={right}"


_OF_ADDRESS: dict[str, Callable[[RequestChange, str, str], str]] = {
    "scheme": _scheme,
    "host": _host,
    "port": _port,
    "path prefix": _prefix,
}
# Kind of change -> word, sentence with the fix.
_SENTENCES = {
    "trailing slash": (
        "trailing slash",
        "Twilio called the address {was} a slash at its end and it was changed on the way: make the webhook's URL in "
        "the Twilio console end in /conversations/webhook",
    ),
    "path": (
        "path",
        "Twilio called another path, which a proxy rewrote: make the webhook's URL in the Twilio console end in "
        "/conversations/webhook, or let the proxy pass the path as it is",
    ),
    "query": (
        "query",
        "the query was {was} on the way: let the proxy pass the query as it is, or take it out of the webhook's URL",
    ),
    "method": (
        "method",
        "Twilio signed a {was}, but another method arrived: a redirect or proxy changes it; give Twilio the final "
        "https address and the method POST",
    ),
    "content type": (
        "content type",
        "Twilio signed a form, but the request arrived as {content_type}: let the proxy pass Content-Type as it is",
    ),
    "json": (
        "json",
        "the request was signed as JSON (bodySHA256 in the URL), but the URL arrived without the body's hash: "
        "Conversations (classic) posts forms; check what calls this address, and that the proxy keeps the query",
    ),
    "body unsigned": (
        "json",
        "only the URL was signed, as for JSON, but a form arrived: Conversations (classic) signs the parameters too; "
        "check what calls this address",
    ),
    "blank dropped by the signer": (
        "blank field",
        "it was signed without its blank parameters: Twilio signs them with their name; check what calls this address",
    ),
    "trimmed by the signer": (
        "trimmed field",
        "it was signed with white space cut off its values: Twilio signs them whole; check what calls this address",
    ),
    "repeated": (
        "repeated field",
        "of a repeated parameter only one value was signed: Twilio signs each; check what calls this address",
    ),
    "line ends": ("line ends", "line ends of a value were changed on the way: let the proxy pass the body as it is"),
    "blank": ("blank field", "the blank parameter {was} was dropped on the way: let the proxy pass the body as it is"),
    "trimmed": ("trimmed field", "white space was cut off {was} on the way: let the proxy pass the body as it is"),
    "shared key": (
        "shared key",
        "it was signed with a key of TWILIO_SHARED_KEYS, but X-Twilio-Webhooks-Signature-Settings did not arrive or "
        "was not sent: let the proxy pass that header",
    ),
    "token": (
        "auth token",
        "it was signed with the auth token, but its header names a shared key: take the shared key off the webhook in "
        "the Twilio console, or drop the header where it is added",
    ),
    "other key": (
        "shared key",
        "it was signed with another shared key, or with another algorithm, than its header names: give each id in "
        "TWILIO_SHARED_KEYS its own secret",
    ),
    "algorithm": (
        "algorithm",
        "it was signed with the auth token and SHA-256: with it Twilio uses SHA-1; check what calls this address",
    ),
    "empty token": (
        "empty token",
        "it was signed with an empty token: whatever calls this address lacks its TWILIO_AUTH_TOKEN",
    ),
}
_UNKNOWN_KEY = Explanation(
    "unknown shared key",
    "its header names a shared key or algorithm that we do not have: add id:secret to TWILIO_SHARED_KEYS",
)
_UNKNOWN_SIGNER = (
    "a token that is in no setting (a secondary token signs nothing until it is promoted; a subaccount has its own): "
    "compare TWILIO_AUTH_TOKEN with the primary token in the console"
)
_STRIPPED = (
    "a proxy strips a path prefix: PUBLIC_URL must have all that stands before /conversations/webhook in the webhook's "
    "URL in the Twilio console"
)
_CHANGED = f"a parameter was changed or lost on the way, which cannot be known. Tried: {TRIED}"
_UNEXPLAINED = Explanation("unexplained", f"forged, or signed with {_UNKNOWN_SIGNER}. Or {_STRIPPED}. Or {_CHANGED}")
_UNEXPLAINED_OF_OURS = Explanation(
    "unexplained", f"it names our account; likely {_STRIPPED}. Or it was signed with {_UNKNOWN_SIGNER}. Or {_CHANGED}"
)
_WRONG_PATH = Explanation(
    "path",
    "a signed request came to a path where nothing takes webhooks: make the webhook's URL in the Twilio console end in "
    "/conversations/webhook, without a slash behind it; if it does, let the proxy pass the path as it is",
)
# The receiver's reason -> word, sentence; where nothing needs to be tried.
_BY_REASON = {
    "missing": (
        "signature missing",
        "X-Twilio-Signature is missing: not from Twilio (a browser, a scanner), or a proxy drops it: let it pass",
    ),
    "no keys configured": ("no token", "no auth token is set: set TWILIO_AUTH_TOKEN (see .env.example)"),
    "body hash mismatch": (
        "body changed",
        "the signature is right, but not the body's hash in the URL: let the proxy pass the body as it is",
    ),
}
