"""What Twilio answers when it refuses: code, sentence and HTTP status.

Source: api/errors/<code>, read 2026-11-22. The pages give no HTTP status; statuses are those seen in practice
(404 not found, 409 already there, 429 too many), 403 where too many of something exist (chat/chat-limits, read
2026-11-29), and 400 for everything else.
"""

_STATUS = {
    20003: 401,
    20404: 404,
    20429: 429,
    20500: 500,
    20503: 503,
    50063: 429,
    50350: 404,
    50353: 409,
    50361: 403,
    50416: 409,
    50417: 403,
    50418: 403,
    50433: 409,
    50436: 403,
    50437: 409,
    50438: 409,
}


class TwilioError(Exception):
    """A refusal, as Twilio's REST API would put it."""

    def __init__(self, code: int, message: str, *, status: int | None = None, retry_after: float | str | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, 400)
        self.retry_after = retry_after

    def body(self) -> dict[str, object]:
        """Return the JSON document of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def not_found(what: str, *, code: int = 20404) -> TwilioError:
    """Return the 404 for a resource, named by its path or kind."""
    return TwilioError(code, f"The requested resource {what} was not found")
