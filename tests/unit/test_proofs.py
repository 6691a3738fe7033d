"""What the footers of Parquet files prove of a contract's rules, held against Pandera on the values themselves."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.compile.checks import settled_by_set
from contracts.compile.rules import row_rules
from contracts.frames import broken_rows
from contracts.model import Contract, TableContract, column, resolve, table
from contracts.types import Double, Int, Long, Money, Str
from jobs import proofs
from jobs.proofs import distinct_texts, left_given, row_groups
from jobs.row_flags import mask_words

_KINDS: dict[str, tuple[Any, pa.DataType, st.SearchStrategy[Any]]] = {
    "whole": (Int, pa.int32(), st.integers(-3, 3)),
    "large": (Long, pa.int64(), st.sampled_from([-(2**62), 0, 2**62])),
    "share": (Double, pa.float64(), st.sampled_from([-1.5, -0.0, 0.0, 0.1, 2.0, math.nan])),
    "paid": (Money, pa.decimal128(12, 2), st.sampled_from([Decimal("-0.01"), Decimal("0.00"), Decimal("9.99")])),
    "code": (Str, pa.string(), st.sampled_from(["", "a", "b", "\u00e4\n"])),
}
_ORDERS = ("ge", "gt", "le", "lt", "eq", "ne")
_LIKE_SPARK = {"version": "1.0", "compression": "zstd"}
_OF_TEXTS = st.fixed_dictionaries(
    {},
    optional={
        "eq": st.just("a"),
        "isin": st.just(["a", "b"]),
        "notin": st.just(["b"]),
        "str_matches": st.sampled_from([r"^[a-z]$", "^.$", ""]),
        "str_length": st.just({"min_value": 1, "max_value": 2}),
    },
)


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "_LEAST_ROWS", 0)


def _contract(fields: dict[str, Any]) -> TableContract:
    kinds = {name: _KINDS[name][0] for name in fields}
    body: dict[str, Any] = {"__doc__": "x", "__module__": __name__, "__annotations__": kinds, **fields}
    model: Any = type("Proven", (Contract,), body)
    return resolve(table("staging.proven", key=())(model))


def _written(folder: Path, columns: dict[str, list[Any]], files: int, **options: Any) -> list[Path]:
    rows = pa.table({name: pa.array(values, _KINDS[name][1]) for name, values in columns.items()})
    size = math.ceil(len(rows) / files)
    paths = [folder / f"{i}.parquet" for i in range(files)]
    for i, path in enumerate(paths):
        pq.write_table(rows.slice(i * size, size), path, row_group_size=max(1, size // 2), **{**_LIKE_SPARK, **options})
    return paths


def _left(contract: TableContract, files: list[Path]) -> dict[str, str]:
    return left_given(contract, row_groups(files))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_proven_pandera_finds_nowhere(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(_KINDS)), min_size=1, unique=True))
    fields = {}
    for name in names:
        checks = {
            order: data.draw(_KINDS[name][2].filter(lambda limit: limit == limit))
            for order in data.draw(st.sets(st.sampled_from(_ORDERS)))
        }
        if name == "code":
            checks = data.draw(_OF_TEXTS)
        fields[name] = column("x", nullable=data.draw(st.booleans()), **checks)
    rows = data.draw(st.integers(1, 6))
    columns = {name: data.draw(st.lists(st.none() | _KINDS[name][2], min_size=rows, max_size=rows)) for name in names}
    contract = _contract(fields)
    left = _left(contract, _written(tmp_path_factory.mktemp("files"), columns, data.draw(st.integers(1, 3))))
    frame = pa.table({name: pa.array(values, _KINDS[name][1]) for name, values in columns.items()}).to_pandas(
        types_mapper=pd.ArrowDtype
    )
    broken = broken_rows(contract, frame)
    for name, sql in left.items():
        can_break = [sql != "" and math.isnan(value or 0) for value in columns[name.split("__")[0]]]
        assert sql in ("", "isnan(`share`)")
        assert not (broken[name] & ~pd.array(can_break, dtype=bool)).any()


def test_limits_that_the_values_keep_are_proven(tmp_path: Path) -> None:
    contract = _contract({
        "whole": column("x", ge=0, le=9, ne=11),
        "share": column("x", nullable=True, ne=-1, in_range={"min_value": 0.25, "max_value": 2}),
        "paid": column("x", in_range={"min_value": Decimal("0.00"), "max_value": Decimal("9.99")}),
    })  # fmt: skip
    columns = {"whole": [0, 5, 9], "share": [None, 0.25, 2.0], "paid": [Decimal("0.00"), Decimal("9.99"), Decimal(1)]}
    files = _written(tmp_path, columns, files=2)
    nothing = dict.fromkeys([rule.name for rule in row_rules(contract)], "")
    assert _left(contract, files) == {**nothing, "share__in_range": "isnan(`share`)"}
    worse = _written(tmp_path, {**columns, "whole": [-1, 11, 9]}, files=2)
    assert set(nothing) - set(_left(contract, worse)) == {"whole__at_least", "whole__at_most", "whole__not_equal_to"}


def test_a_column_that_a_file_lacks_proves_nothing(tmp_path: Path) -> None:
    contract = _contract({"whole": column("x", ge=0)})
    files = _written(tmp_path, {"whole": [1, 2]}, files=1)
    pq.write_table(pa.table({"share": [1.0]}), tmp_path / "older.parquet")
    assert set(_left(contract, files)) == {"whole__at_least", "whole__not_null"}
    assert not _left(contract, [*files, tmp_path / "older.parquet"])


def test_a_dictionary_with_a_bad_value_in_any_file_proves_nothing_of_that_rule(tmp_path: Path) -> None:
    contract = _contract({"code": column("x", nullable=True, isin=["a", "b"], str_matches="^.$")})
    files = _written(tmp_path, {"code": ["c", None, "b", "a", "b", "a"]}, files=3)
    assert _left(contract, files[1:]) == {"code__in_set": "", "code__matches": ""}
    assert _left(contract, files) == {"code__matches": ""}


def test_texts_are_known_only_by_small_dictionaries_that_hold_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"code": ["a", "b"] * 500}
    assert distinct_texts(row_groups(_written(tmp_path, few, files=1)), ["code"]) == {"code": frozenset("ab")}
    no_dictionary = _written(tmp_path, few, files=1, use_dictionary=False)
    assert distinct_texts(row_groups(no_dictionary), ["code"]) == {}
    many = {"code": [f"{i:050d}" for i in range(1_000)]}
    left_it = _written(
        tmp_path, many, files=1, dictionary_pagesize_limit=1_000, data_page_size=1_000, write_batch_size=50
    )
    assert pq.read_metadata(left_it[0]).row_group(0).column(0).has_dictionary_page
    assert distinct_texts(row_groups(left_it), ["code"]) == {}
    large = _written(tmp_path, {"code": 2 * [f"{i:050d}" for i in range(2_000)]}, files=1, compression="none")
    assert distinct_texts(row_groups(large), ["code"]) == {}
    monkeypatch.setattr(proofs, "_MOST_BYTES", 200_000)
    assert len(distinct_texts(row_groups(large), ["code"])["code"]) == 2_000
    monkeypatch.setattr(proofs, "_LEAST_ROWS", 2_000)
    assert distinct_texts(row_groups(_written(tmp_path, few, files=1)), ["code"]) == {}


def test_bytes_that_are_no_text_prove_nothing(tmp_path: Path) -> None:
    rows = pa.table({"code": pa.array([b"a", b"\xff"], pa.binary()).view(pa.string())})
    pq.write_table(rows, tmp_path / "bytes.parquet", **_LIKE_SPARK)
    assert distinct_texts(row_groups([tmp_path / "bytes.parquet"]), ["code"]) == {}


def test_nothing_is_asked_for_a_proven_rule() -> None:
    contract = _contract({"whole": column("x", ge=0), "code": column("x", eq="a")})
    nothing = dict.fromkeys([rule.name for rule in row_rules(contract)], "")
    [word] = mask_words(row_rules(contract), {**nothing, "code__equal_to": "a < b"})
    assert "whole" not in word
    assert "IF(a < b" in word
    assert "8L" in word  # its bit stays where it was
    assert mask_words(row_rules(contract), nothing) == ("0L",)


def test_values_of_a_set_that_pass_all_other_checks_settle_the_column() -> None:
    checked = _contract({"code": column("x", isin=["11", "1x", "99"], str_matches="^[0-9]{2}$", notin=["99"])})
    assert settled_by_set(checked.columns[0]) == "`code` IN ('11')"
    none = _contract({"code": column("x", isin=["a"], notin=["a"])})
    assert settled_by_set(none.columns[0]) == ""
    alone = _contract({"code": column("x", isin=["a"])})
    assert settled_by_set(alone.columns[0]) == ""
