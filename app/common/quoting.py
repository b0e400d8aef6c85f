"""How a message shows what somebody wrote: between quotes, on one line, shortened, and nothing of it invisible."""


def quoted(text: object, most: int = 80) -> str:
    """Return the text as people quote it, at most so many characters of it: 'O'Brien', 'a<U+202A>b', 'hello…'.

    What cannot be seen or would begin a new line is shown by its code point; nothing is written as Python writes it.
    """
    whole = str(text)
    shown = "".join(char if char.isprintable() else f"<U+{ord(char):04X}>" for char in whole[:most])
    return f"'{shown}{'…' if len(whole) > most else ''}'"
