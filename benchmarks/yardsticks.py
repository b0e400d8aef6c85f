"""Gives four small WSGI apps to measure Parley against; each does less than Parley does, none is part of it."""

import os

from flask import Flask, request
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from benchmarks.messages import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, ROUTE


def bare_flask() -> Flask:
    """Return an app that answers 204 and reads nothing: what Flask and gunicorn cost alone."""
    app = Flask(__name__)

    @app.post(ROUTE)
    def receive() -> tuple[str, int]:
        return "", 204

    return app


def validating_flask() -> Flask:
    """Return an app that checks the signature with Twilio's own class and stores nothing."""
    app = Flask(__name__)
    validator = RequestValidator(AUTH_TOKEN)

    @app.post(ROUTE)
    def receive() -> tuple[str, int]:
        return "", 204 if is_signed(validator) else 403

    return app


def fsyncing_flask() -> Flask:
    """Return an app that checks the signature and appends the body to a file, with one fsync: the disk's own share.

    Each process has a file of its own; nothing is looked up, ordered or indexed.
    """
    app = Flask(__name__)
    validator = RequestValidator(AUTH_TOKEN)
    file = os.open(f"{os.environ['BENCH_FILE']}.{os.getpid()}", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    @app.post(ROUTE)
    def receive() -> tuple[str, int]:
        if not is_signed(validator):
            return "", 403
        os.write(file, repr(request.form).encode())
        os.fsync(file)
        return "", 204

    return app


def naive_flask() -> Flask:
    """Return an app that replies inside the request, as most tutorials do, to the API at BENCH_API_URL."""
    app = Flask(__name__)
    validator = RequestValidator(AUTH_TOKEN)
    client = client_for(os.environ["BENCH_API_URL"])

    @app.post(ROUTE)
    def receive() -> tuple[str, int]:
        if not is_signed(validator):
            return "", 403
        service = client.conversations.v1.services(request.form["ChatServiceSid"])
        conversation = service.conversations(request.form["ConversationSid"])
        conversation.messages.create(author="support-bot", body="ok")
        return "", 204

    return app


def is_signed(validator: RequestValidator) -> bool:
    """Return whether Twilio signed the request that is answered now."""
    signature = request.headers.get("X-Twilio-Signature", "")
    return validator.validate(PUBLIC_URL + ROUTE, request.form, signature)


def client_for(api_url: str) -> Client:
    """Return the SDK's client, with an HTTP client as the SDK brings it, for the API at this origin."""
    http_client = TwilioHttpClient()
    http_client.session.mount("http://", HTTPAdapter(pool_maxsize=32))
    client = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=http_client)
    client.conversations.base_url = api_url
    return client
