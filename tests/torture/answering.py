"""The responder of the torture: it quotes what it is asked."""

from app.responder import Context, Message


def answer(message: Message, _context: Context) -> str:
    """Return an answer that names the message."""
    return f"You wrote: {message.text}"
