"""What every asset shares: the pool, retries, owners."""

from __future__ import annotations

import sys

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

# One writer at a time: nights of one warehouse share core tables, and the pool (limit 1, by run) queues them.
POOL = "lakehouse"

INTERRUPTS = (KeyboardInterrupt, DagsterExecutionInterruptedError)


class RetryUnlessInterrupted(dg.RetryPolicy):
    """Retries errors, not what a person stopped: Dagster itself would run an interrupted step again (as of 1.13)."""

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds to wait; raises the interrupt that Dagster is handling, where it is one."""
        stopped_by = sys.exception()
        if isinstance(stopped_by, INTERRUPTS):
            raise stopped_by
        return float(super().calculate_delay(attempt_num))


# An engine that dropped a connection is worth a second try; a broken contract is raised as `dg.Failure` without retries.
RETRY = RetryUnlessInterrupted(max_retries=1, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def no_retry(error: Exception) -> dg.Failure:
    """Wrap an error that a retry cannot mend: same inputs, same result."""
    return dg.Failure(description=str(error), allow_retries=False)
