"""REST of the phone numbers an account owns: a list, below /2010-04-01, for who wants to know their SMS webhooks."""

from typing import Any

from app.emulator.errors import TwilioError
from app.emulator.rest.request import Answer, RestCall, Route
from app.emulator.state import State

_BASE = "/2010-04-01"


def set_sms_url(state: State, phone_number: str, sms_url: str) -> None:
    """Let a number of the account have a classic SMS webhook; "" for none. The number is the account's from now on."""
    with state.lock:
        state.numbers[phone_number] = sms_url


def list_numbers(call: RestCall, account_sid: str) -> Answer:
    """List the numbers, all on one page.

    Source: phone-numbers/api/incomingphonenumber-resource, read 2026-11-22.
    """
    if account_sid != call.account_sid:
        raise TwilioError(20404, f"The account {account_sid} was not found")
    uri = f"{_BASE}/Accounts/{account_sid}/IncomingPhoneNumbers.json"
    found = [_show_number(call, *entry) for entry in sorted(call.account.state.numbers.items())]
    links = {"uri": uri, "first_page_uri": uri, "next_page_uri": None, "previous_page_uri": None}
    size = int(call.args.get("PageSize", "50"))
    return 200, {"incoming_phone_numbers": found, "page": 0, "page_size": size, "start": 0, "end": len(found)} | links


def _show_number(call: RestCall, phone_number: str, sms_url: str) -> dict[str, Any]:
    sid = "PN" + phone_number.removeprefix("+").zfill(32)
    return {
        "sid": sid,
        "account_sid": call.account_sid,
        "phone_number": phone_number,
        "friendly_name": phone_number,
        "sms_url": sms_url,
        "sms_method": "POST",
        "sms_application_sid": "",
        "sms_fallback_url": "",
        "status_callback": "",
        "capabilities": {"sms": True, "mms": True, "voice": False, "fax": False},
        "uri": f"{_BASE}/Accounts/{call.account_sid}/IncomingPhoneNumbers/{sid}.json",
    }


ROUTES = (Route(f"{_BASE}/Accounts/<account_sid>/IncomingPhoneNumbers.json", {"GET": list_numbers}, scoped=False),)
