"""What an audit of a table says: one verdict per rule, and whether the table may go on. Pure; no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.compile.rules import CompiledRule, Scope, rules_of
from contracts.errors import ContractError
from contracts.model import BrokenKey, Severity, TableContract, Tier


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
        passed: no row breaks it.
        blocks: it keeps the table from going on.
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

    @property
    def passed(self) -> bool:
        """Whether no row breaks the rule."""
        return self.verdict is Verdict.PASSED

    @property
    def blocks(self) -> bool:
        """Whether the rule keeps the table from going on."""
        return self.verdict is Verdict.FAILED


@dataclass(frozen=True)
class Findings:
    """Counts of one audit, before they are judged.

    Attributes:
        rows: rows looked at.
        broken: rows that break each row or reference rule (by name), and `key__unique`.
        conflicts: rows whose key an earlier, different row has.
        bad: rows to be quarantined.
        unknown: reference rules whose table does not exist.
    """

    rows: int
    broken: Mapping[str, int]
    conflicts: int = 0
    bad: int = 0
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AuditResult:
    """The audit of one table by one version of its contract."""

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

    A table is blocked by a share of bad rows above the contract's limit, by too few rows, by an `error` reference
    to a table that does not exist and, where the contract says `broken_key=block`, by NULL or conflicting keys.
    Copies of one and the same row never block by themselves: one of them stays.
    """
    judged = {rule.name: _judge_table_rule(rule, contract, found) for rule in rules_of(contract)}
    blocked = any(verdict is Verdict.FAILED for _, verdict, _ in judged.values())
    return tuple(_result(rule, found, blocked, *judged[rule.name]) for rule in rules_of(contract))


_Judged = tuple[int, Verdict | None, str | None]


def _judge_table_rule(rule: CompiledRule, contract: TableContract, found: Findings) -> _Judged:
    """`(rows broken, verdict where this rule alone decides it, message)`."""
    broken = found.broken.get(rule.name, 0)
    if rule.name in found.unknown:
        return 0, *_unknown_table(rule)
    if rule.kind == "quarantine_share":
        share = found.bad / found.rows if found.rows else 0.0
        message = f"{found.bad} of {found.rows} rows ({share:.2%}) break a rule"
        return found.bad, Verdict.FAILED if share > contract.quarantine_limit else Verdict.PASSED, message
    if rule.kind == "row_count":
        kept = found.rows - found.bad
        message = f"{kept} good rows, at least {contract.min_rows} expected"
        return 0, Verdict.FAILED if kept < contract.min_rows else Verdict.PASSED, message
    if contract.broken_key is BrokenKey.BLOCK and rule.name == "key__not_null" and broken:
        return broken, Verdict.FAILED, f"{broken} rows without a complete key"
    if contract.broken_key is BrokenKey.BLOCK and rule.scope is Scope.KEY and found.conflicts:
        return broken, Verdict.FAILED, f"{found.conflicts} rows contradict another row of the same key"
    return broken, None, None


def _unknown_table(rule: CompiledRule) -> tuple[Verdict, str]:
    assert rule.reference is not None
    message = f"{rule.reference.table} does not exist"
    return Verdict.FAILED if rule.severity is Severity.ERROR else Verdict.NOT_EVALUATED, message


def _result(
    rule: CompiledRule, found: Findings, blocked: bool, broken: int, verdict: Verdict | None, message: str | None
) -> RuleResult:
    if verdict is None:
        verdict = _row_verdict(rule, broken, blocked)
        message = f"{broken} of {found.rows} rows" if broken else None
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
    )


def _row_verdict(rule: CompiledRule, broken: int, blocked: bool) -> Verdict:
    if not broken:
        return Verdict.PASSED
    if rule.severity is Severity.WARN:
        return Verdict.WARNED
    return Verdict.FAILED if blocked else Verdict.QUARANTINED
