"""A delivered file is read whole and right, or refused with a reason that names no member's data."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contracts.errors import InputFileError, UserError
from contracts.settings import Settings
from contracts.sources import SOURCES
from jobs.ingest.check import check
from jobs.ingest.delivery import date_in, describe, find_files
from jobs.ingest.header import csv_header, parquet_header
from jobs.ingest.park import park
from jobs.ingest.stage_csv import stage_csv

HEADER = "person_id,program,channel,is_consented,effective_date"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
ROW = "SECRET-1,all,phone,true,2025-01-01"


def staged(path: Path, tmp_path: Path) -> list[dict[str, object]]:
    header = csv_header(path)
    target = tmp_path / "out.parquet"
    stage_csv(path, header, header.names, target)
    return pq.read_table(target).to_pylist()


def written(folder: Path, content: bytes, name: str = "consent.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refused(path: Path, tmp_path: Path) -> str:
    with pytest.raises(InputFileError) as caught:
        staged(path, tmp_path)
    assert "SECRET" not in str(caught.value), "the reason quotes the file's content"
    return str(caught.value)


def test_rows_are_text_numbered_from_one_and_empty_is_null(tmp_path: Path) -> None:
    rows = staged(written(tmp_path, f"{HEADER}\n{ROW}\n007,,phone,true,\n".encode()), tmp_path)
    assert [row["file_row_number"] for row in rows] == [1, 2]
    assert rows[1]["person_id"] == "007"
    assert rows[1]["program"] is None


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    content = gzip.compress(f"{HEADER}\n{ROW}\n".encode()) + gzip.compress(f"{ROW}\n".encode())
    assert len(staged(written(tmp_path, content, "consent.csv.gz"), tmp_path)) == 2


def test_byte_order_mark_and_crlf_do_no_harm_and_are_noted(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n".encode())
    assert csv_header(path).names[0] == "person_id"
    assert csv_header(path).notes == ("byte order mark dropped", "lines end with CR LF")
    assert staged(path, tmp_path)[0]["effective_date"] == "2025-01-01"


@pytest.mark.parametrize("delimiter", ["|", "\t", ";"])
def test_other_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    content = f"{HEADER}\n{ROW}\n".replace(",", delimiter).encode()
    assert staged(written(tmp_path, content), tmp_path)[0]["channel"] == "phone"


def test_line_break_within_quotes_is_part_of_the_value(tmp_path: Path) -> None:
    rows = staged(written(tmp_path, f'{HEADER}\n"a\nb",all,phone,true,2025-01-01\n{ROW}\n'.encode()), tmp_path)
    assert [row["person_id"] for row in rows] == ["a\nb", "SECRET-1"]


def test_empty_file_is_refused(tmp_path: Path) -> None:
    assert "empty" in refused(written(tmp_path, b""), tmp_path)


def test_header_without_rows_is_refused(tmp_path: Path) -> None:
    assert "no rows" in refused(written(tmp_path, f"{HEADER}\r\n\r\n".encode()), tmp_path)


def test_truncated_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([HEADER, *(f"SECRET-{n},{n}{ROW[8:]}" for n in range(20_000))]).encode())
    assert "cut short" in refused(written(tmp_path, whole[: len(whole) // 2], "consent.csv.gz"), tmp_path)


def test_gzip_in_name_only_is_refused(tmp_path: Path) -> None:
    assert "not a gzip" in refused(written(tmp_path, f"{HEADER}\n{ROW}\n".encode(), "consent.csv.gz"), tmp_path)


def test_latin_1_is_refused_with_the_byte_offset(tmp_path: Path) -> None:
    start = f"{HEADER}\n{ROW}\nSECRET-2,Jos".encode()
    assert f"byte {len(start)} " in refused(written(tmp_path, start + b"\xe9,phone,true,2025-01-01\n"), tmp_path)


def test_latin_1_far_behind_the_first_block_is_refused_with_the_byte_offset(tmp_path: Path) -> None:
    start = f"{HEADER}\n{ROW}\n".encode() + f"{ROW}\n".encode() * 400_000
    message = refused(written(tmp_path, start + b"\xe9,all,phone,true,2025-01-01\n"), tmp_path)
    assert f"byte {len(start)} " in message


def test_utf_16_is_refused(tmp_path: Path) -> None:
    assert "UTF-8" in refused(written(tmp_path, f"{HEADER}\n{ROW}\n".encode("utf-16")), tmp_path)


@pytest.mark.parametrize("bad", ["SECRET-2,all,phone", f"{ROW},more"])
def test_ragged_row_is_refused_with_its_number(tmp_path: Path, bad: str) -> None:
    message = refused(written(tmp_path, f"{HEADER}\n{ROW}\n{bad}\n{ROW}\n".encode()), tmp_path)
    assert "Row 2 " in message
    assert "5 fields" in message


def test_unclosed_quote_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, f'{HEADER}\n{ROW}\n"SECRET-2,all,phone,true,2025-01-01\n{ROW}\n'.encode()), tmp_path)


def test_column_name_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADER},Program\n{ROW},x\n".encode())
    assert "program" in refused(path, tmp_path)


def test_file_without_header_is_parked_without_quoting_it(tmp_path: Path) -> None:
    path = written(tmp_path, f"{ROW}\n{ROW}\n".encode())
    outcome = check(SOURCES["tuva"], describe(path, tmp_path)).outcome
    assert outcome.status == "parked"
    assert "SECRET" not in (outcome.reason or "")


def test_lines_that_end_with_cr_alone_are_refused(tmp_path: Path) -> None:
    assert "CR alone" in refused(written(tmp_path, f"{HEADER}\r{ROW}\r".encode()), tmp_path)
    path = written(tmp_path, f"{'x' * 140_000},b\n1,2\n".encode())
    assert "131,072" in refused(path, tmp_path)


def test_a_file_that_grows_while_it_is_read_is_left_where_it_is(tmp_path: Path) -> None:
    """Its rows would stand under the hash of another file; a bad one would be parked with its beginning only."""
    for content in (f"{HEADER}\n{ROW}\n", f"{HEADER}\n{ROW[:9]}\n", "a,b\n1,2\n"):
        path = written(tmp_path, content.encode())
        delivery = describe(path, tmp_path)
        assert delivery.is_unchanged
        with path.open("a") as upload:
            upload.write(f"{ROW}\n")
        assert check(SOURCES["tuva"], delivery).outcome.status == "left"
        assert not park("tuva", delivery, "bad", NOW, "run")
        assert path.exists()
    gone = describe(path, tmp_path)
    path.unlink()
    assert check(SOURCES["tuva"], gone).outcome.status == "left"
    assert not park("tuva", gone, "bad", NOW, "run")


def test_a_bad_file_in_the_inbox_is_parked_once_it_has_settled(home: Path) -> None:
    """An upload that stalls looks like a damaged file, and what is taken away under it is lost."""
    inbox = home / "landing" / "tuva" / "settles"
    inbox.mkdir(parents=True)
    path = written(inbox, f"a,b\n{ROW}\n".encode())
    young = check(SOURCES["tuva"], describe(path, inbox)).outcome
    assert (young.status, "still on its way" in (young.reason or "")) == ("left", True)
    os.utime(path, (0, 0))
    settled = describe(path, inbox)
    assert check(SOURCES["tuva"], settled).outcome.status == "parked"
    assert park("tuva", settled, "bad", NOW, "run")
    assert not path.exists()


def test_only_what_lies_in_the_inbox_is_taken_away(home: Path, tmp_path: Path) -> None:
    (inbox := home / "landing" / "tuva").mkdir(parents=True, exist_ok=True)
    mine = written(tmp_path, b"a,b\n1,2\n", "mine.csv")
    roundabout = inbox / Path(os.path.relpath(mine, inbox.resolve()))
    assert park("tuva", describe(roundabout, roundabout), "bad", NOW, "run")
    assert mine.exists()


def test_parquet_cut_short_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa

    path = tmp_path / "consent.parquet"
    pq.write_table(pa.table({"person_id": ["SECRET"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputFileError) as caught:
        parquet_header(path)
    assert "SECRET" not in str(caught.value)


def test_spark_leavings_and_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "consent"
    folder.mkdir()
    for name in ("_SUCCESS", ".part-0.parquet.crc", "part-0.parquet"):
        (folder / name).write_bytes(b"x")
    assert [path.name for path, _ in find_files([tmp_path])] == ["part-0.parquet"]


def test_links_that_are_not_followed_are_met(tmp_path: Path) -> None:
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (inbox := tmp_path / "inbox").mkdir()
    (inbox / "folder").symlink_to(tmp_path / "far")
    (inbox / "nothing.csv").symlink_to(tmp_path / "nowhere.csv")
    assert [path.name for path, _ in find_files([inbox])] == ["folder", "nothing.csv"]


def test_a_missing_path_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing at"):
        find_files([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eligibility_20260131.csv", date(2026, 1, 31)),
        ("2026-02-28_claims.csv.gz", date(2026, 2, 28)),
        ("claims_2026_03_01.parquet", date(2026, 3, 1)),
        ("claims_20260230.csv", None),
        ("DE1_0_2008_to_2010_Inpatient_Claims_Sample_1.csv.gz", None),
        ("batch_120260131.csv", None),
    ],
)
def test_delivery_date_in_a_name(name: str, expected: date | None) -> None:
    assert date_in(name) == expected


def test_what_a_killed_landing_left_is_removed_by_the_next(home: Path) -> None:
    from jobs.ingest.stage import staging

    stale = home / "_ingest" / "tuva-killed"
    other = home / "_ingest" / "desynpuf-running"
    for folder in (stale, other):
        folder.mkdir(parents=True, exist_ok=True)
    with staging("tuva", "next") as stage:
        assert stage.folder.is_dir()
        assert stage.folder.stat().st_mode & 0o077 == 0, "members' data is readable by others"
        assert not stale.exists()
        assert other.exists()
    assert not stage.folder.exists()
    other.rmdir()


@pytest.mark.parametrize(
    ("timezone", "expected"), [("America/New_York", date(2026, 2, 28)), ("Asia/Tokyo", date(2026, 3, 1))]
)
def test_a_file_without_a_date_in_its_name_is_of_the_plans_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timezone: str, expected: date
) -> None:
    """Dated by UTC, an evening's delivery in New York is tomorrow's: tonight's list would go without it."""
    path = written(tmp_path, b"a,b\n1,2\n")
    moment = datetime(2026, 3, 1, 2, 30, tzinfo=UTC).timestamp()
    os.utime(path, (moment, moment))
    monkeypatch.setattr("jobs.ingest.delivery.settings", lambda: Settings(timezone=timezone))
    assert describe(path, tmp_path).date == expected
