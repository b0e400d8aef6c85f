"""Access tokens for web chat clients, made here from the API key; only the default service may be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.operations import validation
from app.operations.account import Account
from app.operations.validation import Refused

# Source: iam/access-tokens, read 2026-11-22: 24 hours at most.
LONGEST_SECONDS = 86_400


@dataclass(frozen=True)
class ApiKey:
    """What signs a token: an API key of the account (SK...) and its secret. The auth token cannot."""

    account_sid: str
    sid: str
    secret: str


@dataclass(frozen=True)
class ChatToken:
    """A token that lets one identity chat in one service until it expires."""

    token: str
    identity: str
    service_sid: str
    expires_at: datetime


def create(account: Account, key: ApiKey, identity: str, *, ttl: int = 3600, now: datetime) -> ChatToken:
    """Return a token for an identity in the account's conversation service, for `ttl` seconds.

    A ChatGrant names one service; where none is set that is the account's default one, which Twilio is asked for.
    Source: iam/access-tokens (read 2026-11-22). Raises Refused, SendError.
    """
    validation.identity(identity)
    if not 1 <= ttl <= LONGEST_SECONDS:
        raise Refused(f"a token of {ttl} seconds is not possible; give 1 to {LONGEST_SECONDS} (24 hours)")
    _check(key)
    service_sid = account.service_sid or _default_service(account)
    expires_at = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=ttl)
    token = _signed(key, identity, service_sid, now, expires_at)
    return ChatToken(token, identity, service_sid, expires_at)


def _default_service(account: Account) -> str:
    found = account.ask_account(lambda v1: v1.configuration().fetch()).default_chat_service_sid
    if not found:
        raise Refused("the account has no default conversation service; give --service IS... (`flask services list`)")
    return str(found)


def _check(key: ApiKey) -> None:
    named = (("TWILIO_ACCOUNT_SID", key.account_sid), ("TWILIO_API_KEY", key.sid), ("TWILIO_API_SECRET", key.secret))
    missing = [name for name, value in named if not value]
    if missing:
        are = "are" if len(missing) > 1 else "is"
        raise Refused(
            f"{' and '.join(missing)} {are} not set; tokens are signed with an API key, never with the auth "
            "token: create one in the Twilio console (Account > API keys)"
        )
    validation.sid("AC", key.account_sid)
    validation.sid("SK", key.sid)


def _signed(key: ApiKey, identity: str, service_sid: str, now: datetime, expires_at: datetime) -> str:
    from twilio.jwt.access_token import AccessToken
    from twilio.jwt.access_token.grants import ChatGrant

    times = {"nbf": int(now.timestamp()), "valid_until": int(expires_at.timestamp())}
    token = AccessToken(key.account_sid, key.sid, key.secret, identity=identity, **times)
    token.add_grant(ChatGrant(service_sid=service_sid))
    return str(token.to_jwt())
