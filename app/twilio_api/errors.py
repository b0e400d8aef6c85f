"""Twilio's errors: the table of codes with meaning, retry decision and next step, and SendError made from a failure.

It calls nobody: the requests are made in client.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from app.twilio_api.form import is_sid

Decision = Literal["retry", "give up", "suppress"]


class SendError(Exception):
    """Why a request to Twilio brought nothing, and what to do.

    `decision`: "retry" later, "give up" (a person must look), or "suppress" (sending would be pointless or wrong).
    `uncertain`: Twilio may have done it all the same. `retry_after` and `scope` ("conversation" or "account")
    are set when Twilio asked to wait.
    """

    def __init__(
        self,
        reason: str,
        decision: Decision,
        *,
        status: int = 0,
        code: int = 0,
        uncertain: bool = False,
        retry_after: timedelta | None = None,
        scope: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.decision, self.status, self.code = reason, decision, status, code
        self.uncertain, self.retry_after, self.scope = uncertain, retry_after, scope

    @property
    def asks_to_wait(self) -> bool:
        """Whether Twilio said that we shall wait (429, or 503 with Retry-After): it counts as no attempt."""
        return bool(self.scope)

    @property
    def is_rate_limit(self) -> bool:
        """Whether this is a limit (429): nothing was done, so the same request may be made again."""
        return bool(self.scope) and not self.uncertain

    @property
    def may_come_late(self) -> bool:
        """Whether Twilio may still be storing what we sent; one that has answered with a fault of its own is not."""
        return self.uncertain and self.status not in (500, 503)

    @property
    def is_outage(self) -> bool:
        """Whether Twilio failed, or could not be reached: no fault of this request, so others will fare no better."""
        return self.decision == "retry" and (self.status == 0 or self.status == 408 or self.status >= 500)


@dataclass(frozen=True)
class Ruling:
    """One row of the decision table."""

    decision: Decision
    reason: str
    uncertain: bool = False
    scope: str = ""


# Twilio's code, else the HTTP status -> what to do. Source of each row: twilio.com/docs/api/errors/<code>
# (statuses: twilio.com/docs/usage/troubleshooting/debugging-your-application), read 2026-11-22.
BY_CODE = {
    20003: Ruling("retry", "Twilio refused the credentials; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
    20404: Ruling("suppress", "the conversation no longer exists"),
    20429: Ruling("retry", "too many requests for the account", scope="account"),
    21610: Ruling("suppress", "the recipient opted out"),
    50063: Ruling("retry", "too many writes to the conversation", scope="conversation"),
    50074: Ruling("retry", "too many writes to the conversation", scope="conversation"),
    50304: Ruling("give up", "the attributes are not valid JSON"),
    50350: Ruling("suppress", "the conversation no longer exists"),
    50373: Ruling("give up", "the conversation has no messaging service; set one in the Twilio console"),
    50377: Ruling("suppress", "the conversation is closed"),
    50504: Ruling("give up", "the reply is too long for this channel; shorten it in rules.toml"),
    50513: Ruling("give up", "in a group MMS the author must be a participant; set BOT_AUTHOR to one"),
    63016: Ruling("suppress", "outside WhatsApp's 24 hour window"),
}
BY_STATUS = {
    401: BY_CODE[20003],
    403: Ruling("retry", "Twilio refused the credentials for this request; check the API key's permissions"),
    404: BY_CODE[20404],
    408: Ruling("retry", "Twilio took too long", uncertain=True),
    429: Ruling("retry", "too many requests", scope="account"),
}
OTHER_5XX = Ruling("retry", "Twilio has a fault", uncertain=True)
OTHER_4XX = Ruling("give up", "Twilio refused the request")
OTHER_3XX = Ruling("retry", "the request was sent elsewhere; check TWILIO_API_BASE_URL, or a proxy on the way")
# No network connection was made, so nothing can have arrived.
NOT_CONNECTED = Ruling("retry", "Twilio cannot be reached")
CUT_OFF = Ruling("retry", "no answer from Twilio", uncertain=True)
UNNAMED = Ruling("retry", "Twilio's answer names nothing", uncertain=True)

# What the code of a delivery receipt means; after the semicolon what to do. Source: as above, read 2026-11-29 too;
# 21614: usage/test-credentials ("incapable of receiving SMS"); 63032: help article 17388935157915. The pages of 30035
# and 63112 could not be read: their sentences say no more than the names of the codes.
MEANINGS = {
    21408: "SMS to the recipient's country is not allowed; allow it in the Twilio console, Messaging > Settings > Geo "
    "permissions, and check the number's country code",
    21610: "the recipient opted out (STOP); they must write START before anything reaches them",
    21614: "the number cannot receive SMS; ask the customer for a mobile number",
    30001: "the queue overflowed, too many messages at once for this sender; send more slowly, then this one again",
    30002: "the account is suspended; look into the Twilio console",
    30003: "the handset cannot be reached: off, out of coverage, or it takes no SMS; try again later",
    30004: "the message was blocked: the recipient blocks it or cannot receive it; ask them in another way",
    30005: "the number is unknown or no longer exists; check it with the customer",
    30006: "the number is a landline or a carrier that cannot be reached; ask for a mobile number",
    30007: "the carrier filtered the message as spam; look at its text and your sender registration",
    30008: "the carrier gave no reason; send a test with another text or to another number",
    30022: "too many messages for the rate of your US A2P 10DLC campaign, or to one number; send more slowly",
    30032: "the toll-free number is not verified for the US and Canada; verify it in the Twilio console and wait "
    "for the approval",
    30034: "the US number is not registered for A2P 10DLC; register the campaign",
    30035: "the US number is not ready for A2P 10DLC; look at its registration in the Twilio console",
    50504: "the message is too long for this channel; shorten it",
    63001: "the channel refused Twilio's login for this sender; connect the sender again in the Twilio console",
    63003: "the channel does not know the recipient's address; check the number, and whether it has WhatsApp",
    63013: "the message is against the channel's policy; look at its text, and for many spaces in template variables",
    63015: "the sandbox reaches only who has joined it within three days; let the recipient send its join code again, "
    "or use a WhatsApp sender",
    63016: "outside WhatsApp's 24 hour window; only an approved template reaches the recipient",
    63018: "the channel's rate limit was exceeded; send more slowly",
    63024: "the recipient's WhatsApp number is not valid; check it with the customer",
    63032: "Meta keeps marketing messages from the recipient, who is in an experiment of its; use SMS",
    63049: "Meta chose not to deliver this marketing message, as always in the US; send it much later or by SMS, or "
    "use a utility template",
    63112: "Meta has disabled the sender's WhatsApp Business or Meta account; look into Meta's Business Manager",
}

# What to do about the code of a refused request. Source: as above.
NEXT_STEPS = {
    20003: "`flask doctor` looks at them; with an API key look at TWILIO_API_KEY and TWILIO_API_SECRET too",
    20404: "check the SID and the service: `--service IS...` says in which service to look",
    20429: "wait a little and run the command again; what is done is not done twice",
    50063: "wait a little and run the command again; a conversation takes about 30 writes in a second",
    50074: "wait a little and run the command again; a conversation takes about 30 writes in a second",
    50304: "write the attributes as a JSON object, like '{\"vip\": true}'",
    50350: "check the SID and the service: `--service IS...` says in which service to look",
    50353: "choose another unique name, or show the conversation that has this one",
    50373: "give the conversation a messaging service (`--messaging-service-sid MG...`) or set a default one",
    50375: "give the inactive timer at least 1 minute (PT1M)",
    50376: "give the closed timer at least 10 minutes (PT10M)",
    50377: "a closed conversation is final; create a new one",
    50382: "give a state together with the timers",
    50407: "the address is not one a participant can have; give the customer's own number with + and country code, "
    "no number of Twilio's, and no projected address beside it",
    50408: "the proxy address is not usable; give one of your own Twilio numbers with --proxy-address",
    50409: "the participant's address and the proxy address are the same; the proxy is your Twilio number",
    50413: "the proxy address does not belong to this account; give one of your own Twilio numbers",
    50414: "both addresses must be of one channel: whatsapp: on both sides or on neither",
    50415: "the proxy number has no WhatsApp sender; register it in the Twilio console",
    50416: "this customer already talks to that number in another open conversation; find it with "
    "`flask conversations list --address`, close it or use it",
    50417: "a conversation has at most 1,000 participants; remove some or open another one",
    50418: "a conversation has at most 50 participants by SMS or WhatsApp; remove some or open another one",
    50422: "a conversation has at most 50 participants by SMS or WhatsApp; remove some or open another one",
    50433: "that identity is in the conversation already; nothing needs to be done",
    50436: "a group MMS has at most 10 participants; remove some",
    50437: "that participant is in the group already; nothing needs to be done",
    50438: "a group conversation of the same participants exists; use that one",
    50440: "the participant has no proxy address to take away or is not on SMS; leave its proxy address as it is",
    50441: "the participant has no address of its own, so it takes no proxy address; remove it and add it anew with "
    "--sms and --proxy-address",
    50443: "the participant has an address already, so it takes no projected one; remove it and add it anew",
    50453: "Twilio does not change how this participant is reached; remove it and add it anew",
    50504: "shorten the text: 1,600 characters to SMS and WhatsApp, 32 KB in a chat",
    50507: "the media does not exist in this service; upload it again",
    50508: "a media can be in one message only; upload it again",
    50513: "in a group MMS the author must be one of the participants; choose another --author",
}


def refusal(error: Any, retry_after: timedelta | None) -> SendError:
    """Return what follows from an error that the SDK raised because of Twilio's answer, and its Retry-After."""
    status, code = _status_and_code(error)
    ruling = BY_CODE.get(code) or BY_STATUS.get(status) or _other(status)
    asked = retry_after if status in (429, 503) else None
    if asked and status == 503:
        ruling = replace(ruling, scope="account")
    return _ruled(ruling, status=status, code=code, retry_after=asked)


def _other(status: int) -> Ruling:
    if status >= 500 or not status:
        return OTHER_5XX
    return OTHER_4XX if status >= 400 else OTHER_3XX


def named(prefix: str, sid: object) -> str:
    """Return the SID in an answer of Twilio's. Raises SendError where it is none: what was asked for may be done."""
    if isinstance(sid, str) and is_sid(sid, prefix):
        return sid
    raise _ruled(UNNAMED)


def _status_and_code(error: Any) -> tuple[int, int]:
    """Return HTTP status and Twilio's code; 0 where there is none.

    For a refused list the SDK (9.13) raises a plain TwilioException that carries the response.
    """
    if hasattr(error, "status"):
        return int(error.status or 0), _number(getattr(error, "code", 0))
    response = error.args[1] if len(error.args) > 1 else None
    try:
        code = json.loads(getattr(response, "text", "")).get("code")
    except (ValueError, AttributeError):
        code = 0
    return int(getattr(response, "status_code", 0) or 0), _number(code)


def _number(code: object) -> int:
    """Return a code of Twilio's, 0 for what is none: anything may stand in an answer."""
    if isinstance(code, str) and code.isascii() and code.isdigit():
        return int(code)
    return code if isinstance(code, int) else 0


def _ruled(ruling: Ruling, *, status: int = 0, code: int = 0, retry_after: timedelta | None = None) -> SendError:
    number = f" ({code or status})" if code or status else ""
    return SendError(
        ruling.reason + number,
        ruling.decision,
        status=status,
        code=code,
        uncertain=ruling.uncertain,
        retry_after=retry_after,
        scope=ruling.scope,
    )


def no_answer(error: Exception) -> SendError:
    """Return what follows from a request that Twilio did not answer; what was never said cannot have been heard."""
    return _ruled(NOT_CONNECTED if never_connected(error) else CUT_OFF)


def never_connected(error: Exception) -> bool:
    """Return whether a request failed before anything of it was sent."""
    from app.twilio_api.bounded_http import RequestFailed

    return isinstance(error, RequestFailed) and error.nothing_sent


def meaning(code: int) -> str:
    """Return what an error code means; for an unknown one, where to read about it."""
    if not code:
        return ""
    return MEANINGS.get(code, f"see twilio.com/docs/api/errors/{code}")


def sentence(error: SendError) -> str:
    """Return why Twilio refused, with its code, and what to do about it where that is known."""
    step = NEXT_STEPS.get(error.code)
    return f"{error.reason}; {step}" if step else error.reason
