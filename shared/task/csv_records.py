"""Reads one CSV file strictly; a defect becomes one sentence that says where it is and what to do."""

import codecs
import csv
import difflib
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

MAX_FIELD = 100_000  # characters; the longest real field has 1,253, so a longer one is a quote that nobody closed
CSV_LIMIT = 131_072  # csv's own, which it meets before we can measure a field
PIECE = 1 << 20  # bytes looked at together
DELIMITERS = (",", "\t", ";", "|")
SHOWN = 40  # characters of a value that a message repeats
OTHER = {  # what a file may begin with that was fetched or unpacked the wrong way
    b"version https://": "a pointer of Git LFS",
    b"\x1f\x8b": "packed with gzip",
    b"pk\x03\x04": "a zip archive",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
}
TELLING = {"id", "a", "b", "c", "d"}  # words of a column's name without which it is another column
UNSEEN = {"Cc", "Cf", "Cn", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"}  # control, format, unassigned, marks alone, spaces
BLANK_LETTERS = set("\u115f\u1160\u2800\u3164\uffa0")  # fillers of Hangul and the empty pattern of Braille
WHOLE = re.compile("0|[1-9][0-9]{0,17}")  # 18 digits fit Int64; int() would also take " 12", "1_0", "-0" and "１２"


class CompetitionError(ValueError):
    """A file is not as the competition publishes it: one line with the file, the line, the column and the way out."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a CSV file: `line` (from 1) is where it starts in the file, for a field may hold line breaks."""

    path: Path
    line: int
    fields: dict[str, str]

    def text(self, column: str) -> str:
        """The field without the white space around it. Raises CompetitionError when nothing is left that is seen."""
        text = self.fields[column].strip()
        if is_visible(text):
            return text
        what = f"the text, {shorten(text)!a}, shows nothing" if text else "the text is empty"
        raise self.defect(column, f"{what}; fill it in or remove the row")

    def id(self, column: str, *, point_zero: bool = False) -> int:
        """The field as a number of 0 or more in plain digits, or 17.0 if `point_zero`. Raises CompetitionError."""
        value = self.fields[column]
        if WHOLE.fullmatch(digits := value.removesuffix(".0") if point_zero else value):
            return int(digits)
        raise self.defect(column, f"{shorten(value)} is not an id; write a whole number such as 17 in plain digits")

    def defect(self, column: str, what: str) -> CompetitionError:
        return defect(self.path, what, self.line, column)


def read_records(
    path: Path,
    columns: Sequence[str],
    again: str,
    *,
    optional: Sequence[str] = (),
    cut: bool = False,
    others: bool = False,
) -> Iterator[Record]:
    """Every row of the CSV at `path`, one at a time, which must have exactly `columns` in any order; blank lines not.

    Those in `optional` may stand there as well. With `others`, any further columns may stand there, and tabs,
    semicolons or bars between the fields.

    Raises CompetitionError for a file that is missing, empty, not UTF-8, or not a table of those columns. `again` says
    how to get the file anew. A field that is too long is an error too, or, with `cut`, is cut, which a line says.
    """
    check_bytes(path, again)
    with open(path, encoding="utf-8-sig", newline="") as file:  # sig: the byte order mark that Excel puts there
        csv.field_size_limit(sys.maxsize if cut else CSV_LIMIT)  # csv keeps it for the whole process
        rows = _split(path, file, _delimiter(file, columns) if others else ",")
        line, header = next(rows, (1, None))
        if header is None:
            raise defect(path, f"the file is empty; {again}")
        _check_header(path, line, header, columns, optional, others)
        record = None
        for line, fields in rows:
            record = Record(path, line, _name_fields(path, line, header, fields, cut))
            yield record
    if record is None:
        raise defect(path, f"there is a header but no rows; {again}")


def defect(path: Path, what: str, line: int | None = None, column: str | None = None) -> CompetitionError:
    """The error that says `what` is wrong at that place; `line` is where the record starts."""
    place = f"{path}" + (f", record from line {line}" if line else "") + (f", column {column}" if column else "")
    return CompetitionError(f"{place}: {what}")


def shorten(value: str) -> str:
    """`value` in quotes, on one line, cut to its first characters."""
    return repr(value if len(value) <= SHOWN else value[: SHOWN - 1] + "…")


def is_visible(text: str) -> bool:
    """Whether at least one character of `text` is drawn by itself; white space is not."""
    return any(unicodedata.category(letter) not in UNSEEN and letter not in BLANK_LETTERS for letter in text)


def check_bytes(path: Path, again: str, *, text: bool = True) -> None:
    """Raise CompetitionError unless the file can be read and, if it is a text, is UTF-8 without NUL."""
    try:
        if path.exists() and not path.is_file():  # a named pipe would be waited for without an end
            raise defect(path, f"the file cannot be read (it is no plain file); {again}")
        with open(path, "rb") as file:
            if what := next((what for start, what in OTHER.items() if file.peek(16).lower().startswith(start)), None):
                raise defect(path, f"this is {what}, not the file itself; {again}")
            if text:
                _check_pieces(path, file, again)
    except FileNotFoundError:
        raise defect(path, f"the file does not exist; {again}") from None
    except OSError as error:
        raise defect(path, f"the file cannot be read ({error.strerror}); {again}") from error


def _check_pieces(path: Path, file: BinaryIO, again: str) -> None:
    decoder, lines, offset = codecs.getincrementaldecoder("utf-8")(), 1, 0  # `offset` of what the decoder has not read
    while True:
        piece = file.read(PIECE)
        piece += file.read(1) if piece.endswith(b"\r") else b""  # a line end of two bytes stays in one piece
        held = decoder.getstate()[0]
        text = _decode(path, decoder, piece, lines, offset - len(held))
        if (nul := text.find("\0")) >= 0:
            raise defect(path, f"line {lines + _line_ends(text[:nul])} holds a NUL byte; {again}")
        if not piece:
            return
        lines, offset = lines + _line_ends(text), offset + len(piece)


def _decode(path: Path, decoder: codecs.IncrementalDecoder, piece: bytes, lines: int, offset: int) -> str:
    try:
        return decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        line = lines + _line_ends(error.object[: error.start].decode())
        where = f"byte {error.object[error.start]:#04x} at offset {offset + error.start:,} (line {line})"
        raise defect(path, f"{where} is not UTF-8; save the file as UTF-8") from None


def _line_ends(text: str) -> int:
    return len(re.findall("\r\n|\r|\n", text))


def _delimiter(file: TextIO, columns: Sequence[str]) -> str:
    """What stands between the fields: whichever gives the header most of `columns`."""
    header = file.readline()
    file.seek(0)
    found = {mark: len(set(columns) & set(next(csv.reader([header], delimiter=mark), []))) for mark in DELIMITERS}
    return max(found, key=found.__getitem__)


def _split(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise defect(path, _explain(error), line) from None
        if fields:
            yield line, fields


def _explain(error: csv.Error) -> str:
    if "field limit" in str(error):  # csv's own bound, which it meets before we can measure the field
        return f"a field has more than {MAX_FIELD:,} characters; look for a quote that is never closed"
    if "end of data" in str(error):
        return "a quote opens here and is never closed; close it, and double every quote within a quoted field"
    return f"the quotes do not match ({error}); double every quote within a quoted field"


def _check_header(
    path: Path, line: int, header: list[str], columns: Sequence[str], optional: Sequence[str], others: bool
) -> None:
    seen = set()
    for name in header:
        if name in seen:
            raise defect(path, f"column {shorten(name)} is there twice; remove one of them", line)
        seen.add(name)
    extra = [name for name in header if name not in columns and name not in optional]
    for name in columns:
        if name not in seen:
            raise defect(path, f"column {name} is missing; {_advise(name, extra, header)}", line)
    if extra and not others:
        raise defect(path, f"column {shorten(extra[0])} is not one of the competition's; remove it", line)


def _advise(name: str, extra: list[str], header: list[str]) -> str:
    if len(header) == 1:
        return f"the header is the one field {shorten(header[0])}, so save the file with commas between fields"
    bare = {re.sub("[^a-z0-9]", "", other.lower()): other for other in extra if _may_be(other, name)}
    if close := difflib.get_close_matches(name.lower(), bare, n=1):
        return f"rename {shorten(bare[close[0]])} to it"
    return f"add it to the header, which begins with {shorten(', '.join(header))}"


def _may_be(other: str, name: str) -> bool:
    """Whether a column may be `name` mistyped: Question is not QuestionId, and AnswerText is not AnswerAText."""
    words, others = (
        {word.lower() for word in re.findall("[A-Z][a-z0-9]+|[A-Z](?![a-z])|[a-z0-9]+", text)} for text in (name, other)
    )
    same = re.sub("[^a-z0-9]", "", other.lower()) == name.lower()
    return same or words & TELLING <= others


def _name_fields(path: Path, line: int, header: list[str], fields: list[str], cut: bool) -> dict[str, str]:
    if len(fields) != len(header):
        what = f"{len(fields)} fields from {shorten(fields[0])} on, and the header has {len(header)}"
        raise defect(path, f"{what}; put fields that hold commas or line breaks in quotes", line)
    for name, field in zip(header, fields, strict=True):
        if len(field) > MAX_FIELD:
            what = f"{shorten(field)} has {len(field):,} characters and the limit is {MAX_FIELD:,}"
            if not cut:
                raise defect(path, f"{what}; shorten it, or look for a quote that is never closed", line, name)
            print(f"{defect(path, what, line, name)}; it is cut there", file=sys.stderr, flush=True)
    return {name: field[:MAX_FIELD] for name, field in zip(header, fields, strict=True)}
