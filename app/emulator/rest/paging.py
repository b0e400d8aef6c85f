"""Lists in pages, as Twilio gives them: a `meta` with the URLs around, and tokens that survive additions."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from app.emulator.errors import TwilioError
from app.emulator.validation import whole_number


def page(
    items: Iterable[Any],
    *,
    url: str,
    args: dict[str, str],
    key: str,
    largest: int,
    render: Callable[[Any], dict[str, Any]],
    descending: bool = False,
) -> dict[str, Any]:
    """Return one page of `items`, which are in the order of the list (by serial, up or down).

    `args` is the query of the request. Raises 20001 for a page size out of range.
    """
    size = _size(args.get("PageSize") or str(min(50, largest)), largest)
    number = whole_number("Page", args.get("Page") or "0")
    rest = list(islice(_from_token(items, args.get("PageToken", ""), descending, size), size + 1))
    shown, more = rest[:size], len(rest) > size
    kept = {name: value for name, value in args.items() if name not in ("PageSize", "Page", "PageToken")}

    def address(page_number: int, token: str = "") -> str:
        query = {**kept, "PageSize": str(size), "Page": str(page_number)}
        return f"{url}?{urlencode(query | ({'PageToken': token} if token else {}))}"

    meta = {
        "page": number,
        "page_size": size,
        "first_page_url": address(0),
        "previous_page_url": address(number - 1, f"PB{shown[0].serial}") if number and shown else None,
        "url": address(number, args.get("PageToken", "")),
        "next_page_url": address(number + 1, f"PA{shown[-1].serial}") if more else None,
        "key": key,
    }
    return {"meta": meta, key: [render(item) for item in shown]}


def _size(text: str, largest: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= largest:
        raise TwilioError(20001, f"PageSize must be between 1 and {largest}")
    return int(text)


def _from_token(items: Iterable[Any], token: str, descending: bool, size: int) -> Iterable[Any]:
    """Return the items after (PA) or just before (PB) the one that the token names."""
    if not token:
        return items
    if token[:2] not in ("PA", "PB") or not token[2:].isdigit():
        raise TwilioError(20001, "PageToken is not one of ours")
    edge = int(token[2:])
    if token.startswith("PA"):
        return (item for item in items if (item.serial < edge if descending else item.serial > edge))
    before = [item for item in items if (item.serial > edge if descending else item.serial < edge)]
    return before[-size:]
