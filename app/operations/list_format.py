"""A list of people as it was saved: its encoding, and the cells of its lines; who they are is not known here.

Text: one address or identity a line; empty lines and those that begin with # say nothing.
CSV: a header of the columns below, in any order, separated by commas, semicolons or tabs, as programs save it.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence

from app.common.quoting import quoted
from app.operations.validation import Refused, is_address
from app.twilio_api.addresses import BETWEEN_DIGITS, in_ascii_digits, number_in, without_marks

COLUMNS = ("address", "identity", "channel", "proxy_address", "attributes")
DELIMITERS = (",", ";", "\t")
Row = dict[str, str]

_BOTH_ORDERS = "utf-16"  # which of the two its mark tells
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, _BOTH_ORDERS), (codecs.BOM_UTF16_BE, _BOTH_ORDERS))
_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8"}
_SEVERAL = "it has several columns and no header names them; begin the list with one, such as address,channel"
# What the first line is called where it is a header of one column, in languages of many of our users.
_HEADERS = frozenset(
    """addresses cell cellphone contact contacts customer customers e-mail email fullname handy identities mobil mobile
    mobiltelefon movil móvil name names nom nombre nome number numbers numero nummer número numéro phone phonenumber
    phonenumbers phones portable sms tel telefon telefone telefonnummer telefono telephone teléfono telemóvel téléphone
    user username users whatsapp""".split()
)


def decode(content: bytes) -> str:
    """Return the text of a list, in UTF-8, or in UTF-16 as Excel's "Unicode text". Raises Refused."""
    if content.startswith(b"PK\x03\x04"):
        raise Refused("the list is a spreadsheet or another ZIP file; save it as CSV and try again")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "") or _guessed(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        named = _NAMES.get(encoding, "UTF-16")
        raise Refused(f"the list is not {named} (byte {error.start}); save it as UTF-8 and try again") from None
    if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        raise Refused("the list is not text; give a text file or a CSV, saved as UTF-8")
    return text


def _guessed(content: bytes) -> str:
    """Return the encoding of a list without a mark: letters of UTF-16 have a zero before or behind them."""
    if content[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if content[:1] == b"\0" else "utf-8"


def rows(text: str) -> list[tuple[int, Row]]:
    """Return each line that says something with its number, as columns; "line" alone for plain text. Raises Refused."""
    lines = [(number, _clean(line)) for number, line in enumerate(text.splitlines(), start=1)]
    saying = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not saying:
        raise Refused("the list names nobody: it is empty; write one number, whatsapp:+1... or identity a line")
    if card := next((number for number, line in saying if line.upper() == "BEGIN:VCARD"), 0):
        raise Refused(
            f"line {card}: this is a vCard, not a list; write one number a line, or export the contacts as CSV and "
            "call the column of the numbers address"
        )
    number, first = saying[0]
    delimiter = _delimiter(first)
    if first.lower().startswith("sep=") and len(saying) > 1:  # as Excel writes it
        delimiter, (number, first) = first[4:5] or "\t", saying[1]
    if delimiter:
        _check_header(_header(first, delimiter), number)
        return list(_csv_rows(text, delimiter, number))
    _refuse_header(saying)
    return [(number, {"line": line}) for number, line in saying]


def of_plain(line: str) -> Row:
    """Return the address or the identity on a line of plain text. Raises Refused for what may be neither."""
    one = line[1:-1] if re.fullmatch('"[^"]*"', line) else line
    one = re.sub("^(tel|sms):(?=.)", "", one, flags=re.IGNORECASE)
    if any(delimiter in one for delimiter in DELIMITERS):
        raise Refused(f"{quoted(line, 40)}: {_SEVERAL}")
    if re.match(r"whatsapp:", one, re.IGNORECASE):
        return {"address": "whatsapp:" + one[len("whatsapp:") :]}
    bare = re.sub(f"[{BETWEEN_DIGITS}]", "", in_ascii_digits(one))
    if bare.startswith(("+", "00")):
        return {"address": one}
    if re.fullmatch(r"\W*[0-9]+\W*", bare):
        raise Refused(
            f"{quoted(line, 40)} has no letter, so it is rather a number without its country; write it with + and the "
            "country code, or, if it is a chat identity, give it with --identity or under a header `identity`"
        )
    if any(number_in(found) for found in re.findall(rf"(?<!\w)\+[0-9{BETWEEN_DIGITS}]{{7,}}", one)):
        raise Refused(f"{quoted(line, 40)} is more than a number; write the number alone, or a CSV with a header")
    if is_address(one):
        raise Refused(f"{quoted(line, 40)} is an address of a channel that nobody can be added by; leave the line out")
    return {"identity": one}


def _refuse_header(saying: Sequence[tuple[int, str]]) -> None:
    """Raise Refused where the first line of plain text is rather a header."""
    (number, first), others = saying[0], saying[1:]
    words = re.sub(r"[\s_]+", "", first.strip('"').lower())
    is_alone = bool(others) and _is_name(first) and not any(_is_name(line) for _, line in others)
    if any(delimiter in first for delimiter in DELIMITERS) and _is_name(first):
        named = ", ".join(quoted(name, 40) for name in _cells(first, next(one for one in DELIMITERS if one in first)))
        raise Refused(
            f"line {number}: of the columns {named[:300]} none is called address or identity; call the one with the "
            f"numbers address and leave out what is none of {', '.join(COLUMNS)}"
        )
    if words in _HEADERS or (is_alone and len(others) > 1):
        raise Refused(
            f"line {number}: {quoted(first, 40)} looks like a header; call it address (or identity), or leave it out; "
            "if it is a chat identity, give it with --identity"
        )


def _is_name(line: str) -> bool:
    """Return whether a line has no number in it: fewer than five digits."""
    return len(re.findall("[0-9]", in_ascii_digits(line))) < 5


def _delimiter(line: str) -> str:
    """Return what separates the columns of a header that we know, "" for a line that is none."""
    known = {one: len(set(_header(line, one)) & set(COLUMNS)) for one in DELIMITERS}
    best = max(DELIMITERS, key=lambda one: known[one])
    return best if known[best] else ""


def _header(line: str, delimiter: str) -> list[str]:
    return [re.sub(r"[\s-]+", "_", cell.lower()) for cell in _cells(line, delimiter)]


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        cells = line.split(delimiter)
    return [_clean(cell) for cell in cells]


def _clean(cell: str) -> str:
    return without_marks(cell.strip()).strip()


def _check_header(header: list[str], line: int) -> None:
    named = [name for name in header if name]
    unknown = [name for name in named if name not in COLUMNS]
    if unknown:
        raise Refused(
            f"line {line}: the CSV has a column {quoted(unknown[0], 40)}; the columns are {', '.join(COLUMNS)}"
        )
    if len(set(named)) < len(named):
        raise Refused(f"line {line}: the CSV names a column twice: {', '.join(named)}")
    if not set(named) & {"address", "identity"}:
        raise Refused(f"line {line}: the CSV needs a header with a column `address` or `identity`")


def _csv_rows(text: str, delimiter: str, header_line: int) -> Iterator[tuple[int, Row]]:
    lines = text.splitlines(keepends=True)[header_line - 1 :]
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        number = reader.line_num + header_line
        try:
            cells = [_clean(cell) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise Refused(f"line {number}: this is not CSV ({error}); put text with quotes into quotes") from None
        if not header:
            header = _header(lines[0], delimiter)
        elif any(cells):
            _check_cells(cells, header, number)
            yield number, {name: cell for name, cell in zip(header, cells, strict=False) if name}


def _check_cells(cells: list[str], header: list[str], line: int) -> None:
    """Raise Refused where something stands under no column; empty cells at the end of a line may."""
    columns = len(header) - next((n for n, name in enumerate(reversed(header)) if name), 0)
    used = max(n for n, cell in enumerate(cells, start=1) if cell)
    if used > columns:
        raise Refused(
            f"line {line}: {used} cells under {columns} columns; put JSON into quotes, with its own quotes doubled, "
            'like "{""vip"": true}"'
        )
    if nameless := [cell for name, cell in zip(header, cells, strict=False) if cell and not name]:
        raise Refused(
            f"line {line}: {quoted(nameless[0], 40)} stands in a column without a name; name it in the header"
        )
