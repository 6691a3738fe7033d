"""What an audit of a table says: one verdict per rule, and whether the table may go on. Pure; no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from contracts.compile.rules import CompiledRule, Scope, rules_of
from contracts.errors import ContractError
from contracts.model import BrokenKey, Measure, Severity, TableContract, Tier


class Verdict(StrEnum):
    """`quarantined`: the bad rows were set aside and the rest goes on; `failed`: the table is blocked."""

    PASSED = "passed"
    WARNED = "warned"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True)
class RuleResult:
    """One rule of one audit.

    Attributes:
        rows_broken: rows that break it; 0 for a rule that counts no rows.
        observed: the number measured, of a rule about the table as a whole; None: nothing to measure.
        expected: what a table that keeps the rule shows, in words.
    """

    name: str
    kind: str
    scope: str
    severity: Severity
    tier: Tier
    rows_broken: int
    rows_checked: int
    verdict: Verdict
    description: str
    message: str | None = None
    observed: float | None = None
    expected: str = ""

    @property
    def passed(self) -> bool:
        """Whether the table keeps the rule."""
        return self.verdict is Verdict.PASSED

    @property
    def is_evaluated(self) -> bool:
        """Whether the rule could be judged."""
        return self.verdict is not Verdict.NOT_EVALUATED

    @property
    def blocks(self) -> bool:
        """Whether the rule keeps the table from going on."""
        return self.verdict is Verdict.FAILED


@dataclass(frozen=True)
class Statistic:
    """One number of a column's distribution: `null_share`, `mean`, or `share` of one `value`; `rows` of the table."""

    column: str
    name: str
    value: float
    category: str | None = None


@dataclass(frozen=True)
class Findings:
    """Counts of one audit, before they are judged.

    Attributes:
        rows: rows looked at.
        broken: rows that break each row or reference rule (by name), and `key__unique`.
        conflicts: rows whose key an earlier, different row has.
        bad: rows to be quarantined.
        unknown: rules that need a table which does not exist, with its name.
        values: what was measured, by the table rule that asked for it; absent: nothing to measure.
        statistics: the distributions of the profiled columns, for the nights to come.
    """

    rows: int
    broken: Mapping[str, int]
    conflicts: int = 0
    bad: int = 0
    unknown: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    statistics: tuple[Statistic, ...] = ()


@dataclass(frozen=True)
class AuditResult:
    """The audit of one table by one version of its contract.

    Attributes:
        rows_checked: rows that were looked at: all, or those of files that came after `since_version`.
        rows_total: rows that the table holds after an audit of new files; None: those checked and not quarantined.
        table_version: Delta version that the audit left behind.
    """

    audit_id: str
    table: str
    contract_version: str
    rows_checked: int
    rows_quarantined: int
    rules: tuple[RuleResult, ...]
    fingerprint: str
    data_source: str | None = None
    row_filter: str | None = None
    table_version: int | None = None
    run_date: date | None = None
    statistics: tuple[Statistic, ...] = ()
    rules_fingerprint: str = ""
    since_version: int | None = None
    rows_total: int | None = None
    is_reused: bool = False
    seconds: float = field(default=0.0, compare=False)

    @property
    def blocked(self) -> bool:
        """Whether the table may not go on; nothing was removed from it then."""
        return any(rule.blocks for rule in self.rules)

    @property
    def reason(self) -> str | None:
        """Why it is blocked, in one line; None when it is not."""
        reasons = [f"{rule.name}: {rule.message or rule.description}" for rule in self.rules if rule.blocks]
        return "; ".join(reasons) or None

    def require(self) -> AuditResult:
        """This result, unless the table is blocked.

        Raises:
            ContractError: the table is blocked.
        """
        if self.blocked:
            raise ContractError(
                f"{self.table} broke its contract {self.contract_version} and is blocked.",
                actual=self.reason,
                todo="Look at ops.contract_result; mend the input or the contract and run the night again.",
            )
        return self


def judge(contract: TableContract, found: Findings) -> tuple[RuleResult, ...]:
    """One result per rule of the contract, in its order.

    A table is blocked by a share of bad rows above the contract's limit (unless they are too few to count), by any other `error` rule about the table as a
    whole, by an `error` reference to a table that does not exist and, where the contract says `broken_key=block`, by
    NULL or conflicting keys. Copies of one and the same row never block by themselves: one of them stays.
    """
    judged = [_judged(rule, contract, found) for rule in rules_of(contract)]
    blocked = any(result.blocks for result in judged)
    return tuple(
        replace(result, verdict=Verdict.FAILED) if blocked and result.verdict is Verdict.QUARANTINED else result
        for result in judged
    )


def _judged(rule: CompiledRule, contract: TableContract, found: Findings) -> RuleResult:
    """One rule's result, as if no other rule blocked the table."""
    broken, observed = found.broken.get(rule.name, 0), None
    if rule.name in found.unknown:
        is_fatal = rule.severity is Severity.ERROR and rule.scope is Scope.REFERENCE
        verdict = Verdict.FAILED if is_fatal else Verdict.NOT_EVALUATED
        message: str | None = f"{found.unknown[rule.name]} does not exist"
    elif rule.measure is not None:
        observed = _observed(rule, found)
        broken = _rows_behind(rule, found, observed)
        verdict, message = _measure_verdict(rule, rule.measure, observed)
        if rule.kind == "quarantine_share" and found.bad < contract.quarantine_from:
            verdict = Verdict.PASSED
    else:
        verdict, message = _rows_verdict(rule, contract, found, broken)
    return RuleResult(
        name=rule.name,
        kind=rule.kind,
        scope=rule.scope,
        severity=rule.severity,
        tier=rule.tier,
        rows_broken=broken,
        rows_checked=found.rows,
        verdict=verdict,
        description=rule.description,
        message=message,
        observed=observed,
        expected=rule.expected,
    )


def _observed(rule: CompiledRule, found: Findings) -> float | None:
    if rule.kind == "quarantine_share":
        return found.bad / found.rows if found.rows else 0.0
    if rule.kind == "row_count":
        return float(found.rows - found.bad)
    return found.values.get(rule.name)


def _rows_behind(rule: CompiledRule, found: Findings, observed: float | None) -> int:
    """How many rows a table rule is about, where it counts rows."""
    if rule.kind == "quarantine_share":
        return found.bad
    counts = rule.kind == "measure" and rule.measure is not None and rule.measure.unit == "rows"
    return min(int(observed), found.rows) if counts and observed else 0


def _measure_verdict(rule: CompiledRule, measure: Measure, observed: float | None) -> tuple[Verdict, str]:
    if observed is None:
        return Verdict.PASSED, "nothing to measure yet"
    message = f"{observed:,.6g} {measure.unit}, expected {measure.expected}"
    if measure.holds(observed):
        return Verdict.PASSED, message
    source = f" ({measure.reference})" if measure.reference else ""
    return Verdict.FAILED if rule.severity is Severity.ERROR else Verdict.WARNED, message + source


def _rows_verdict(
    rule: CompiledRule, contract: TableContract, found: Findings, broken: int
) -> tuple[Verdict, str | None]:
    if not broken:
        return Verdict.PASSED, None
    if contract.broken_key is BrokenKey.BLOCK and rule.name == "key__not_null":
        return Verdict.FAILED, f"{broken} rows without a complete key"
    if contract.broken_key is BrokenKey.BLOCK and rule.scope is Scope.KEY and found.conflicts:
        return Verdict.FAILED, f"{found.conflicts} rows contradict another row of the same key"
    message = f"{broken} of {found.rows} rows"
    return Verdict.WARNED if rule.severity is Severity.WARN else Verdict.QUARANTINED, message


def aged(contract: TableContract, results: tuple[RuleResult, ...], days: int) -> tuple[RuleResult, ...]:
    """An earlier audit's results `days` nights later: all as they were, but for how fresh the table is."""
    fresh = {rule.name: rule for rule in rules_of(contract) if rule.kind == "freshness"}

    def one(result: RuleResult) -> RuleResult:
        if result.name not in fresh or result.observed is None:
            return result
        later = result.observed + days
        rule = fresh[result.name]
        assert rule.measure is not None
        verdict, message = _measure_verdict(rule, rule.measure, later)
        return replace(result, observed=later, verdict=verdict, message=message)

    return tuple(one(result) for result in results)
