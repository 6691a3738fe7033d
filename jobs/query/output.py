"""Rows for a person (table) or a program (CSV, JSON, Parquet)."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import decimal
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from contracts.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")
SHOWN_ROWS = 100


def write(rows: pa.Table, kind: str, out: Path | None) -> None:
    """Write rows to a file that only its owner reads, or to standard output.

    Raises:
        UserError: an unknown format, Parquet without a file, or a file that cannot be written.
    """
    if kind not in FORMATS:
        raise UserError(f"There is no format {kind}.", expected=", ".join(FORMATS))
    if kind == "parquet" and out is None:
        raise UserError("Parquet is not for a terminal.", todo="name a file with `--out`.")
    try:
        if out is None:
            _WRITERS[kind](rows, sys.stdout)
        elif kind == "parquet":
            with open(out, "wb", opener=_private) as file:
                _parquet(rows, file)
        else:
            with open(out, "w", encoding="utf-8", newline="", opener=_private) as file:
                _WRITERS[kind](rows, file)
    except BrokenPipeError:  # the reader (`head`) has seen enough
        sys.stdout = None
    except OSError as error:
        raise UserError(f"{out} cannot be written ({type(error).__name__}).", todo="check folder and rights.") from None


def _private(path: str, flags: int) -> int:
    """Open for writing: rows may name members. A device, or a pipe, keeps its rights."""
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor


def _table(rows: pa.Table, file: TextIO) -> None:
    """At most SHOWN_ROWS rows; how many there are is said below."""
    from rich import box
    from rich.table import Table

    from jobs.terminal import table_console

    table = Table(box=box.SIMPLE_HEAD)
    numeric = [_is_number(field) for field in rows.schema]
    for field, right in zip(rows.schema, numeric, strict=True):
        table.add_column(field.name, justify="right" if right else "left", overflow="fold")
    for row in rows.slice(0, SHOWN_ROWS).to_pylist():
        table.add_row(*(_cell(row[name]) for name in rows.column_names))
    console = table_console(highlight=False)
    console.file = file
    console.print(table)
    more = f"first {SHOWN_ROWS} of " if rows.num_rows > SHOWN_ROWS else ""
    console.print(f"{more}{rows.num_rows:,} row{'' if rows.num_rows == 1 else 's'}", highlight=False)


def _csv(rows: pa.Table, file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(rows.column_names)
    for batch in rows.to_batches():
        for row in batch.to_pylist():
            writer.writerow([_plain(row[name]) if row[name] is not None else "" for name in rows.column_names])


def _json(rows: pa.Table, file: TextIO) -> None:
    """One array, a row per line."""
    lines = (
        json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False)
        for batch in rows.to_batches()
        for row in batch.to_pylist()
    )
    file.write("[")
    for number, line in enumerate(lines):
        file.write(f"{',' if number else ''}\n{line}")
    file.write("\n]\n")


def _parquet(rows: pa.Table, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows, file, compression="zstd")


_WRITERS = {"table": _table, "csv": _csv, "json": _json}


def _is_number(field: pa.Field) -> bool:
    import pyarrow as pa

    t = field.type
    return bool(pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t))


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(_plain(value))


def _plain(value: Any) -> Any:
    """What CSV and JSON can hold: ISO dates, exact decimals as text, bytes in base 64, no NaN."""
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, dt.date | dt.datetime | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | dt.timedelta):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return {key: _plain(part) for key, part in value.items()} if isinstance(value, dict) else value
