"""The error tree: one root, one subclass per remedy.

A message says what happened, what was expected, what was found, and what to do next; it never
holds a member's data. The command line prints it without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a scheduler reads from `outreach`; the same table stands in `outreach --help`."""

    OK = 0
    FAILED = 1
    USER_ERROR = 2
    PUBLISHED_WITH_FALLBACK = 10
    BLOCKED = 11
    REFUSED = 12
    ENGINE_UNAVAILABLE = 20
    CONTRACT_BROKEN = 21
    REGISTRY_UNAVAILABLE = 22
    INTERRUPTED = 130


class OutreachError(Exception):
    """Root of all errors this project raises on purpose.

    Args:
        what: what went wrong, one sentence.
        expected: what should have been there.
        actual: what was there instead (never a member's data).
        todo: what the reader can do next.
    """

    exit_code = ExitCode.FAILED

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        actual: str | None = None,
        todo: str | None = None,
    ) -> None:
        self.what, self.expected, self.actual, self.todo = what, expected, actual, todo
        parts = [what]
        if expected is not None:
            parts.append(f"Expected: {expected}.")
        if actual is not None:
            parts.append(f"Found: {actual}.")
        if todo is not None:
            parts.append(f"Next: {todo}")
        super().__init__(" ".join(parts))


class UserError(OutreachError):
    """The caller asked for something that cannot be done as asked; change the call."""

    exit_code = ExitCode.USER_ERROR


class ConfigError(UserError):
    """A setting, a program or a contract is malformed; mend the file that the message names."""


class EngineError(OutreachError):
    """The Spark endpoint cannot be reached or started; see `outreach engine logs`."""

    exit_code = ExitCode.ENGINE_UNAVAILABLE


class InputFileError(OutreachError):
    """A delivered file cannot be read; it is parked with this reason and the others go on."""


class ContractError(OutreachError):
    """A table broke its contract beyond what quarantine may absorb; look at `ops.contract_result`."""

    exit_code = ExitCode.CONTRACT_BROKEN


class DesignError(OutreachError):
    """A study or program cannot answer its question with these data (no outcome, no arm, no overlap)."""


class ModelUnavailableError(OutreachError):
    """No valid champion serves this program; train and promote one, or let the fallback rule rank."""


class RegistryError(OutreachError):
    """The model registry cannot be read or written (locked, damaged, other version); nothing was changed."""

    exit_code = ExitCode.REGISTRY_UNAVAILABLE


class RefusedError(OutreachError):
    """A model may not serve: its gates, a missing approval or changed definitions stand against it."""

    exit_code = ExitCode.REFUSED


class PublishError(OutreachError):
    """A night's audit failed; yesterday's table stands as it was."""

    exit_code = ExitCode.BLOCKED
