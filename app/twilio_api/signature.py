"""Verifies Twilio's signature: public URL, parameters and header in, a verdict out."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qs

Form = tuple[tuple[str, str], ...]

DEFAULT_ALGORITHM = "HMAC_SHA1"
_DIGESTS = {DEFAULT_ALGORITHM: "sha1", "HMAC_SHA256": "sha256"}
_DEFAULT_PORTS = {"https": "443", "http": "80"}
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Keys:
    """What a request may be signed with: auth tokens (primary, secondary) and shared keys (id -> secret).

    An empty secret is no key: it never matches. The secrets are in no repr.
    """

    tokens: tuple[str, ...] = field(default=(), repr=False)
    shared: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the signature is right, a reason without any secret in it, and the name of the key that matched."""

    valid: bool
    reason: str
    key: str = ""


class _Refused(Exception):
    """The request is not even worth a computation; says why."""


def public_url(origin: str, raw_target: str) -> str:
    """Return the URL that Twilio called: the configured origin plus the request target exactly as received.

    The origin may carry a path prefix. Of an absolute target (`http://host/path`) only path and query
    count, so that no caller chooses the host; a fragment takes no part.
    Source: usage/webhooks/webhooks-security, usage/webhooks/webhooks-connection-overrides, read 2026-11-22.
    """
    target = raw_target.partition("#")[0]
    if not target.startswith("/") and "://" in target:
        target = _split_origin(target)[1]
    return origin.rstrip("/") + target


def compute(secret: str, url: str, form: Form, algorithm: str = DEFAULT_ALGORITHM) -> str:
    """Return the Base64 signature of a URL and its form; "" for an algorithm that does not exist.

    Names in code-point order, each with its value; a repeated name counts once for each different value,
    values in order. What was not UTF-8 on the wire is signed as the bytes that arrived.
    Source: usage/webhooks/webhooks-security (algorithm), usage/webhooks/webhook-shared-keys (HMAC_SHA256),
    read 2026-11-22.
    """
    digest = _DIGESTS.get(algorithm)
    return _sign(secret, url, _canonical(form), digest) if digest else ""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature is about: `form` are the decoded parameters, `url` is the one that Twilio called.

    `settings` is X-Twilio-Webhooks-Signature-Settings.
    """

    url: str
    form: Form
    signature: str | None
    content_type: str
    body: bytes
    method: str
    settings: str | None = None


def check(keys: Keys, request: SignedRequest) -> Verdict:
    """Return the verdict on a request; never raises, whatever the caller sent.

    Parameters of a GET are in its URL already; any body but a form must match the URL's `bodySHA256`.
    Source: usage/webhooks/webhooks-security (GET, JSON bodies), read 2026-11-22.
    """
    url, signature = request.url, request.signature
    if not signature:
        return Verdict(False, "missing")
    try:
        candidates, digest = _candidates(keys, request.settings)
    except _Refused as refusal:
        return Verdict(False, str(refusal))
    in_url = request.method.upper() in ("GET", "HEAD")
    is_form = request.content_type.partition(";")[0].strip().lower() == _FORM_TYPE
    signed = _canonical(request.form) if is_form and not in_url else ""
    key = _matching_key(candidates, url, signed, digest, _bytes(signature))
    if not key:
        return Verdict(False, "mismatch")
    if not in_url and not is_form and not _body_hash_matches(url, request.body):
        return Verdict(False, "body hash mismatch")
    return Verdict(True, "ok", key)


def _candidates(keys: Keys, settings: str | None) -> tuple[list[tuple[str, str]], str]:
    """Return the (name, secret) pairs that may have signed, and the digest; raises _Refused when none may.

    A request that names a shared key is measured by that key alone: the caller must not choose the weaker
    of two ways. Only the primary token signs; the secondary counts while tokens are rotated.
    Source: usage/webhooks/webhook-shared-keys, usage/security, read 2026-11-22.
    """
    if settings and settings.strip():
        key_id, algorithm = _read_settings(settings)
        secret = keys.shared.get(key_id)
        if not secret:
            raise _Refused("unknown key")
        if algorithm not in _DIGESTS:
            raise _Refused("unknown algorithm")
        return [(f"shared:{key_id}", secret)], _DIGESTS[algorithm]
    names = ("primary", "secondary", *("further" for _ in keys.tokens[2:]))
    tokens = [(name, token) for name, token in zip(names, keys.tokens, strict=False) if token]
    if not tokens:
        raise _Refused("no keys configured")
    return tokens, _DIGESTS[DEFAULT_ALGORITHM]


def _read_settings(settings: str) -> tuple[str, str]:
    """Return key id and algorithm of `key=<id>,algorithm=<name>`; of a repeated part the first counts."""
    parts: dict[str, str] = {}
    for part in settings.split(","):
        name, _, value = part.partition("=")
        parts.setdefault(name.strip(), value.strip())
    return parts.get("key", ""), (parts.get("algorithm") or DEFAULT_ALGORITHM).upper()


def _matching_key(candidates: list[tuple[str, str]], url: str, signed: str, digest: str, signature: bytes) -> str:
    for name, secret in candidates:
        for candidate_url in _urls(url):
            if hmac.compare_digest(_sign(secret, candidate_url, signed, digest).encode(), signature):
                return name
    return ""


def _urls(url: str) -> Iterator[str]:
    """Yield the URL as it is, then with its port left out or the scheme's own port written.

    Twilio is not consistent about ports; its own validator tries both as well.
    Source: usage/webhooks/webhooks-security (ports), read 2026-11-22.
    """
    origin, rest = _split_origin(url)
    for candidate in _origins(origin):
        yield candidate + rest


@lru_cache(maxsize=64)
def _origins(origin: str) -> tuple[str, ...]:
    """Return the origins that may have been signed for one; those without user:password@ first.

    Twilio drops that before it signs, says its page; its validators keep it, so what they accept is accepted.
    Source: usage/webhooks/webhooks-security, read 2026-11-22; twilio-python's RequestValidator.
    """
    scheme, separator, authority = origin.partition("://")
    user, at, host = authority.rpartition("@")
    users = ("", user + at) if at else ("",)
    return tuple(f"{scheme}{separator}{one}{place}" for one in users for place in _with_ports(scheme, host))


def _with_ports(scheme: str, authority: str) -> tuple[str, ...]:
    host, colon, port = authority.rpartition(":")
    if colon and port.isdecimal():
        return (authority, host)
    default_port = _DEFAULT_PORTS.get(scheme.lower())
    return (authority, f"{authority}:{default_port}") if default_port else (authority,)


def _split_origin(url: str) -> tuple[str, str]:
    """Return `scheme://authority` and all that follows it."""
    begin = url.find("://") + 3
    ends = [end for end in (url.find(mark, begin) for mark in "/?#") if end >= 0]
    end = min(ends, default=len(url))
    return url[:end], url[end:]


def _canonical(form: Form) -> str:
    return "".join(name + value for name, value in sorted(set(form)))


def _sign(secret: str, url: str, signed: str, digest: str) -> str:
    return b64encode(hmac.digest(_bytes(secret), _bytes(url + signed), digest)).decode("ascii")


def _body_hash_matches(url: str, body: bytes) -> bool:
    expected = parse_qs(url.partition("?")[2], errors="replace").get("bodySHA256", [""])[0]
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), _bytes(expected.lower()))


def _bytes(text: str) -> bytes:
    """Return the bytes that `text` was decoded from; never raises."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
