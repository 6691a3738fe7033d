"""Identifiers that Parquet holds as floating point: pandas makes them so where a column of whole numbers has a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import InputFileError
from jobs.ingest.classify import Matched
from jobs.ingest.header import Header

# Beyond these a whole number has neighbours that the type cannot hold, so that it may be another one by now.
_WHOLE_TO = {pa.float16(): 2.0**11, pa.float32(): 2.0**24, pa.float64(): 2.0**53}


def refuse_inexact_identifiers(path: Path, header: Header, matched: Matched) -> None:
    """Read the identifiers that are floating point; nothing is read where there are none.

    Raises:
        InputFileError: one has a fraction, or is too large to be the number that was meant; or the file is damaged.
    """
    identifiers = {column.name for column in matched.layout.columns if column.is_identifier}
    pairs = zip(header.names, matched.targets, strict=True)
    columns = {name: target for name, target in pairs if target in identifiers and name in header.floating}
    if not columns:
        return
    try:
        bad = sorted({str(columns[name]) for name in _inexact(path, list(columns))})
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(
            "The file is not Parquet or is cut short.", expected="a whole Parquet file", actual=type(error).__name__
        ) from None
    if bad:
        raise InputFileError(
            "Identifiers are held as floating point numbers that are not exact.",
            expected="text or whole numbers",
            actual=f"fractions, or numbers too large for the type, in {', '.join(bad)}",
            todo="ask the sender for these columns as text.",
        )


def _inexact(path: Path, names: Sequence[str]) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(names)):
            for name in names:
                given = batch.column(name)
                numbers = given.cast(pa.float64()).drop_null()
                numbers = numbers.filter(pc.invert(pc.is_nan(numbers)))
                is_exact = pc.and_(
                    pc.equal(pc.floor(numbers), numbers), pc.less_equal(pc.abs(numbers), _WHOLE_TO[given.type])
                )
                if pc.any(pc.invert(is_exact)).as_py():
                    yield name
