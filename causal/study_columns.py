"""What the columns of a study's frame mean: arms, numbers, dates, covariates. Complaints name the field of the study."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from causal.dates import ISO_DATE, WRITTEN_DATE, YEARS, days
from causal.encoding import MIN_LEVEL_SHARE, is_numeric
from contracts.errors import ConfigError
from contracts.study import Level, StudySpec

# A word of fewer people would name them in a report.
MIN_PEOPLE, RARE = 11, "(rare)"
# Columns that had no name in the file (a row index that a program wrote along) start with this.
NAMELESS = "Unnamed: "

_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
_FLAGS = {**dict.fromkeys(_TRUE | {"t", "y"}, 1.0), **dict.fromkeys(_FALSE | {"f", "n"}, 0.0)}
_NO_VALUE = (list, dict, tuple, set, np.ndarray, bytes, bytearray)
# Larger numbers stand for "missing" or "infinite" (Stata: 8.99e307); squares and LightGBM's float32 must stay finite.
LARGEST = 1e30
# How numbers are written among words.
_SPACES, _MINUS, _CURRENCY_OR_PERCENT = r"\s", "[\u2212\u2013]", r"^[$\u20ac\u00a3]|(?<=\d)%$"
_PLAIN, _BRACKETS, _THOUSANDS = r"-?\d+(\.\d*)?", r"^\(([\d.,]+)\)$", r"-?\d{1,3}(,\d{3})+(\.\d*)?"


def require_different(names: Sequence[str] | pd.Index, of: str = "") -> None:
    """Refuse columns of one name, by their places: where a file has no header, names are somebody's values.

    Raises:
        ConfigError: two columns have the same name; the message names `data` and the file, if `of` says which.
    """
    index = pd.Index(names)
    if index.has_duplicates:
        first = index[index.duplicated()][0]
        where = " and ".join(str(i + 1) for i, name in enumerate(index) if name == first)
        file = f" of {of}" if of else ""
        raise ConfigError(f"`data`: columns {where}{file} have the same name.")


def arm_names(column: pd.Series, spec: StudySpec) -> np.ndarray:
    """Arm name per row, "" for control, None for anything else; (n,), object."""
    codes, values = pd.factorize(column)
    levels = pd.Series(np.asarray(values, dtype=object))
    # The last place is that of a missing value, whose code is -1.
    name_of = np.full(len(levels) + 1, None, dtype=object)
    listed = [("treatment.control", spec.treatment.control, "")]
    listed += [("treatment.treated", level, str(level)) for level in spec.treatment.treated]
    for field, level, name in listed:
        found = np.flatnonzero(_equals(levels, level))
        if not len(found):
            raise _absent(field, level, column)
        if any(name_of[i] is not None for i in found):
            raise ConfigError(f"`{field}`: `{level}` means the same rows as another value of the treatment.")
        name_of[found] = name
    return name_of[codes]


def number(frame: pd.DataFrame, column: str, field: str, *, flags: bool = False) -> np.ndarray:
    """A column as floats, missing as NaN, beyond LARGEST as infinite; text that is no number is an error.

    Args:
        flags: also read a column of yes and no (true and false, on and off, y and n, t and f) as 1 and 0.
    """
    values = frame[column]
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        raise ConfigError(f"`{field}`: column `{column}` holds dates or durations, not numbers.")
    try:
        found = pd.to_numeric(values, errors="coerce").astype("float64")
    except (TypeError, ValueError):
        raise ConfigError(f"`{field}`: column `{column}` does not hold numbers.") from None
    lost = int((found.isna() & values.notna()).sum())
    if lost and flags:
        words = values.dropna().astype(str).str.strip().str.lower()
        if words.isin(_FLAGS).all():
            return words.map(_FLAGS).reindex(values.index).to_numpy(dtype=float)
    if lost:
        raise ConfigError(f"`{field}`: column `{column}` has {lost} values that are not numbers.")
    read = found.to_numpy(na_value=np.nan)
    return np.where(np.abs(read) > LARGEST, np.copysign(np.inf, read), read)


def without_infinite(column: pd.Series) -> pd.Series:
    """A column whose infinite numbers, and those beyond LARGEST, are missing; words and dates as they are."""
    if not is_numeric(column):
        return column
    read = pd.to_numeric(column, errors="coerce").astype("float64")
    beyond = (read.abs() > LARGEST).to_numpy()
    return read.mask(beyond) if beyond.any() else column


def covariates(frame: pd.DataFrame, spec: StudySpec) -> tuple[pd.DataFrame, dict[str, str]]:
    """Features to adjust for and rank by, dates as days; and the columns left out, with the reason.

    Words most of which are numbers (`57`, `unknown`, `12 %`) have a second feature, these numbers: as words alone the twenty
    commonest would be told apart and the rest be one. A value of fewer than MIN_PEOPLE people is `(rare)`: it would name them.
    """
    wanted = spec.covariates.include
    roles = spec.role_columns if wanted is None else spec.never_covariates
    if wanted is not None:
        clash = [c for c in wanted if c in roles]
        if clash:
            raise ConfigError(f"`covariates.include`: `{clash[0]}` already has another role in the study.")
        twice = sorted({c for c in wanted if wanted.count(c) > 1})
        if twice:
            raise ConfigError(f"`covariates.include`: `{twice[0]}` is listed twice.")
    names = [c for c in (wanted if wanted is not None else frame.columns) if c not in roles]
    left_out = {c: "excluded by the study" for c in names if c in spec.covariates.exclude}
    if wanted is None:
        left_out |= {c: "has no name" for c in names if c.startswith(NAMELESS)}
    names = [c for c in names if c not in left_out]
    if not names and spec.assignment == "observational":
        raise ConfigError(
            "`covariates`: no column is left to adjust for.",
            todo="name measured reasons of the treatment, or say under `assignment` how chance decided.",
        )
    made = {c: _feature(frame[c]) for c in names}
    left_out |= {c: "is empty" for c in names if made[c].isna().all()}
    left_out |= {c: "is the same in every row" for c in names if c not in left_out and _is_flat(made[c])}
    person = np.arange(len(frame)) if spec.unit_id is None else pd.factorize(frame[spec.unit_id])[0]
    features: dict[str, pd.Series] = {}
    for c, values in made.items():
        if c in left_out or is_numeric(values):
            features[c] = values
            continue
        words, numbers = _without_rare(values, person), _numbers_among(values)
        if _is_too_varied(words):
            left_out[c] = _TOO_VARIED
        else:
            features[c] = words
        if numbers is not None:
            features[_free_name(f"{c} (number)", frame)] = numbers
    return pd.DataFrame(features, index=frame.index), left_out


def require_single_values(column: pd.Series, field: str) -> None:
    """A cell is a number, a word, a flag or a date."""
    if column.dtype == object and any(issubclass(kind, _NO_VALUE) for kind in set(map(type, column))):
        raise ConfigError(f"`{field}`: column `{column.name}` holds lists, records or bytes, not single values.")


def _feature(column: pd.Series) -> pd.Series:
    """Dates (also written as text) as days since 1970, infinite numbers as missing, everything else as it is."""
    require_single_values(column, "covariates")
    values = column
    if values.dtype == object:
        present = values.dropna()
        kinds = {type(v) for v in present}
        if kinds and all(issubclass(kind, date) for kind in kinds):
            values = _dates(values, present.map(lambda day: day.year))
        elif kinds == {str}:
            values = _dates_in_text(values, present)
    if pd.api.types.is_datetime64_any_dtype(values):
        return days(values)
    if pd.api.types.is_timedelta64_dtype(values):
        return values.dt.total_seconds() / 86_400
    return without_infinite(column)


def _dates_in_text(values: pd.Series, present: pd.Series) -> pd.Series:
    """Text most of which is dates as stamps, other text as it is.

    Dates in another form than ISO would be thousands of rare words: left out, with what they confound.
    """
    text = present.str.strip()
    if 2 * (is_date := text.str.fullmatch(ISO_DATE)).sum() > len(text):
        if not is_date.all():
            raise _no_dates(values, int((~is_date).sum()))
        return _dates(values.str.strip(), text.str[:4].astype(int), "ISO8601")
    parts = text.str.extract(WRITTEN_DATE)
    is_date = parts[0].notna()
    if 2 * is_date.sum() <= len(text):
        return values
    if not is_date.all():
        raise _no_dates(values, int((~is_date).sum()))
    first, second, is_short = parts[0].astype(int), parts[2].astype(int), (parts[3].str.len() == 2).any()
    orders = [
        (d, m) for d, m in ((first, second), (second, first)) if d.between(1, 31).all() and m.between(1, 12).all()
    ]
    if not orders and is_short:
        return values  # codes of three numbers
    if len(orders) != 1 or is_short:
        raise ConfigError(
            f"`covariates`: column `{values.name}` holds dates of which it cannot be told which part is the day, the month and the year.",
            expected="dates as YYYY-MM-DD",
            todo="write them so, or leave the column out under `covariates.exclude`.",
        )
    day, month = orders[0]
    iso = parts[3] + "-" + month.astype(str).str.zfill(2) + "-" + day.astype(str).str.zfill(2)
    return _dates(iso.reindex(values.index), parts[3].astype(int), "ISO8601")


def _dates(values: pd.Series, year: pd.Series, layout: str | None = None) -> pd.Series:
    """Dates, or text of a layout, as stamps; `year` is of those that are not missing."""
    found = pd.to_datetime(values, errors="coerce", utc=True, format=layout)
    lost = found.reindex(year.index).isna() & year.isin(YEARS)
    if lost.any():
        raise _no_dates(values, int(lost.sum()))
    return found


def _no_dates(column: pd.Series, count: int) -> ConfigError:
    return ConfigError(
        f"`covariates`: column `{column.name}` holds dates and {count} values that are none.",
        todo="empty or mend these, or leave the column out under `covariates.exclude`.",
    )


def _numbers_among(words: pd.Series) -> pd.Series | None:
    """The numbers among words, others missing; None where they are half of them or fewer, or all are plain digits: codes.

    Also those with per cent, a currency, thousands, a typographic minus, hard spaces or an accountant's brackets.
    """
    codes, values = pd.factorize(words)
    raw = pd.Series(values, dtype=object).astype(str)
    text = raw.str.replace(_SPACES, "", regex=True).str.replace(_MINUS, "-", regex=True)
    bare = text.str.replace(_CURRENCY_OR_PERCENT, "", regex=True).str.replace(_BRACKETS, r"-\1", regex=True)
    thousands = bare.str.fullmatch(_THOUSANDS)
    read = pd.to_numeric(bare.where(~thousands, bare.str.replace(",", "")), errors="coerce").to_numpy(dtype=float)
    found = np.append(np.where(np.abs(read) <= LARGEST, read, np.nan), np.nan)[codes]
    present = codes >= 0
    if raw.str.fullmatch(_PLAIN).all() or 2 * np.isfinite(found[present]).sum() <= present.sum():
        return None
    return pd.Series(found, index=words.index)


def _free_name(name: str, frame: pd.DataFrame) -> str:
    while name in frame.columns:
        name += "'"
    return name


def _without_rare(words: pd.Series, person: np.ndarray) -> pd.Series:
    """Values of fewer than MIN_PEOPLE people become one."""
    codes, values = pd.factorize(words)
    told = pd.DataFrame({"code": codes, "person": person}).drop_duplicates()
    people = np.bincount(told["code"][told["code"] >= 0], minlength=len(values))
    if (people >= MIN_PEOPLE).all():
        return words
    shown = np.full(len(values) + 1, None, dtype=object)
    shown[:-1] = np.where(people >= MIN_PEOPLE, np.asarray(values, dtype=object), RARE)
    return pd.Series(shown[codes], index=words.index, dtype=object)


_TOO_VARIED = f"is text of which no value is in {MIN_LEVEL_SHARE:.1%} of the rows, and of {MIN_PEOPLE} people"


def _is_too_varied(words: pd.Series) -> bool:
    """Words of which none is common enough to be told from the others: names, free text, dates or numbers written oddly."""
    counts = words[words.astype(object) != RARE].value_counts(dropna=False)
    return not len(counts) or bool(counts.iloc[0] < MIN_LEVEL_SHARE * len(words))


def _is_flat(column: pd.Series) -> bool:
    """One value and nothing missing."""
    return not column.isna().any() and len(pd.unique(column)) <= 1


def _equals(levels: pd.Series, level: Level) -> np.ndarray:
    """Equality that does not mind whether 1 or true was read as a number, a boolean or text; (levels,)."""
    text = levels.astype(str).str.strip()
    found = (text == str(level).strip()).to_numpy()
    word = {"1": "true", "0": "false"}.get(str(level), str(level).strip().lower())
    holds_booleans = text.str.lower().isin(("true", "false")).all()
    if word in _TRUE | _FALSE and (holds_booleans or isinstance(level, bool)):
        found |= text.str.lower().isin(_TRUE if word in _TRUE else _FALSE).to_numpy()
    try:
        value = float(level)
    except (ValueError, OverflowError):  # a word, or more digits than a float has room for
        return found
    return found | (pd.to_numeric(levels, errors="coerce") == value).to_numpy(dtype=bool)


def _absent(field: str, level: Level, column: pd.Series) -> ConfigError:
    """Values are shown when they are common, as names of arms are; never those of a few people."""
    counts = column.dropna().astype(str).value_counts()
    common = sorted(counts[counts > 10].index)[:8]
    return ConfigError(
        f"`{field}`: no row has the value `{str(level)[:100]}`.",
        expected="a value of the treatment column" + (", such as " + ", ".join(common) if common else ""),
        actual=f"{len(counts)} different values, {int(column.isna().sum())} missing",
    )
