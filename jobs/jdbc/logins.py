"""Who may connect, and in which role. Passwords are made here, shown once, and kept as salted hashes (RFC 7914)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass

from filelock import FileLock

from contracts.errors import UserError
from contracts.roles import Role
from contracts.settings import Settings
from jobs.engine.state import write_private

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_COST = {"n": 2**14, "r": 8, "p": 1}
_PASSWORD_BYTES = 18


@dataclass(frozen=True)
class Login:
    """One login. `salt` and `digest` are hexadecimal; `granted_at` is ISO 8601 in UTC."""

    name: str
    role: Role
    salt: str
    digest: str
    granted_at: str


def logins(config: Settings) -> dict[str, Login]:
    """Every login by name, in alphabetical order."""
    file = config.jdbc_dir / "logins.json"
    if not file.exists():
        return {}
    rows = json.loads(file.read_text(encoding="utf-8"))
    return {row["name"]: Login(**{**row, "role": Role(row["role"])}) for row in rows}


def grant(name: str, role: Role, config: Settings) -> str:
    """Make a login, or give one that there is another role and another password; returns the password.

    Raises:
        UserError: the name cannot be one.
    """
    if _NAME.fullmatch(name) is None:
        raise UserError("This cannot be a login.", expected="1 to 64 letters, digits and . _ @ -")
    password, salt = secrets.token_urlsafe(_PASSWORD_BYTES), secrets.token_bytes(16)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    login = Login(name, role, salt.hex(), _digest(password, salt).hex(), now)
    with _changing(config):
        _write({**logins(config), name: login}, config)
    return password


def revoke(name: str, config: Settings) -> bool:
    """Take a login away; its open connections end with their next statement. False when there was none."""
    with _changing(config):
        found = logins(config)
        gone = found.pop(name, None)
        if gone is not None:
            _write(found, config)
    return gone is not None


def admitted(name: str, password: str, config: Settings) -> Login | None:
    """The login that a name and password open, if any; takes as long for an unknown name as for a wrong password."""
    login = logins(config).get(name)
    salt = bytes.fromhex(login.salt) if login else bytes(16)
    given = _digest(password, salt)
    return login if login and hmac.compare_digest(given, bytes.fromhex(login.digest)) else None


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)


def _changing(config: Settings) -> FileLock:
    config.made_home()
    config.jdbc_dir.mkdir(mode=0o700, exist_ok=True)
    return FileLock(config.jdbc_dir / "logins.lock", mode=0o600)


def _write(found: dict[str, Login], config: Settings) -> None:
    rows = [asdict(found[name]) for name in sorted(found)]
    write_private(config.jdbc_dir / "logins.json", json.dumps(rows, indent=1) + "\n")
