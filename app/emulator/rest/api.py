"""The REST API's entry: authentication, faults, and one Flask rule for each route of the files beside.

Spoken to by the unmodified twilio SDK, whose http client has its origin replaced.
"""

import json
import time
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Flask, Request, Response, request

from app.emulator import strictness
from app.emulator.account import EmulatedAccount
from app.emulator.errors import TwilioError
from app.emulator.faults import RequestFault
from app.emulator.rest import (
    addresses,
    configuration,
    conversations,
    media,
    messages,
    participants,
    phone_numbers,
    push,
    users,
)
from app.emulator.rest.request import Answer, RestCall, View

CUT = "emulator.cut"
ROUTES = (
    *conversations.ROUTES,
    *messages.ROUTES,
    *participants.ROUTES,
    *configuration.ROUTES,
    *addresses.ROUTES,
    *users.ROUTES,
    *media.ROUTES,
    *push.ROUTES,
)


def add_rest_api(app: Flask, account: EmulatedAccount) -> None:
    """Give the app every route, with and without a service in its path."""
    for route in ROUTES:
        for method, view in route.views.items():
            if route.unscoped:
                _add(app, account, f"/v1{route.path}", method, view, in_service=False)
            if route.scoped:
                path = f"/v1/Services/<chat_service_sid>{route.path}"
                _add(app, account, path, method, view, in_service=True)
    for route in phone_numbers.ROUTES:
        for method, view in route.views.items():
            _add(app, account, route.path, method, view, in_service=False)
    app.register_error_handler(404, lambda _: _nowhere(account, 20404, f"{request.path} was not found", 404))
    app.register_error_handler(405, lambda _: _nowhere(account, 20004, "Method not allowed", 405))
    media.add_public_content(app, account)


def _add(app: Flask, account: EmulatedAccount, rule: str, method: str, view: View, *, in_service: bool) -> None:
    def answer(chat_service_sid: str | None = None, **names: str) -> Response:
        response = _answer(account, view, chat_service_sid if in_service else None, names)
        response.date = account.clock.now()
        _log_call(account, response.status_code)
        return response

    endpoint = f"{method} {rule}"
    app.add_url_rule(rule, endpoint, answer, methods=[method], provide_automatic_options=False)


def _answer(account: EmulatedAccount, view: View, chat_service_sid: str | None, names: dict[str, str]) -> Response:
    fault = account.faults.for_request(request.method, request.path)
    try:
        _wait(fault.latency)
        authenticate(account, request)
        _fail(fault)
        if fault.hang_seconds and not fault.hang_stores:
            _wait(fault.hang_seconds)
            raise TwilioError(20503, "Service unavailable")
        call = _call(account, chat_service_sid)
        if fault.late_seconds:
            account.later(fault.late_seconds, partial(_run_late, view, call, names))
            request.environ[CUT] = True
            return _respond(200, None)
        answer = _run(account, view, call, names)
        if fault.early_receipt and not isinstance(answer, Response):
            account.carrier.wait_for_receipt(str((answer[1] or {}).get("sid")), account.outgoing.is_idle)
        _wait(fault.hang_seconds)
    except TwilioError as error:
        return _refusal(error)
    request.environ[CUT] = fault.cut
    return answer if isinstance(answer, Response) else _respond(*answer)


def _run(account: EmulatedAccount, view: View, call: RestCall, names: dict[str, str]) -> Answer | Response:
    """Run a view; reads see the account standing still, writes take the lock where they need it."""
    if request.method != "GET":
        return view(call, **names)
    with account.state.lock:
        return view(call, **names)


def _run_late(view: View, call: RestCall, names: dict[str, str]) -> None:
    with suppress(TwilioError):  # nobody waits for the answer
        view(call, **names)


def _wait(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


def _fail(fault: RequestFault) -> None:
    if fault.status is not None:
        sentence = "Failed on request of the emulator's user"
        raise TwilioError(fault.code, sentence, status=fault.status, retry_after=fault.retry_after)


def authenticate(account: EmulatedAccount, wanted: Request) -> None:
    """Raise 20003 unless the request has credentials: the account's with its auth token, or an API key's."""
    given = wanted.authorization
    user, secret = (given.username or "", given.password) if given and given.type == "basic" else ("", None)
    is_key = user.startswith("SK") and bool(secret)
    own = user.startswith("AC") if account.options.lenient else user == account.options.account_sid
    is_account = own and secret == account.options.auth_token
    if not (is_key or is_account):
        raise TwilioError(20003, "Authenticate")


def _call(account: EmulatedAccount, chat_service_sid: str | None) -> RestCall:
    service_sid = chat_service_sid or account.state.configuration.chat_service_sid
    if chat_service_sid:
        account.state.service(chat_service_sid)
    wish = request.headers.get("X-Twilio-Webhook-Enabled")
    strictness.webhook_header(account, wish)
    fires = (wish or "").lower() == "true"
    form, args = request.form, request.args.to_dict()
    return RestCall(account, service_sid, chat_service_sid is not None, form, args, fires)


def _respond(status: int, document: dict[str, Any] | None) -> Response:
    body = b"" if document is None else json.dumps(document, separators=(",", ":")).encode()
    return Response(body, status, content_type="application/json")


def _refusal(error: TwilioError) -> Response:
    response = _respond(error.status, error.body())
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


def _nowhere(account: EmulatedAccount, code: int, sentence: str, status: int) -> Response:
    if not request.path.startswith("/_emulator/"):
        _log_call(account, status)
    return _refusal(TwilioError(code, sentence, status=status))


def _log_call(account: EmulatedAccount, status: int) -> None:
    cut = bool(request.environ.get(CUT))
    account.requests.append(
        {
            "method": request.method,
            "path": request.path,
            "query": list(request.args.items(multi=True)),
            "form": list(request.form.items(multi=True)),
            "status": 0 if cut else status,
            "cut": cut,
        }
    )
