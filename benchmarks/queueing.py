"""Gives the queue that people would put behind a webhook: Flask + Huey on SQLite, replying with Twilio's SDK.

It keeps fewer promises than Parley does (no dedupe, no order, a job that a killed consumer had is gone), and it is
part of the benchmarks only. The consumer: `huey_consumer benchmarks.queueing.huey`.
"""

import os

from flask import Flask, request
from huey import SqliteHuey
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from benchmarks.messages import AUTH_TOKEN, ROUTE
from benchmarks.yardsticks import client_for, is_signed

huey = SqliteHuey("bench", filename=os.environ.get("BENCH_FILE", "/dev/null"), fsync=True)
_clients: list[Client] = []


@huey.task()
def reply(service_sid: str, conversation_sid: str) -> None:
    """Answer a message through the REST API at BENCH_API_URL."""
    if not _clients:
        _clients.append(client_for(os.environ["BENCH_API_URL"]))
    conversation = _clients[0].conversations.v1.services(service_sid).conversations(conversation_sid)
    conversation.messages.create(author="support-bot", body="ok")


def queueing_flask() -> Flask:
    """Return an app that checks the signature and puts the reply into the queue, on disk before it answers."""
    app = Flask(__name__)
    validator = RequestValidator(AUTH_TOKEN)

    @app.post(ROUTE)
    def receive() -> tuple[str, int]:
        if not is_signed(validator):
            return "", 403
        reply(request.form["ChatServiceSid"], request.form["ConversationSid"])
        return "", 204

    return app
