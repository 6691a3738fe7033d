"""Names for rows that tell nothing: a keyed hash of the row's key, the key being this installation's secret.

The secret lives in the state folder (0600) and never leaves this process: Spark gets one derived from it per table,
so that a plan or a log that shows it does not open the others.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.compile.literals import sql_string
from contracts.settings import settings

if TYPE_CHECKING:
    from contracts.model import TableContract


def pseudonym_secret() -> bytes:
    """The key that pseudonyms of people are made with; never given to Spark or a log as it is."""
    return hmac.new(_secret(settings().home), b"pseudonyms", hashlib.sha256).digest()


@cache
def _secret(home: Path) -> bytes:
    """32 random bytes, made on first use; two processes that start at once end up with the same ones."""
    path = home / "secrets" / "row_key"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # the other process was first: its secret counts
        finally:
            fresh.unlink()
    return path.read_bytes()


def row_key_sql(contract: TableContract) -> str:
    """Spark SQL string: keyed SHA-256 over the row's key columns (all columns where it has no key)."""
    salt = hmac.new(_secret(settings().home), contract.name.encode(), hashlib.sha256).hexdigest()
    columns = ", ".join(f"`{name}`" for name in contract.key or contract.column_names)
    return f"sha2(concat({sql_string(salt)}, to_json(struct({columns}), map('ignoreNullFields', 'false'))), 256)"
