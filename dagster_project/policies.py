"""What every asset shares: the pool, retries, owners."""

from __future__ import annotations

import dagster as dg

# One writer at a time: nights of one warehouse share core tables, and the pool (limit 1, by run) queues them.
POOL = "lakehouse"

# An engine that dropped a connection is worth a second try; a broken contract is raised as `dg.Failure` without retries.
RETRY = dg.RetryPolicy(max_retries=1, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def no_retry(error: Exception) -> dg.Failure:
    """Wrap an error that a retry cannot mend: same inputs, same result."""
    return dg.Failure(description=str(error), allow_retries=False)
