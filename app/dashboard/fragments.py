"""Fragments of pages that the browser polls: answered with an ETag, and 304 when nothing has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

_TEMPLATES = Path(__file__).parent / "templates"


def fragment(template: str, fingerprint: object, context: Callable[[], dict[str, Any]]) -> ResponseReturnValue:
    """Return a part of a page with its ETag, which is known from what the part is made of.

    Who has this one already gets 304, and nothing is written anew. No thread waits for news.
    """
    source = (repr(fingerprint), request.full_path, _source_of_templates())
    response = make_response()
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256("\n".join(source).encode("utf-8", "replace")).hexdigest()[:32])
    if response.make_conditional(request).status_code != 304:
        response.set_data(render_template(template, **context()))
    return response


def unless_known(html: str) -> ResponseReturnValue:
    """Return a part of a page with its ETag; 304 without a body when the page has this one."""
    response = make_response(html)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(html.encode()).hexdigest()[:32])
    return response.make_conditional(request)


@cache
def _source_of_templates() -> str:
    """Return a mark of how all parts are written: a new version of this software writes them anew."""
    return hashlib.sha256(b"".join(one.read_bytes() for one in sorted(_TEMPLATES.glob("*.html")))).hexdigest()
