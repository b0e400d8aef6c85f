"""What Twilio's delivery error codes mean, in a sentence with the next step; a table and nothing else."""

from __future__ import annotations

# Source: twilio.com/docs/api/errors/<code>, read 2026-11-22, unless the line says otherwise.
MEANINGS = {
    21610: "the recipient opted out (STOP); they must write START before anything reaches them",
    30001: "the queue overflowed: too many messages at once for this sender",
    30002: "the account is suspended; look into the Twilio console",
    30003: "the handset cannot be reached: off, out of coverage, or it takes no SMS",
    30004: "the message was blocked: the recipient blocks it or cannot receive it",
    30005: "the number is unknown or no longer exists",
    30006: "the number is a landline or a carrier that cannot be reached",
    30007: "the carrier filtered the message as spam; look at its text and your sender registration",
    30008: "the carrier gave no reason; send a test with another text or to another number",
    30034: "the US number is not registered for A2P 10DLC; register the campaign",
    50504: "the message is too long for this channel",
    63003: "the channel does not know the recipient's address",
    63016: "outside WhatsApp's 24 hour window; only an approved template reaches the recipient",
    63018: "the channel's rate limit was exceeded",
    63024: "the recipient's WhatsApp number is not valid",
}


def meaning(code: int) -> str:
    """Return what an error code means; for an unknown one, where to read about it."""
    if not code:
        return ""
    return MEANINGS.get(code, f"see twilio.com/docs/api/errors/{code}")
