"""CSV to Parquet with row numbers, in one streaming pass: what Spark then reads in parallel.

Spark's CSV reader has no stable row number and reads a gzip file on one core anyway; its permissive mode hides ragged
rows. This pass holds one block in memory, whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from contracts.errors import InputFileError
from jobs.ingest.header import Header
from jobs.ingest.text_stream import TextStream

ROW_NUMBER = "file_row_number"
_BLOCK = 8 << 20


class _Ragged:
    """Stops at the first row with too few or too many fields and remembers its number, not its text."""

    def __init__(self) -> None:
        self.failure: InputFileError | None = None

    def __call__(self, row: pacsv.InvalidRow) -> str:
        where = f"Row {row.number - 1}" if row.number is not None else "A row"
        self.failure = InputFileError(
            f"{where} of the file has not as many fields as the header.",
            expected=f"{row.expected_columns} fields",
            actual=f"{row.actual_columns}",
            todo="ask the sender for the file again; a line break or a delimiter within a field must be quoted.",
        )
        return "error"


def stage_csv(path: Path, header: Header, columns: tuple[str, ...], target: Path) -> int:
    """Write the file's rows, all text, empty as NULL, to one Parquet file.

    Args:
        columns: names in `target` for the file's columns, in order; `file_row_number` (from 1) is added.

    Returns:
        The number of rows.

    Raises:
        InputFileError: damaged, mis-encoded, ragged or without rows; `target` is then of no use.
    """
    schema = pa.schema([*((name, pa.string()) for name in columns), (ROW_NUMBER, pa.int32())])
    ragged, rows = _Ragged(), 0
    with closing(TextStream(path)) as stream, pq.ParquetWriter(target, schema, compression="zstd") as writer:
        try:
            for batch in _batches(stream, header, columns, ragged):
                numbers = pa.array(range(rows + 1, rows + 1 + batch.num_rows), pa.int32())
                writer.write_batch(pa.record_batch([*batch.columns, numbers], schema=schema))
                rows += batch.num_rows
        except (pa.ArrowException, InputFileError) as error:
            raise stream.failure or ragged.failure or _unreadable(rows, error) from None
    if rows == 0:
        raise InputFileError("The file has a header but no rows.", expected="at least one row")
    return rows


def _batches(stream: TextStream, header: Header, columns: tuple[str, ...], ragged: _Ragged) -> Iterator[pa.RecordBatch]:
    reader = pacsv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=list(columns), skip_rows=1),
        parse_options=pacsv.ParseOptions(
            delimiter=header.delimiter, newlines_in_values=True, invalid_row_handler=ragged
        ),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False,  # the stream has done so, with the offset
            column_types={name: pa.string() for name in columns},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    yield from (batch for batch in reader if batch.num_rows)


def _unreadable(rows: int, error: Exception) -> InputFileError:
    """Arrow's own words may quote the row, so only the kind of error is passed on."""
    return InputFileError(
        f"The file cannot be read as CSV after row {rows}.",
        expected="rows of fields, quotes closed",
        actual=type(error).__name__,
        todo="ask the sender for the file again.",
    )
