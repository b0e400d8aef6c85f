"""What to do about an error code of Twilio's REST API, in one sentence each; a table and nothing else."""

from __future__ import annotations

from app.twilio_api.client import SendError

# Source: twilio.com/docs/api/errors/<code>, read 2026-11-22.
NEXT_STEPS = {
    20003: "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or the API key) with `flask doctor`",
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
    50407: "the address is not one a participant can have; give the customer's own number with + and country code",
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
    50504: "shorten the text: 1,600 characters to SMS and WhatsApp, 32 KB in a chat",
    50507: "the media does not exist in this service; upload it again",
    50508: "a media can be in one message only; upload it again",
    50513: "in a group MMS the author must be one of the participants; choose another --author",
}


def sentence(error: SendError) -> str:
    """Return why Twilio refused, with its code, and what to do about it where that is known."""
    step = NEXT_STEPS.get(error.code)
    return f"{error.reason}; {step}" if step else error.reason
