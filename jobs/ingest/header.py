"""The column names of a delivered file, read without its rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import InputFileError
from jobs.ingest.text_stream import UTF8_MARK, TextStream

_DELIMITERS = ",|\t;"
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class Header:
    """Names as delivered and what else the first line tells.

    Attributes:
        names: as delivered, in order, trimmed.
        delimiter: of a CSV file; empty for Parquet.
        notes: oddities that do no harm, e.g. a byte order mark.
        types: names and types of a Parquet file as one text; files that share it share a Spark schema.
        floating: columns of a Parquet file that hold floating point numbers.
    """

    names: tuple[str, ...]
    delimiter: str = ""
    notes: tuple[str, ...] = ()
    types: str = ""
    floating: frozenset[str] = frozenset()


def csv_header(path: Path) -> Header:
    """Names in the first line of a CSV file.

    Raises:
        InputFileError: empty, damaged, mis-encoded, without rows, or with a column name twice.
    """
    with closing(TextStream(path)) as stream:
        line, rest = _first_line(stream)
    notes = []
    if line.startswith(UTF8_MARK):
        line = line.removeprefix(UTF8_MARK)
        notes.append("byte order mark dropped")
    if line.endswith(b"\r"):
        notes.append("lines end with CR LF")
    if not line.strip():
        raise InputFileError("The file has no header.", expected="column names in the first line")
    text = line.decode("utf-8").strip("\r")
    delimiter = max(_DELIMITERS, key=text.count)
    names = _names(text, delimiter)
    if not rest.strip():
        raise InputFileError("The file has a header but no rows.", expected="at least one row")
    _refuse_twice(names)
    return Header(names, delimiter, tuple(notes))


def _names(line: str, delimiter: str) -> tuple[str, ...]:
    """The fields of a header; the reader's own words are not passed on."""
    try:
        return tuple(name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter)))
    except csv.Error:
        raise InputFileError(
            "The header cannot be read as CSV.",
            expected="column names in a first line that ends with LF or CR LF",
            actual="lines that end with CR alone" if "\r" in line else "a name of more than 131,072 characters",
            todo="ask the sender for the file again.",
        ) from None


def _first_line(stream: TextStream) -> tuple[bytes, bytes]:
    """The first line without its line feed, and some bytes that follow (none at the end of the file)."""
    buffer = b""
    while len(buffer) < _LONGEST_HEADER:
        block = stream.read(1 << 16)
        line, feed, rest = (buffer := buffer + block).partition(b"\n")
        if not block or (feed and rest.strip()):
            return line, rest
    if b"\n" not in buffer:
        raise InputFileError("The file has no header.", expected="column names in a first line of less than 1 MiB")
    line, _, rest = buffer.partition(b"\n")
    return line, rest or b"."


def parquet_header(path: Path) -> tuple[Header, int]:
    """Names and number of rows of a Parquet file, from its footer.

    Raises:
        InputFileError: empty, not Parquet, cut short, or with a column name twice.
    """
    if path.stat().st_size == 0:
        raise InputFileError("The file is empty.", expected="a Parquet file", actual="0 bytes")
    try:
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema().remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(
            "The file is not Parquet or is cut short.", expected="a whole Parquet file", actual=type(error).__name__
        ) from None
    names = tuple(schema.names)
    _refuse_twice(names)
    floating = frozenset(field.name for field in schema if pa.types.is_floating(field.type))
    return Header(names, types=str(schema), floating=floating), metadata.num_rows


def _refuse_twice(names: tuple[str, ...]) -> None:
    twice = sorted(name for name, count in Counter(n.lower() for n in names).items() if count > 1)
    if twice:
        raise InputFileError("Column names stand twice in the header.", actual=_shown(twice), expected="each name once")


def _shown(names: list[str]) -> str:
    """A file without a header shows a member's data where the names should be: show none that is not a word."""
    return ", ".join(name if name.isidentifier() else "(not a name)" for name in names[:10])
