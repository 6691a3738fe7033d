"""Read the rows of a study: CSV as spreadsheets and statistics programs really write it, Parquet, or a table.

Belongs here: delimiters, encodings, missing-value words, identifiers that must not become numbers. Does not belong here:
what a column means for the study (`causal.study_columns`).
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import ConfigError
from contracts.study import StudySpec

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = ",;\t|"
_OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# What spreadsheets, R, SAS, Stata, SQL and pandas write for "not known".
_MISSING = ["", ".", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NaT", "<NA>", "None", "NULL", "null"]
_UNREADABLE = csv.Error, lzma.LZMAError, zlib.error, zipfile.BadZipFile
_WHOLE = r"0|-?[1-9]\d{0,17}"
# The two things that commas in numbers can mean: 1234,5 and 1.234,5 or 1,234.5. What fits both, as 1,234 does, is ambiguous.
_DECIMAL_COMMA = r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+(?=,))(,\d+)?([eE][+-]?\d+)?"
_THOUSANDS_COMMA = r"[+-]?(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d*)?([eE][+-]?\d+)?"


def read_data(spec: StudySpec, folder: Path) -> pd.DataFrame:
    """The study's rows, columns named by text.

    Raises:
        ConfigError: the data cannot be found or read; the message names `data` or `table`.
    """
    if spec.table is not None:
        return _read_table(spec.table)
    if spec.data is None:
        raise ConfigError("`data`: the study names no data.", expected="`data: file.csv` or `table: schema.name`")
    try:
        path = folder / Path(spec.data).expanduser()
        path.stat()
    except (OSError, RuntimeError):  # no such file, too long a name, no such home
        raise ConfigError(
            f"`data`: the file {Path(spec.data).name[:100]} does not exist.",
            todo="give a path relative to the study file.",
        ) from None
    try:
        if path.is_dir() or path.suffix in (".parquet", ".pq") or _start(path)[:4] == b"PAR1":
            return _read_parquet(path)
        return _read_csv(path, spec)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except (ValueError, OSError, EOFError, NotImplementedError, *_UNREADABLE) as error:
        # The reader's own words could quote a row.
        raise ConfigError(
            f"`data`: {path.name} can be read neither as CSV nor as Parquet.",
            actual=type(error).__name__,
            todo="open it: is it complete, and is every row as long as the header?",
        ) from None


def _read_table(name: str) -> pd.DataFrame:
    from pyspark.errors import AnalysisException, ParseException

    from jobs.session import spark_session

    try:
        frame: pd.DataFrame = spark_session("study").table(name).toPandas()
        return frame
    except (AnalysisException, ParseException) as error:
        raise ConfigError(
            f"`table`: there is no table `{name}`.", expected="schema.name", actual=error.getCondition()
        ) from None


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow.parquet as pq

    from causal.study_columns import require_different

    if path.is_file():
        require_different(pq.read_schema(path).names, path.name)
    frame = pd.read_parquet(path)
    if any(name is not None for name in frame.index.names):
        frame.index.names = _placeholders(["" if name is None else str(name) for name in frame.index.names])
        frame = frame.reset_index()
    frame.columns = [str(c) for c in frame.columns]
    return frame


def _read_csv(path: Path, spec: StudySpec) -> pd.DataFrame:
    import pandas as pd

    names, delimiter = _header(path, spec)
    texts = {c for c in (spec.treatment.column, spec.unit_id, spec.cluster) if c in names}
    # Words like "None" or "NA" may be the name of an arm; anywhere else they are missing values.
    missing = {c: [""] if c == spec.treatment.column else _MISSING for c in names}
    frame = pd.read_csv(
        path,
        sep=delimiter,
        names=names,
        header=0,
        encoding="utf-8-sig",
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values=missing,
        skipinitialspace=True,
        low_memory=False,
    )
    if not isinstance(frame.index, pd.RangeIndex):
        raise ConfigError(
            f"`data`: the rows of {path.name} have more fields than its header.",
            expected=f"{len(names)} fields",
            todo="look for a delimiter at the end of the rows or a missing column name.",
        )
    used = _used(names, spec)
    for column in names:
        if column in texts:
            frame[column] = _whole_numbers(frame[column])
        elif column in used and frame[column].dtype == object:
            frame[column] = _numbers_with_commas(frame[column], decimals=delimiter != ",")
    return frame


def _used(names: Sequence[str], spec: StudySpec) -> set[str]:
    """Columns that the study reads; none where the first line is no header, whose fields no message may quote."""
    if not {spec.treatment.column, spec.outcome.column} <= set(names):
        return set()
    wanted = names if spec.covariates.include is None else spec.covariates.include
    return set(wanted) - set(spec.covariates.exclude) | spec.role_columns | set(spec.groups)


def _header(path: Path, spec: StudySpec) -> tuple[list[str], str]:
    """Column names, and the delimiter that makes most of the study's columns appear (else the most frequent one)."""
    from causal.study_columns import require_different

    start = _start(path)
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        raise ConfigError(f"`data`: {path.name} is empty.")
    if b"\0" in start or start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _not_utf8(path)
    text = start.decode("utf-8-sig", errors="replace").lstrip("\r\n")
    wanted = {spec.treatment.column, spec.outcome.column}

    def named(delimiter: str) -> list[str]:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        return [c.strip() for c in next(rows)]

    delimiter = max(_DELIMITERS, key=lambda d: (len(wanted.intersection(named(d))), len(named(d))))
    names = _placeholders(named(delimiter))
    require_different(names, path.name)
    return names, delimiter


def _not_utf8(path: Path) -> ConfigError:
    return ConfigError(f"`data`: {path.name} is not text in UTF-8.", todo="save it as CSV in UTF-8.")


def _placeholders(names: Sequence[str]) -> list[str]:
    """Columns without a name get one that `causal.study_columns` recognises and leaves out."""
    from causal.study_columns import NAMELESS

    return [name or f"{NAMELESS}{i}" for i, name in enumerate(names)]


def _start(path: Path) -> bytes:
    with _OPEN.get(path.suffix, open)(path, "rb") as file:
        return bytes(file.read(1 << 20))


def _whole_numbers(column: pd.Series) -> pd.Series:
    """Whole numbers where every value is one, written canonically: `007` stays text."""
    present = column.dropna()
    if len(present) == len(column) > 0 and present.str.fullmatch(_WHOLE).all():
        return column.astype("int64")
    return column


def _numbers_with_commas(column: pd.Series, *, decimals: bool) -> pd.Series:
    """Numbers where every value is one and its commas can mean only one thing; any other text as it is.

    Args:
        decimals: read decimal commas. In comma-separated files such text is more often a list of codes.

    Raises:
        ConfigError: the commas could mark decimals or thousands.
    """
    import pandas as pd

    different = pd.Series(column.dropna().unique()).astype("string").str.strip()
    if not different.str.contains(",", regex=False).any():
        return column
    is_decimal, is_thousands = (bool(different.str.fullmatch(p).all()) for p in (_DECIMAL_COMMA, _THOUSANDS_COMMA))
    if is_decimal and is_thousands:
        raise ConfigError(
            f"`data`: the commas of column `{column.name}` may mark decimals or thousands.",
            expected="a decimal point and no marks of thousands, as in 1234.5",
            todo="write the numbers so, or leave the column out under `covariates.exclude`.",
        )
    text = column.astype("string").str.strip()
    if is_thousands:
        return text.str.replace(",", "").astype("float64")
    if is_decimal and decimals:
        return text.str.replace(".", "").str.replace(",", ".").astype("float64")
    return column
