"""Flags each row with the rules it breaks: one bit per row rule, then duplicates and orphans where there are any.

Measured hints that shaped it (10 million claim lines): one `count_if` per rule took 5.6 s, a bit mask per row
grouped by mask 2.2 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql.connect import functions as F

from contracts.compile.literals import sql_string
from contracts.compile.rules import CompiledRule, row_rules, rules_of
from contracts.model import Severity, TableContract
from jobs.delta import Content, content_sql, wrapped

BITS = 62  # rules per mask word: a signed 64-bit integer holds them without touching its sign
# Rules that one function of the compiled query judges. Sixty rules of 3 million claim lines in one: 8.1 s; twelve to twenty
# in each: 3.1 to 3.4 s; three: 3.7 s.
_TOGETHER = 16
KEY_HASH = "__key_hash"
COPY = "__copy"
CONFLICT = "__conflict"
_ROW_HASH = "__row_hash"
_NOTHING_KNOWN: Mapping[str, str] = {}


@dataclass(frozen=True)
class Tally:
    """What one look at the rows found.

    Attributes:
        rows: rows looked at.
        broken: rows that break each row rule.
        bad: rows that break a row rule of severity `error`.
        twins: rows that share their key's hash with an earlier one: no fewer than the true duplicates, and 0
            exactly when the key is unique.
        content: of the rows that are not bad, the `jobs.delta.Content`; None where it was not asked for, or keys repeat.
    """

    rows: int
    broken: Mapping[str, int]
    bad: int
    twins: int
    content: Content | None = None


def mask_words(rules: Sequence[CompiledRule], left: Mapping[str, str] = _NOTHING_KNOWN) -> tuple[str, ...]:
    """Spark SQL BIGINT expressions; bit `i % BITS` of word `i // BITS` says that rule `i` is broken.

    Args:
        rules: row rules.
        left: what is left to ask of some of them, by name (`jobs.proofs`); "": nothing, and nothing is read for it.
    """
    chunks = [rules[start : start + BITS] for start in range(0, len(rules), BITS)]
    return tuple(_word(chunk, left) for chunk in chunks) or ("0L",)


def _word(rules: Sequence[CompiledRule], left: Mapping[str, str]) -> str:
    parts: list[list[str]] = []
    room = 0
    for settled, bits in _by_settled(rules, left):
        if room < len(bits):
            parts.append([])
            room = _TOGETHER
        room -= len(bits)
        parts[-1].append(f"IF({settled}, 0L, {' | '.join(bits)})" if settled else " | ".join(bits))
    # Spark makes a function of what occurs twice, and calls it once. All rules in one would be more than the JVM compiles.
    return " | ".join(f"(({part}) | ({part}))" for part in map(" | ".join, parts)) or "0L"


def _by_settled(rules: Sequence[CompiledRule], left: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The rules' bits; together those of a column some of whose values break none of them, with the condition for these."""
    numbered = [(bit, rule) for bit, rule in enumerate(rules) if left.get(rule.name, rule.sql)]
    for (settled, _), group in groupby(numbered, lambda item: (item[1].settled, "" if item[1].settled else item[0])):
        yield settled, [f"IF({left.get(rule.name, rule.sql)}, {1 << bit}L, 0L)" for bit, rule in group]


def word_name(word: int) -> str:
    """Column of mask word `word`."""
    return f"__mask_{word}"


def bit_sql(position: int) -> str:
    """Spark SQL boolean: the row rule at `position` is broken, read from the mask columns."""
    word, bit = divmod(position, BITS)
    return f"({word_name(word)} & {1 << bit}L) <> 0"


def error_sql(rules: Sequence[CompiledRule]) -> str:
    """Spark SQL boolean: some row rule of severity `error` is broken, read from the mask columns."""
    words: dict[int, int] = {}
    for position, rule in enumerate(rules):
        if rule.severity is Severity.ERROR:
            word, bit = divmod(position, BITS)
            words[word] = words.get(word, 0) | (1 << bit)
    return "(" + (" OR ".join(f"({word_name(word)} & {bits}L) <> 0" for word, bits in words.items()) or "false") + ")"


def flagged(df: DataFrame, contract: TableContract, left: Mapping[str, str] = _NOTHING_KNOWN) -> DataFrame:
    """The rows with their mask words and, where the contract has a key, a 64-bit hash of it; as they are if flagged.

    Args:
        df: the rows.
        contract: of the rows.
        left: what is left to ask of some row rules (`jobs.proofs.left_to_ask`).
    """
    if word_name(0) in df.columns:
        return df
    words = mask_words(row_rules(contract), left)
    extra = [F.expr(sql).alias(word_name(i)) for i, sql in enumerate(words)]
    if contract.key:
        extra.append(F.expr(_key_hash_sql(contract)).alias(KEY_HASH))
    return df.select("*", *extra)


def _key_hash_sql(contract: TableContract) -> str:
    columns = ", ".join(f"`{name}`" for name in contract.key)
    nulls = ", ".join(f"isnull(`{name}`)" for name in contract.key)
    return f"xxhash64({columns}, {nulls})"


def tally(df: DataFrame, contract: TableContract, *, with_content: bool = False) -> Tally:
    """Count every rule's broken rows in one query; its answer has one row per way in which rules are broken together.

    Args:
        df: the rows, with or without mask words.
        contract: of the rows.
        with_content: hash the rows on the way, to be compared with those of a table.
    """
    rules = row_rules(contract)
    rows = flagged(df, contract)
    hashes = _content_columns(contract) if with_content else {}
    masks = _by_mask(rows, rules, keyed=bool(contract.key), hashes=hashes).collect()
    twins = sum(mask["twins"] for mask in masks)
    if twins:  # a key's lowest mask stands for all of its rows there: right only where each key has one row
        masks = _by_mask(rows, rules, keyed=False, hashes={}).collect()
    errors = _error_positions(rules)
    good = [mask for mask in masks if not any(_is_set(mask, i) for i in errors)]
    rows_seen = sum(mask["n"] for mask in masks)
    return Tally(
        rows=rows_seen,
        broken={rule.name: sum(mask["n"] for mask in masks if _is_set(mask, i)) for i, rule in enumerate(rules)},
        bad=rows_seen - sum(mask["n"] for mask in good),
        twins=twins,
        content=_content(good, list(hashes)) if with_content and not twins else None,
    )


def _content_columns(contract: TableContract) -> dict[str, str]:
    return {f"__content_{i}": sql for i, sql in enumerate(content_sql(contract.column_names))}


def _content(groups: Sequence[Row], names: Sequence[str]) -> Content:
    sums = [sum(group[name] for group in groups) for name in names]
    return Content(sum(group["n"] for group in groups), *(wrapped(value) for value in sums))


def _is_set(group: Row, position: int) -> bool:
    word, bit = divmod(position, BITS)
    return bool(group[word_name(word)] & (1 << bit))


def _error_positions(rules: Sequence[CompiledRule]) -> list[int]:
    return [i for i, rule in enumerate(rules) if rule.severity is Severity.ERROR]


def _words(rules: Sequence[CompiledRule]) -> list[str]:
    return [word_name(i) for i in range(len(mask_words(rules)))]


def _by_mask(rows: DataFrame, rules: Sequence[CompiledRule], *, keyed: bool, hashes: Mapping[str, str]) -> DataFrame:
    """Per mask the number of rows `n`, when keyed of keys that came before (`twins`), and the sums of row hashes.

    Keyed, it groups by the 64-bit hash of the key on the way, so that one scan and one shuffle of a few longs per
    row answer both questions; a collision of hashes costs a second look, never a wrong answer.
    """
    words = _words(rules)
    added = [f"({sql}) AS {name}" for name, sql in hashes.items()]
    seen = rows.selectExpr(*([KEY_HASH] if keyed else []), *words, *added)
    if not keyed:
        return seen.groupBy(*words).agg(F.count("*").alias("n"), F.lit(0).alias("twins"), *map(_summed, hashes))
    lowest = [F.min(word).alias(word) for word in words]
    per_key = seen.groupBy(KEY_HASH).agg(*lowest, F.count("*").alias("n"), *map(_summed, hashes))
    twins = F.expr("sum(n - 1)").alias("twins")
    return per_key.groupBy(*words).agg(F.sum("n").alias("n"), twins, *map(_summed, hashes))


def _summed(name: str) -> Column:
    return F.sum(name).alias(name)


def count_orphans(rows: DataFrame, rule: CompiledRule, target: DataFrame) -> int:
    """How many rows `orphans_of` finds."""
    return int(orphans_of(rows, rule, target).count())


def orphans_of(rows: DataFrame, rule: CompiledRule, target: DataFrame) -> DataFrame:
    """The rows whose referencing columns are all given and not found in `target`."""
    assert rule.reference is not None
    pairs = list(zip(rule.reference.columns, rule.reference.to_columns, strict=True))
    given = " AND ".join(f"`{mine}` IS NOT NULL" for mine, _ in pairs)
    known = target.select(*(F.col(theirs).alias(f"__to_{i}") for i, (_, theirs) in enumerate(pairs)))
    condition = [F.col(mine) == F.col(f"__to_{i}") for i, (mine, _) in enumerate(pairs)]
    return rows.where(given).join(known, condition, "left_anti")


def classified(
    df: DataFrame, contract: TableContract, references: Mapping[str, DataFrame], *, twins: bool, narrow: bool = True
) -> DataFrame:
    """The rows with `__rules` (names of all rules broken), `__bad` (to be quarantined), `__copy` and `__conflict`.

    Of the rows with one key, the first stays: rows without errors first, then by a hash of the content, so the
    choice does not depend on the order of files. `__copy` numbers the rows of a key from 1; `__conflict` says
    that a later one differs from the first.

    Args:
        df: the rows, with or without mask words.
        contract: of the rows.
        references: referenced tables of the reference rules of severity `error` that some row breaks.
        twins: False when the key is known to be unique (saves the shuffle).
        narrow: sort only the rows whose keys repeat: worth its extra joins on millions of rows, not on thousands.
    """
    rules = row_rules(contract)
    rows = flagged(df, contract)
    for i, (name, target) in enumerate(references.items()):
        rows = _with_orphan_flag(rows, contract, name, target, f"__orphan_{i}")
    flags = [error_sql(rules), *(f"__orphan_{i}" for i in range(len(references)))]
    rows = rows.withColumn("__error", F.expr(" OR ".join(flags)))
    if twins:
        rows = _with_copies(rows, contract, narrow)
    else:
        rows = rows.select("*", F.expr(f"1 AS {COPY}"), F.expr(f"false AS {CONFLICT}"))
    names = [f"IF({bit_sql(i)}, {sql_string(rule.name)}, NULL)" for i, rule in enumerate(rules)]
    names += [f"IF(__orphan_{i}, {sql_string(name)}, NULL)" for i, name in enumerate(references)]
    names.append(f"IF({COPY} > 1, 'key__unique', NULL)")
    return rows.select(
        "*",
        F.expr(f"array_compact(array({', '.join(names)}))").alias("__rules"),
        F.expr(f"__error OR {COPY} > 1").alias("__bad"),
    )


def _with_orphan_flag(rows: DataFrame, contract: TableContract, name: str, target: DataFrame, flag: str) -> DataFrame:
    rule = next(rule for rule in rules_of(contract) if rule.name == name)
    assert rule.reference is not None
    pairs = list(zip(rule.reference.columns, rule.reference.to_columns, strict=True))
    known = target.select(*(F.col(to).alias(f"{flag}_{i}") for i, (_, to) in enumerate(pairs))).distinct()
    joined = rows.join(known, [F.col(mine) == F.col(f"{flag}_{i}") for i, (mine, _) in enumerate(pairs)], "left")
    given = " AND ".join(f"`{mine}` IS NOT NULL" for mine, _ in pairs)
    flagged = joined.withColumn(flag, F.expr(f"({given}) AND `{flag}_0` IS NULL"))
    return flagged.drop(*(f"{flag}_{i}" for i in range(len(pairs))))


def _with_copies(rows: DataFrame, contract: TableContract, narrow: bool) -> DataFrame:
    """Number the rows of each key; `narrow` first sets aside the rows whose key hash occurs once, and sorts the rest."""
    if not narrow:
        return _numbered(rows, contract)
    twins = rows.groupBy(KEY_HASH).agg(F.count(F.lit(1)).alias("n")).where("n > 1").select(KEY_HASH)
    single = rows.join(twins, KEY_HASH, "left_anti").select("*", F.expr(f"1 AS {COPY}"), F.expr(f"false AS {CONFLICT}"))
    return single.unionByName(_numbered(rows.join(twins, KEY_HASH, "left_semi"), contract))


def _numbered(rows: DataFrame, contract: TableContract) -> DataFrame:
    columns = ", ".join(f"`{name}`" for name in contract.column_names)
    nulls = ", ".join(f"isnull(`{name}`)" for name in contract.column_names)
    hashed = rows.withColumn(_ROW_HASH, F.expr(f"xxhash64({columns}, {nulls})"))
    window = f"(PARTITION BY {', '.join(f'`{name}`' for name in contract.key)} ORDER BY __error, {_ROW_HASH})"
    ranked = hashed.selectExpr(
        "*", f"row_number() OVER {window} AS {COPY}", f"{_ROW_HASH} <> first({_ROW_HASH}) OVER {window} AS {CONFLICT}"
    )
    return ranked.drop(_ROW_HASH)


def row_json_sql(contract: TableContract) -> str:
    """Spark SQL: the row as JSON, lossless: NULLs written out, timestamps to the microsecond with their zone."""
    columns = ", ".join(f"`{name}`" for name in contract.column_names)
    options = "map('ignoreNullFields', 'false', 'timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX\")"
    return f"to_json(struct({columns}), {options})"
