"""REST: the media store, which at Twilio is a host of its own (mcs.us1.twilio.com).

Source: conversations-classic/api/media-resource, read 2026-11-22.
"""

from typing import Any

from flask import Flask, Response, request

from app.emulator import media_store
from app.emulator.account import EmulatedAccount
from app.emulator.clock import rest_time
from app.emulator.errors import TwilioError, not_found
from app.emulator.models import StoredMedia
from app.emulator.rest.request import Answer, RestCall, Route


def _show(call: RestCall, it: StoredMedia) -> dict[str, Any]:
    path = f"/v1/Services/{it.service_sid}/Media/{it.sid}"
    origin = request.host_url.rstrip("/")
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "service_sid": it.service_sid,
        "message_sid": it.message_sid,
        "channel_sid": it.conversation_sid,
        "category": "media",
        "content_type": it.content_type,
        "file_name": it.filename,
        "filename": it.filename,
        "size": it.size,
        "author": it.author,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.created),
        "date_upload_updated": rest_time(it.created),
        "is_multipart_upstream": False,
        "url": path,
        "links": {
            "content": f"{path}/Content",
            "content_direct_temporary": f"{origin}/media-temporary/{it.sid}?Expires=3600",
        },
    }


def _find(call: RestCall, sid: str) -> StoredMedia:
    found = call.account.state.media.get(sid)
    if found is None or found.service_sid != call.service_sid:
        raise not_found(f"/Services/{call.service_sid}/Media/{sid}")
    return found


def upload(call: RestCall) -> Answer:
    """Store the request's body as a file."""
    content = request.get_data()
    if not content:
        raise TwilioError(20001, "The body must hold the file")
    it = media_store.add(
        call.account.state,
        call.service_sid,
        author=call.args.get("Author", "system"),
        content_type=request.content_type or "application/octet-stream",
        filename=call.args.get("Filename") or None,
        content=content,
    )
    return 201, _show(call, it)


def fetch(call: RestCall, sid: str) -> Answer:
    """Fetch what is known of a file, and where its content is."""
    return 200, _show(call, _find(call, sid))


def delete(call: RestCall, sid: str) -> Answer:
    """Delete a file."""
    call.account.state.media.pop(_find(call, sid).sid, None)
    return 204, None


def fetch_content(call: RestCall, sid: str) -> Response:
    """Fetch the bytes of a file."""
    return content_response(_find(call, sid))


def content_response(it: StoredMedia) -> Response:
    """Return the bytes of a file as a response of its own type."""
    return Response(media_store.content_of(it), 200, content_type=it.content_type)


def add_public_content(app: Flask, account: EmulatedAccount) -> None:
    """Give the app the short-lived links: they are credentials of their own, and refuse any others beside them."""

    def temporary(sid: str) -> Response:
        if request.headers.get("Authorization"):
            return Response("Only one way to authenticate is allowed", 400)
        it = account.state.media.get(sid)
        return content_response(it) if it else Response("", 404)

    app.add_url_rule("/media-temporary/<sid>", "media-temporary", temporary, methods=["GET"])


ROUTES = (
    Route("/Media", {"POST": upload}, unscoped=False),
    Route("/Media/<sid>", {"GET": fetch, "DELETE": delete}, unscoped=False),
    Route("/Media/<sid>/Content", {"GET": fetch_content}, unscoped=False),
)
