"""Is this machine fit to run nights: one check per thing that has stopped somebody, each with what mends it.

Starts no engine and changes nothing. A check that fails stops nights; one that warns makes them slow or a part of them
unusable.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from contracts.errors import OutreachError
from contracts.settings import Settings, setting_name

_GB = 1 << 30
MEMORY_GB = (4.0, 8.0)  # fails below, warns below: 3 GB of engine heap and 1 GB of everything else at 20,000 members
DISK_GB = (2.0, 10.0)  # the demo's state folder takes 1.6 GB, the environment 3 GB
_UI_PORT = 3000


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it is, and what mends it (empty where nothing needs mending)."""

    check: str
    health: Health
    found: str
    remedy: str = ""


def examine(config: Settings) -> list[Finding]:
    """Every check, in the order in which trouble should be mended. A check that itself fails says so."""
    return [_guarded(check, config) for check in _CHECKS]


def _guarded(check: Callable[[Settings], Finding], config: Settings) -> Finding:
    try:
        return check(config)
    except (OSError, OutreachError, ValueError) as error:
        name = check.__name__.removeprefix("_").replace("_", " ")
        return Finding(name, Health.FAIL, f"could not be looked at: {error}", "mend what the message names.")


def _python(_: Settings) -> Finding:
    found = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if sys.version_info[:2] in ((3, 11), (3, 12)):
        return Finding("python", Health.OK, found)
    return Finding("python", Health.FAIL, found, "install Python 3.11 or 3.12 and run `make setup`.")


def _packages(_: Settings) -> Finding:
    """Installed versions against `requirements.lock`, where there is a checkout."""
    lock = Path(__file__).resolve().parents[1] / "requirements.lock"
    if not lock.exists():
        return Finding("packages", Health.OK, "no lock beside this installation; not compared")
    other = [f"{name} {is_} instead of {wanted}" for name, is_, wanted in drifted(lock.read_text(encoding="utf-8"))]
    if not other:
        return Finding("packages", Health.OK, "as in requirements.lock")
    more = f" and {len(other) - 3} more" if len(other) > 3 else ""
    return Finding(
        "packages", Health.WARN, f"{', '.join(other[:3])}{more}", "run `make setup`, then `outreach engine stop`."
    )


def drifted(lock: str) -> Iterable[tuple[str, str, str]]:
    """(name, installed, locked) of each package whose version differs; entries for other platforms are left out."""
    for line in lock.splitlines():
        if not line or line[0] in " #-" or "==" not in line or ";" in line:
            continue
        name, wanted = line.rstrip(" \\").split("==")
        try:
            found = version(name.split("[")[0])
        except PackageNotFoundError:
            found = "not installed"
        if found != wanted:
            yield name, found, wanted


def _java(config: Settings) -> Finding:
    from jobs.engine.java import find_java

    if config.spark_remote is not None:
        return Finding("java", Health.OK, "not needed: SPARK_REMOTE is set")
    path, major = find_java()
    return Finding("java", Health.OK, f"{major}, {path}")


def _jars(config: Settings) -> Finding:
    from jobs.engine.jars import DELTA_VERSION, is_complete, stores
    from jobs.engine.paths import engine_paths

    if config.spark_remote is not None or any(is_complete(store) for store in stores(engine_paths(config))):
        return Finding(
            "delta jars", Health.OK, "there" if config.spark_remote is None else "not needed: SPARK_REMOTE is set"
        )
    return Finding(
        "delta jars", Health.WARN, f"Delta {DELTA_VERSION} is not here yet",
        "the first start downloads them; without a network, run `make setup` once with one.",
    )  # fmt: skip


def _memory(config: Settings) -> Finding:
    total = _memory_limit() / _GB
    free = psutil.virtual_memory().available / _GB
    found = f"{total:.0f} GB, {free:.1f} GB free; engine heap {config.engine_memory}"
    remedy = "close other programs, or set OUTREACH_ENGINE_MEMORY lower (2g is enough for 20,000 members)."
    return Finding("memory", _graded(min(total, free + 4), MEMORY_GB), found, remedy)


def _memory_limit() -> int:
    """Bytes of this machine, or of the container that we are in."""
    total = int(psutil.virtual_memory().total)
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(text)) if text.isdigit() else total


def _disk(config: Settings) -> Finding:
    folder = next(path for path in (config.home, *config.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free / _GB
    remedy = f"free some space where {config.home} is, or move it with OUTREACH_HOME."
    return Finding("disk", _graded(free, DISK_GB), f"{free:.0f} GB free", remedy)


def _graded(value: float, limits: tuple[float, float]) -> Health:
    return Health.FAIL if value < limits[0] else Health.WARN if value < limits[1] else Health.OK


def _state_folder(config: Settings) -> Finding:
    """Ours, writable, and closed to others where members' data are."""
    home = config.home
    if not home.exists():
        return Finding("state folder", Health.OK, f"{home} will be made by the first command")
    if not os.access(home, os.W_OK | os.X_OK):
        return Finding(
            "state folder", Health.FAIL, f"{home} cannot be written", f"chown it to you, or set OUTREACH_HOME: {home}"
        )
    private = [home / "secrets", home / "engine", home / "ledger", home / "access"]
    seen = [path.name for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    home_open = stat.S_IMODE(home.stat().st_mode) & 0o007
    if seen:
        return Finding("state folder", Health.FAIL, f"others may enter {', '.join(seen)}", f"chmod 700 {home}/{{{','.join(seen)}}}")  # fmt: skip
    if home_open:
        return Finding(
            "state folder", Health.WARN, f"every account of this machine may read {home}", f"chmod 700 {home}"
        )
    return Finding("state folder", Health.OK, f"{home}, yours alone")


def _warehouse(config: Settings) -> Finding:
    """Every Delta table's last commit can be read, and asks for nothing that this release cannot."""
    from jobs.query.duck import delta_folder

    if config.spark_remote is not None or "://" in config.warehouse_url:
        return Finding("warehouse", Health.OK, "elsewhere; not looked at")
    root = Path(config.warehouse_url)
    logs = sorted(root.glob("*.db/*/_delta_log"))
    if not logs:
        return Finding("warehouse", Health.OK, "empty: no night has run yet")
    broken = [f"{log.parent.parent.stem}.{log.parent.name}" for log in logs if not _is_readable(log)]
    if broken:
        return Finding(
            "warehouse", Health.FAIL, f"{len(broken)} of {len(logs)} tables cannot be read: {', '.join(broken[:3])}",
            "restore the folder from a backup, or remove the table and run the night again (docs/runbook.md#failure).",
        )  # fmt: skip
    published = (delta_folder("outreach.priority", config) / "_delta_log").is_dir()
    return Finding("warehouse", Health.OK, f"{len(logs)} tables{'' if published else ', none published yet'}")


def _is_readable(log: Path) -> bool:
    """Whether the newest commit is whole JSON and no commit is missing since the last checkpoint."""
    numbers = sorted(int(path.stem) for path in log.glob("*.json") if path.stem.isdigit())
    if not numbers or numbers[-1] - numbers[0] + 1 != len(numbers):
        return False
    try:
        for line in (log / f"{numbers[-1]:020d}.json").read_text(encoding="utf-8").splitlines():
            json.loads(line)
    except (OSError, ValueError):
        return False
    return True


def _engine(config: Settings) -> Finding:
    from jobs.engine.lifecycle import EngineCondition, engine_status

    if config.spark_remote is not None:
        return Finding("engine", Health.OK, "SPARK_REMOTE is used; `outreach engine status` does not look at it")
    found = engine_status(config)
    if found.condition is EngineCondition.UNRESPONSIVE:
        return Finding("engine", Health.FAIL, "its process lives but does not answer", "`outreach engine stop`; the next use starts another.")  # fmt: skip
    if found.condition is EngineCondition.CRASHED:
        return Finding("engine", Health.WARN, "the last one ended without being stopped", "`outreach engine logs` says why; the next use starts another.")  # fmt: skip
    if found.differences:
        return Finding("engine", Health.WARN, "; ".join(found.differences), "`outreach engine stop`; the next use starts one that fits.")  # fmt: skip
    return Finding("engine", Health.OK, found.condition.value)


def _ports(_: Settings) -> Finding:
    """Loopback takes connections (the engine picks a free port), and the UI's usual port is free."""
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client.settimeout(5)
        client.connect(server.getsockname())
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", _UI_PORT)) == 0:
            return Finding(
                "ports",
                Health.WARN,
                f"{_UI_PORT} is in use",
                f"if it is not this UI: `outreach ui --port {_UI_PORT + 1}`.",
            )
    return Finding("ports", Health.OK, "loopback answers; the UI's port is free")


def _settings_file(config: Settings) -> Finding:
    """Lines of `settings.env` that set nothing: a misspelt field, or no `=`, is silently no setting."""
    if not config.settings_file.exists():
        return Finding("settings", Health.OK, "defaults and environment")
    known = {setting_name(field) for field in Settings.model_fields}
    lines = config.settings_file.read_text(encoding="utf-8").splitlines()
    told = {n: line.strip().removeprefix("export ") for n, line in enumerate(lines, 1)}
    told = {n: line for n, line in told.items() if line and not line.startswith("#")}
    names = [line.split("=")[0].strip() for line in told.values() if "=" in line]
    unknown = [name for name in names if name.upper() not in known]
    # By its number: what stands in it may be a secret.
    wrong = [f"no `=` in line {n}" for n, line in told.items() if "=" not in line]
    wrong += [f"{name}, which is no setting" for name in unknown]
    file = config.settings_file.name
    if wrong:
        return Finding("settings", Health.WARN, f"{file} has {'; '.join(wrong)}", "correct it; fields are in contracts/settings.py, each set as OUTREACH_<FIELD>.")  # fmt: skip
    return Finding("settings", Health.OK, f"{len(names)} in {file}; role {config.role.value}")


def _browser(_: Settings) -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome", "firefox", "xdg-open", "open")
    found = next((name for name in names if shutil.which(name)), None)
    if found is None:
        return Finding(
            "browser", Health.WARN, "none on this machine", "copy the report's one file to where there is one."
        )
    return Finding("browser", Health.OK, found)


_CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _python, _packages, _java, _jars, _memory, _disk, _ports, _state_folder, _settings_file, _warehouse, _engine, _browser,
)  # fmt: skip


def lines(findings: list[Finding]) -> list[str]:
    """One line per check, and below it what mends it."""
    said = []
    for it in findings:
        said.append(f"{it.health.value:<5} {it.check:<13} {it.found}")
        if it.health is not Health.OK and it.remedy:
            said.append(f"      {'':<13} → {it.remedy}")
    return said
