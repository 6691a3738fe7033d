"""`ops`: what the warehouse says of itself. Append-only, so that every past night can be asked what it did and left out.

Only `ops.quarantine` is ever updated, and there only the columns that say a row was released.
"""

from __future__ import annotations

from contracts.alert_kinds import ALERT_KINDS
from contracts.model import Contract, Phi, Rule, Severity, Tier, column, table
from contracts.types import Bool, Date, Double, Long, Str, Strings, Timestamp

VERDICTS = ("passed", "warned", "quarantined", "failed", "not_evaluated")
STEP_STATUSES = ("started", "succeeded", "failed", "skipped")
FILE_STATUSES = ("landed", "parked", "duplicate")
_RUN = "Run that wrote the row."
_TABLE = r"^[a-z_]+\.[a-z0-9_]+$"
_SHA256 = r"^[0-9a-f]{64}$"


@table("ops.quarantine", key=("quarantine_id",), rules=(
    Rule("released_has_time", "(status = 'released') = (released_at is not null)", "A released row says when."),
))  # fmt: skip
class Quarantine(Contract):
    """One row per row that a table's contract refused, whole, so that it can be shown, mended and re-admitted.

    The same bad row delivered again is the same entry: `quarantine_id` hashes the table, the row and its copy number.
    """

    quarantine_id: Str = column("SHA-256 of table, row and the number among identical rows.", str_matches=_SHA256)
    table_name: Str = column("Table that refused the row, `schema.table`.", str_matches=_TABLE)
    data_source: Str = column("Ingestion source, where the table has one.", nullable=True)
    row_json: Str = column("The row as JSON, every column, NULLs written out.", phi=Phi.OTHER_ID)
    row_key_hash: Str = column("Keyed hash of the row's key: the name to use in talk and tickets.", str_matches=_SHA256)
    rules: Strings = column("Names of the rules that the row breaks.")
    contract_version: Str = column("Version of the contract that refused the row.")
    table_version: Long = column(
        "Delta version in which the row stood; NULL: refused before it was written.", nullable=True
    )
    file_name: Str = column("Delivered file of the row, where the table tells.", nullable=True)
    file_sha256: Str = column("SHA-256 of that file.", nullable=True)
    file_row_number: Long = column("Row within that file.", nullable=True)
    run_id: Str = column(_RUN)
    quarantined_at: Timestamp = column("When the row was first refused (UTC).")
    status: Str = column("Held, or released back into its table.", isin=("held", "released"))
    released_at: Timestamp = column("When the row was released (UTC).", nullable=True)
    released_run_id: Str = column("Run that released it.", nullable=True)


@table("ops.contract_result", key=("audit_id", "rule"), version="1.1.0", rules=(
    Rule("broken_at_most_checked", "rows_broken <= rows_checked", "No more rows break a rule than were checked."),
))  # fmt: skip
class ContractResult(Contract):
    """One row per audit of a table and rule of its contract, also where an unchanged table's last audit was reused."""

    audit_id: Str = column("One audit of one table.")
    run_id: Str = column(_RUN)
    table_name: Str = column("Audited table, `schema.table`.", str_matches=_TABLE)
    data_source: Str = column("Ingestion source of the night; NULL: all.", nullable=True)
    run_date: Date = column("Date of the night; NULL: an audit apart from any.", nullable=True)
    row_filter: Str = column(
        "Spark SQL condition that selected the audited rows; NULL: the whole table.", nullable=True
    )
    since_version: Long = column(
        "Only files that came after this Delta version were looked at; NULL: all rows.", nullable=True
    )
    rule: Str = column("Rule, unique within the table.")
    kind: Str = column("Kind of rule, e.g. `not_null`, `in_set`, `expression`, `unique`, `reference`.")
    scope: Str = column("What decides it.", isin=("row", "key", "reference", "table"))
    severity: Str = column("`error` quarantines or blocks, `warn` reports.", isin=("error", "warn"))
    tier: Str = column("Tier of data quality.", isin=("structural", "logical", "analytical"))
    rows_checked: Long = column("Rows that the rule looked at.", unit="count", ge=0)
    rows_broken: Long = column("Rows that break it.", unit="count", ge=0)
    observed: Double = column(
        "What a rule about the table as a whole measured; NULL: a rule about rows, or nothing to measure.",
        nullable=True,
    )
    expected: Str = column("What a table that keeps the rule shows, in words.", nullable=True)
    verdict: Str = column(
        "`quarantined`: bad rows were set aside and the rest went on; `failed`: the table is blocked.", isin=VERDICTS
    )
    message: Str = column("What a reader should know, without data.", nullable=True)
    contract_version: Str = column("Version of the contract.")
    table_version: Long = column("Delta version that the audit left behind; NULL: nothing written.", nullable=True)
    fingerprint: Str = column("Hash of rules, filter and the versions of all tables read: equal means nothing to do.")
    rules_fingerprint: Str = column(
        "Hash of the rules alone: what an earlier audit has to share to be built on.", nullable=True
    )
    is_reused: Bool = column("True where the table had not changed since its last audit.")
    audited_at: Timestamp = column("When (UTC).")


@table("ops.table_profile", key=("audit_id", "column_name", "statistic", "category"), rules=(
    Rule("share_within_one", "statistic not in ('share', 'null_share') or value between 0 and 1", "A share lies between 0 and 1."),
))  # fmt: skip
class TableProfile(Contract):
    """One row per audit of a profiled table and statistic: what the nights to come are held against.

    Aggregates only, and of text only the values that the contract itself names.
    """

    audit_id: Str = column("Audit, as in `ops.contract_result`.")
    run_id: Str = column(_RUN)
    table_name: Str = column("Profiled table, `schema.table`.", str_matches=_TABLE)
    data_source: Str = column("Ingestion source of the night; NULL: all.", nullable=True)
    run_date: Date = column("Date of the night; NULL: an audit apart from any.", nullable=True)
    column_name: Str = column("Profiled column; `row_count` for the table itself.")
    statistic: Str = column("What was computed.", isin=("rows", "mean", "null_share", "share"))
    category: Str = column("Value of the column that a `share` is of; empty for the other statistics.")
    value: Double = column("The statistic.")
    profiled_at: Timestamp = column("When (UTC).")


@table("ops.run_ledger", key=("run_id", "job", "step", "started_at"), rules=(
    Rule("end_not_before_start", "ended_at >= started_at", "A step ends after it starts."),
))  # fmt: skip
class RunLedger(Contract):
    """One row per step of every job that ran, with what it cost and what it left out."""

    run_id: Str = column("Run of which the step is a part.")
    job: Str = column("Job, e.g. `nightly`.")
    step: Str = column("Step, e.g. `score`.")
    data_source: Str = column("Ingestion source of the night; NULL: none or all.", nullable=True)
    run_date: Date = column("Date of the night; NULL where the job has none.", nullable=True)
    status: Str = column("How it ended; `started`: the process died within it.", isin=STEP_STATUSES)
    started_at: Timestamp = column("Start (UTC).")
    ended_at: Timestamp = column("End (UTC); NULL where the process died.", nullable=True)
    duration_seconds: Double = column("Wall time.", unit="seconds", nullable=True, ge=0)
    rows_in: Long = column("Rows read.", unit="count", nullable=True, ge=0)
    rows_out: Long = column("Rows written.", unit="count", nullable=True, ge=0)
    rows_quarantined: Long = column("Rows set aside.", unit="count", nullable=True, ge=0)
    peak_memory_mb: Double = column(
        "Peak resident memory of this process so far.", unit="megabytes", nullable=True, ge=0
    )
    engine_peak_memory_mb: Double = column(
        "Peak resident memory of the embedded engine since its start; NULL without one.",
        unit="megabytes",
        nullable=True,
        ge=0,
    )
    table_version: Long = column("Delta version written.", nullable=True, ge=0)
    code_version: Str = column("Release and commit of the code.")
    contract_version: Str = column("Version of the contract that the step enforced.", nullable=True)
    message: Str = column("Reason of a failure or a skip, without data.", nullable=True)


@table("ops.alert", key=("alert_id",), version="1.1.2")
class Alert(Contract):
    """One row per thing that a person should look at."""

    alert_id: Str = column("Unique id.")
    run_id: Str = column(_RUN)
    raised_at: Timestamp = column("When (UTC).")
    severity: Str = column("How urgent.", isin=("error", "warn"))
    kind: Str = column(f"What sort of thing: {', '.join(f'`{kind}`' for kind in ALERT_KINDS)}.")
    subject: Str = column("Table, model, program or job that it is about.")
    message: Str = column("One or two sentences for a person, without data.")
    data_source: Str = column("Ingestion source; NULL: none or all.", nullable=True)
    run_date: Date = column("Date of the night; NULL where it has none.", nullable=True)
    runbook: Str = column("Section of the runbook that says what to do.", nullable=True)


@table("ops.access_audit", key=("access_id",), version="1.2.0")
class AccessAudit(Contract):
    """One row per reading of identified tables, and per answer about one person. Append-only; no member is named."""

    access_id: Str = column("Unique id.")
    accessed_at: Timestamp = column("When, before anything was read (UTC).")
    login: Str = column("Account on the machine; for `jdbc` the login of that door.")
    role: Str = column("Role in force.", isin=("analyst", "care_manager", "steward"))
    door: Str = column(
        "`sql`, `jdbc`, `explain`, `export`, `dispositions` (their import) or `quarantine` (rows with their values).",
        isin=("sql", "jdbc", "explain", "export", "dispositions", "quarantine"),
    )
    engine: Str = column("What read.", isin=("duckdb", "spark"))
    tables: Strings = column("Tables and views that were named.")
    is_identified: Bool = column("Rows were readable as they are; False: de-identified.")
    statement: Str = column(
        "The statement, every value replaced by `?` and every made-up name by a number; NULL where none was typed.",
        nullable=True,
    )


@table("ops.input_file", key=("data_source", "file_sha256", "ingested_at", "entity", "file_name"), version="1.0.1", rules=(
    Rule("parked_has_reason", "status = 'landed' or reason is not null", "A file that was not landed says why."),
))  # fmt: skip
class InputFile(Contract):
    """One row per delivered file that was landed, parked or found a duplicate."""

    data_source: Str = column("Ingestion source.")
    entity: Str = column("What the file holds; `unknown` where it could not be told.")
    file_name: Str = column("Base name as delivered.")
    file_sha256: Str = column("SHA-256 of the file as delivered.", str_matches=_SHA256)
    file_date: Date = column("Date of the delivery.", nullable=True)
    size_bytes: Long = column("Size.", unit="bytes", ge=0)
    row_count: Long = column("Data rows read; NULL where it could not be read.", unit="count", nullable=True, ge=0)
    status: Str = column("`duplicate`: a file of the same hash was landed before.", isin=FILE_STATUSES)
    reason: Str = column("Why it was parked or not landed again, without data.", nullable=True)
    drift: Str = column(
        "JSON: columns added, missing or renamed against the reader's layout; added ones whose names do not look like "
        "columns are counted as `added_unnamed`.", nullable=True,
        severity=Severity.WARN, tier=Tier.LOGICAL,
    )  # fmt: skip
    ingested_at: Timestamp = column("When (UTC).")
    run_id: Str = column(_RUN)
