"""The control API under /_emulator/: what a test, a demo or a developer does that Twilio's API cannot.

Customers write, chat clients act, carriers fail, time passes. JSON both ways, no credentials, loopback only.
"""

import json
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request

from app.emulator import chat, import_recorded, inbound, phones
from app.emulator.account import EmulatedAccount
from app.emulator.clock import rest_time, webhook_time
from app.emulator.errors import TwilioError
from app.emulator.models import EmulatedMessage
from app.emulator.rest.phone_numbers import set_sms_url
from app.emulator.rest.serializers import media_entry
from app.emulator.webhook_targets import Target

Said = dict[str, Any]


def add_control_api(app: Flask, account: EmulatedAccount) -> None:
    """Give the app the control routes."""
    posts: dict[str, Callable[[EmulatedAccount, Said], Any]] = {
        "inbound": receive_inbound,
        "chat": write_chat,
        "edit": edit_message,
        "remove": remove_message,
        "read": read_messages,
        "look": look_at_screen,
        "webhook": post_webhook,
        "adopt": adopt_recording,
        "target": set_target,
        "number": set_number,
        "reset": reset,
        "clock": advance_clock,
        "faults": replace_faults,
        "carrier": set_carrier,
        "settle": settle,
    }
    gets: dict[str, Callable[[EmulatedAccount], Any]] = {
        "messages": list_messages,
        "counts": count,
        "webhooks": lambda it: {"webhooks": list(it.outgoing.log)},
        "requests": lambda it: {"requests": list(it.requests)},
        "clock": lambda it: {"now": webhook_time(it.clock.now())},
        "faults": lambda it: it.faults.show(),
        "carrier": show_carrier,
        "health": lambda it: {"status": "ok", "account_sid": it.options.account_sid},
    }
    for name, post in posts.items():
        app.add_url_rule(f"/_emulator/{name}", f"POST {name}", _poster(account, post), methods=["POST"])
    for name, get in gets.items():
        app.add_url_rule(f"/_emulator/{name}", f"GET {name}", _getter(account, get), methods=["GET"])


def _poster(account: EmulatedAccount, view: Callable[[EmulatedAccount, Said], Any]) -> Callable[[], Response]:
    def answer() -> Response:
        try:
            said = json.loads(request.get_data() or b"{}")
            return _respond(200, view(account, said))
        except TwilioError as error:
            return _respond(error.status, error.body())
        except KeyError as error:
            return _respond(400, {"message": f"{error.args[0]} is required"})
        except (ValueError, TypeError, AttributeError) as error:
            return _respond(400, {"message": str(error)})

    return answer


def _getter(account: EmulatedAccount, view: Callable[[EmulatedAccount], Any]) -> Callable[[], Response]:
    def answer() -> Response:
        return _respond(200, view(account))

    return answer


def _respond(status: int, document: Any) -> Response:
    return Response(json.dumps(document).encode(), status, content_type="application/json")


def _receipt_of(message: EmulatedMessage) -> Said:
    return {
        "conversation_sid": message.conversation_sid,
        "message_sid": message.sid,
        "participant_sid": message.participant_sid,
        "index": message.index,
    }


def receive_inbound(account: EmulatedAccount, said: Said) -> Said:
    """Let a customer write from a phone."""
    message = inbound.receive(
        account,
        channel=said.get("channel", "sms"),
        sender=said["from"],
        recipient=said["to"],
        body=said.get("body"),
        media=said.get("media") or (),
        service_sid=said.get("service_sid"),
    )
    return _receipt_of(message)


def write_chat(account: EmulatedAccount, said: Said) -> Said:
    """Let a chat client write; it joins first if it has not. Without a conversation: in the web chat of its own."""
    sid = said.get("conversation_sid")
    conversation = chat.conversation_by_sid(account, sid) if sid else phones.web_chat_of(account, said["identity"])
    attributes = said.get("attributes")
    text = attributes if isinstance(attributes, str | None) else json.dumps(attributes)
    return _receipt_of(chat.write(account, conversation, said["identity"], said["body"], text))


def edit_message(account: EmulatedAccount, said: Said) -> Said:
    """Let a chat client edit a message."""
    message = chat.message_by_sid(account, said["message_sid"])
    return _receipt_of(chat.edit(account, message, said["body"], said.get("identity")))


def remove_message(account: EmulatedAccount, said: Said) -> Said:
    """Let a chat client delete a message."""
    message = chat.message_by_sid(account, said["message_sid"])
    chat.remove(account, message, said.get("identity"))
    return _receipt_of(message)


def read_messages(account: EmulatedAccount, said: Said) -> Said:
    """Let a chat client read up to a message."""
    conversation = chat.conversation_by_sid(account, said["conversation_sid"])
    participant = chat.read(account, conversation, said["identity"], int(said["index"]))
    return {"participant_sid": participant.sid, "last_read_message_index": participant.last_read_index}


def look_at_screen(account: EmulatedAccount, said: Said) -> Said:
    """Let a person look at the phone of an address, or at the web chat of an identity."""
    return {"moved": phones.look(account, said["participant"])}


def post_webhook(account: EmulatedAccount, said: Said) -> Said:
    """Sign and post any form as it is, to the global webhook or to `url`, and return the answer."""
    url = said.get("url") or account.state.global_hooks.post_webhook_url
    if not url:
        raise ValueError("no webhook URL is configured; give one as url")
    form = {str(name): str(value) for name, value in said["form"].items()}
    method = str(said.get("method") or account.state.global_hooks.method).upper()
    answer = account.outgoing.post_now(Target(url, method), form)
    return {"status": answer.status, "error": answer.error, "body": answer.body.decode(errors="replace")}


def adopt_recording(account: EmulatedAccount, said: Said) -> Said:
    """Make the conversation, author and message of a recorded onMessageAdded exist."""
    form = {str(name): str(value) for name, value in said["form"].items()}
    return {"conversation_sid": import_recorded.adopt(account, form).sid}


def set_target(account: EmulatedAccount, said: Said) -> Said:
    """Set the global webhook, as the options --webhook-url and --public-url do."""
    account.point_at(said["webhook_url"], said.get("public_url") or "")
    return {"post_webhook_url": account.state.global_hooks.post_webhook_url}


def set_number(account: EmulatedAccount, said: Said) -> Said:
    """Let the account own a number, with a classic SMS webhook or without."""
    set_sms_url(account.state, said["phone_number"], said.get("sms_url") or "")
    return {"phone_number": said["phone_number"]}


def reset(account: EmulatedAccount, said: Said) -> Said:
    """Empty the account and end all faults."""
    account.reset()
    return {"reset": True}


def advance_clock(account: EmulatedAccount, said: Said) -> Said:
    """Move the clock forward; timers that end by that fire."""
    account.clock.advance(float(said["advance_seconds"]))
    account.tick()
    return {"now": webhook_time(account.clock.now())}


def replace_faults(account: EmulatedAccount, said: Said) -> Said:
    """Put these faults in force and end all others."""
    account.faults.replace(said)
    return account.faults.show()


def set_carrier(account: EmulatedAccount, said: Said) -> Said:
    """Decide how later messages to an address end."""
    code = said.get("error_code")
    account.carrier.set_outcome(said["address"], said.get("status"), int(code) if code else None)
    return {"address": said["address"]}


def show_carrier(account: EmulatedAccount) -> Said:
    """Return how later messages end, for each address that was given an end."""
    outcomes = account.carrier.outcomes()
    return {"addresses": {it: {"status": end.status, "error_code": end.error_code} for it, end in outcomes.items()}}


def settle(account: EmulatedAccount, said: Said) -> Said:
    """Wait until no webhook post and no receipt is outstanding."""
    return {"settled": account.pending.settle(float(said.get("timeout", 10)))}


def list_messages(account: EmulatedAccount) -> Said:
    """Return all messages in the order they were stored, or those of one conversation, or of one participant's."""
    wanted, name = request.args.get("conversation_sid"), request.args.get("participant")
    with account.state.lock:
        known = phones.messages_of(account, name) if name else account.state.messages.values()
        return {"messages": [_show_message(it) for it in known if wanted in (None, it.conversation_sid)]}


def count(account: EmulatedAccount) -> Said:
    """Return how many messages there are (of one author, if given), posts, requests, and open ends."""
    author = request.args.get("author")
    with account.state.lock:
        written = sum(1 for it in account.state.messages.values() if author in (None, it.author))
    return {
        "messages": written,
        "webhooks": len(account.outgoing.log),
        "requests": len(account.requests),
        "outstanding": account.pending.count(),
    }


def _show_message(it: EmulatedMessage) -> Said:
    return {
        "sid": it.sid,
        "conversation_sid": it.conversation_sid,
        "participant_sid": it.participant_sid,
        "index": it.index,
        "author": it.author,
        "body": it.body,
        "attributes": it.attributes,
        "source": it.source,
        "content_sid": it.content_sid,
        "media": [media_entry(file) for file in it.media],
        "date_created": rest_time(it.created),
        "receipts": [
            {
                "sid": receipt.sid,
                "participant_sid": receipt.participant_sid,
                "status": receipt.status,
                "error_code": receipt.error_code,
            }
            for receipt in it.receipts.values()
        ],
    }
