"""`flask signature`: why was a request refused, and is a saved one right?"""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path

import click
from flask.cli import with_appcontext

from app.cli.dev_environment import local_settings
from app.cli.output import json_option, parley, show_json, show_table
from app.common.quoting import quoted
from app.config import Settings
from app.receiver import rejections
from app.receiver.candidates import Received
from app.receiver.diagnosis import check, explain
from app.twilio_api import signature
from app.twilio_api.signature import Keys, Verdict

VALID, INVALID = 0, 1  # 2, as everywhere: the command line or the file is unusable
_LARGEST_FILE = 1024 * 1024
_REQUEST_LINE = re.compile(r"([A-Z]{3,10}) (\S+)( HTTP/1\.[01])?")
_FILE = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group("signature")
def signature_commands() -> None:
    """Signatures of webhooks: why one was refused, whether one is right."""


@signature_commands.command("explain")
@_FILE
@json_option
@with_appcontext
def explain_command(file: Path | None, as_json: bool) -> None:
    """Show why the last requests were refused, with the fix; or why the request in FILE would be.

    FILE holds one raw HTTP request with its X-Twilio-Signature.

    Example: flask signature explain refused.http
    """
    settings = local_settings(parley())
    if file is None:
        _show_kept(rejections.read(settings.instance_folder / rejections.FILE), as_json)
    else:
        _explain_file(_read(file), settings, as_json)


@signature_commands.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--url", help="The whole URL that Twilio called; otherwise PUBLIC_URL and the target in FILE.")
@json_option
@with_appcontext
def verify_command(file: Path, url: str | None, as_json: bool) -> None:
    """Tell whether the raw HTTP request in FILE is signed with our keys: exit 0 valid, 1 not, 2 FILE is unusable.

    Example: flask signature verify request.http --url https://bot.example.com/conversations/webhook
    """
    settings, received = parley().settings, _read(file)
    keys = _keys(settings)
    if url is None:
        _want_public_url(settings)
    elif not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url {quoted(url, 60)} is no URL; give it whole, with https:// and the path")
    checked = signature.public_url(settings.public_url, received.target) if url is None else url
    verdict = check(received, keys, checked)
    if as_json:
        show_json({"valid": verdict.valid, "reason": verdict.reason, "key": verdict.key})
    else:
        click.echo(_sentence(verdict))
    sys.exit(VALID if verdict.valid else INVALID)


def _show_kept(kept: list[rejections.Refusal], as_json: bool) -> None:
    if as_json:
        return show_json([asdict(refusal) | {"mismatch": refusal.mismatch} for refusal in kept])
    rows = [
        asdict(refusal) | {"mismatch": refusal.mismatch, "query": " ".join(refusal.query_names)} for refusal in kept
    ]
    show_table(rows, ["at", "refused", "mismatch", "method", "checked_url", "query"], empty="No request was refused.")
    fixes: dict[str, str] = {}
    for one in (one for refusal in kept for one in refusal.explanations):
        fixes.setdefault(one.mismatch, one.fix)  # of two for the same mismatch the newest
    for mismatch, fix in fixes.items():
        click.echo(f"\n{mismatch}: {fix}")
    return None


def _explain_file(received: Received, settings: Settings, as_json: bool) -> None:
    keys = _keys(settings)
    _want_public_url(settings)
    verdict = check(received, keys, signature.public_url(settings.public_url, received.target))
    explanations = explain(received, keys, settings.public_url, settings.account_sid)
    if as_json:
        return show_json(
            {
                "valid": verdict.valid,
                "reason": verdict.reason,
                "key": verdict.key,
                "explanations": [asdict(one) for one in explanations],
            }
        )
    click.echo(_sentence(verdict))
    for one in explanations:
        click.echo(f"\n{one.mismatch}: {one.fix}")
    return None


def _sentence(verdict: Verdict) -> str:
    return f"valid: signed with the key {verdict.key}" if verdict.valid else f"not valid: {verdict.reason}"


def _read(file: Path) -> Received:
    try:
        return _read_request(file)
    except _UnusableFile as fault:
        raise click.UsageError(str(fault)) from fault


def _keys(settings: Settings) -> Keys:
    tokens = tuple(token for token in (settings.auth_token, settings.secondary_auth_token) if token)
    if not tokens and not settings.shared_keys:
        raise click.UsageError("TWILIO_AUTH_TOKEN is empty; copy it from the Twilio console (see .env.example)")
    return Keys(tokens=tokens, shared=settings.shared_keys)


def _want_public_url(settings: Settings) -> None:
    if not settings.public_url:
        raise click.UsageError("PUBLIC_URL is empty; set the address that Twilio calls (see .env.example)")


class _UnusableFile(ValueError):
    """The file holds no request; says what is wrong with it."""


def _read_request(path: Path) -> Received:
    """Return the request in the file. Raises _UnusableFile.

    Lines of the head may end in LF alone; an editor's line end after the body is cut off by Content-Length.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise _UnusableFile(f"{path}: {error.strerror or 'cannot be read'}") from error
    if len(data) > _LARGEST_FILE:
        raise _UnusableFile(f"{path}: is larger than {_LARGEST_FILE} bytes, so it is no webhook")
    head, body = _split(data)
    line, *header_lines = head.decode("utf-8", "surrogateescape").splitlines() or [""]
    found = _REQUEST_LINE.fullmatch(line.strip())
    if not found:
        raise _UnusableFile(f"{path}: the first line must be like POST /conversations/webhook HTTP/1.1")
    headers = [_header(path, number, text) for number, text in enumerate(header_lines, start=2)]
    received = Received.of(found[1], found[2], headers, body)
    return Received(received.method, received.target, received.headers, _cut_to_length(path, received))


def _split(data: bytes) -> tuple[bytes, bytes]:
    parted = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    return parted[0], parted[1] if len(parted) > 1 else b""


def _header(path: Path, number: int, text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise _UnusableFile(f"{path}: line {number} is no header (Name: value)")
    return name.strip(), value.strip()


def _cut_to_length(path: Path, received: Received) -> bytes:
    if received.header("Transfer-Encoding"):
        raise _UnusableFile(f"{path}: has a Transfer-Encoding; save the decoded body with a Content-Length")
    announced = received.header("Content-Length")
    if not announced:
        return received.body.rstrip(b"\r\n")
    if not re.fullmatch("[0-9]{1,9}", announced) or int(announced) > len(received.body):
        raise _UnusableFile(f"{path}: Content-Length is {announced[:20]}, but the body has {len(received.body)} bytes")
    return received.body[: int(announced)]
