"""Delivers events: always to the night's NDJSON file, and by HTTP where `OPENLINEAGE_URL` says to whom.

A receiver that is slow, down or in trouble costs a night at most `PATIENCE_SECONDS` in all; what it did not take is
counted and stays in the file, from which `outreach lineage export --to-url` can send it later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.settings import settings

if TYPE_CHECKING:
    from openlineage.client.client import Event
    from openlineage.client.transport import Transport

PATIENCE_SECONDS = 5.0
# A request that takes longer than this is tried again; all of it happens beside the night, in a thread.
_REQUEST_SECONDS = 3.0
_RETRY = {"total": 2, "backoff_factor": 0.2}
_AT_ONCE = 4
FILE, HTTP = "file", "http"


@dataclass(frozen=True)
class Delivered:
    """What became of a run's events.

    Attributes:
        events: how many there were.
        lost: per transport how many it did not take.
        unmade: events that could not even be made, by the kind of error.
    """

    events: int
    lost: Mapping[str, int]
    unmade: Mapping[str, int]

    def __str__(self) -> str:
        parts = [f"{self.events} events"]
        parts += [f"{count} lost by {name}" for name, count in sorted(self.lost.items()) if count]
        parts += [f"{count} not made ({name})" for name, count in sorted(self.unmade.items()) if count]
        return ", ".join(parts)


def night_file(data_source: str | None, run_date: date | None) -> Path:
    """Where the events of a night are; those of runs without a night are in a file per day."""
    name = f"{run_date}.{data_source or 'all'}" if run_date else f"{date.today()}.no-night"
    return settings().lineage_dir / f"{name}.ndjson"


class Emitter:
    """Sends each event to every transport; never raises, and never waits but in `close`."""

    def __init__(self, transports: Mapping[str, Transport]) -> None:
        self._transports = transports
        self._events = 0
        self._lost: Counter[str] = Counter()
        self._unmade: Counter[str] = Counter()

    def emit(self, event: Event) -> None:
        """Hand an event to each transport; one that fails does not keep it from the others."""
        self._events += 1
        for name, transport in self._transports.items():
            try:
                transport.emit(event)
            except Exception:  # whatever a transport raises, it is one lost event and no more
                self._lost[name] += 1

    def failed_to_make(self, error: BaseException) -> None:
        """Count an event that was not made, by the kind of error."""
        self._unmade[type(error).__name__] += 1

    def close(self, patience: float = PATIENCE_SECONDS) -> Delivered:
        """Wait for what is on its way, at most `patience` seconds in all, then give up on the rest."""
        deadline = time.monotonic() + patience
        for name, transport in self._transports.items():
            if name == HTTP and not isinstance(transport, _Broken):
                self._lost[name] += _given_up(transport, max(deadline - time.monotonic(), 0.0))
        return Delivered(self._events, dict(self._lost), dict(self._unmade))


def _given_up(transport: Any, patience: float) -> int:
    """End the asynchronous transport; how many of its events did not arrive.

    Its own `close` joins its thread without a limit, so it is called in another one.
    """
    transport.loop.set_exception_handler(lambda *_: None)  # requests that are cut off would each be printed
    ending = threading.Thread(target=transport.close, args=(max(patience - 0.5, 0.0),), daemon=True)
    ending.start()
    ending.join(patience)
    stats = transport.get_stats()
    return int(stats["pending"] + stats["failed"])


def make_emitter(data_source: str | None, run_date: date | None) -> Emitter:
    """The emitter of one run, as the settings say. A transport that cannot be made takes no event, which is counted."""
    makers: dict[str, Callable[[], Any]] = {FILE: lambda: _file_transport(night_file(data_source, run_date))}
    if settings().openlineage_url is not None:
        makers[HTTP] = http_transport
    made: dict[str, Any] = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except Exception as error:
            made[name] = _Broken(error)
    return Emitter(made)


class _Broken:
    """Stands for a transport that could not be made: every event is lost by it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def emit(self, event: Event) -> None:
        raise self._error


def _file_transport(path: Path) -> Any:
    from openlineage.client.transport.file import FileConfig, FileTransport

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileTransport(FileConfig(str(path), append=True))


def http_transport() -> Any:
    """A transport with a thread of its own; it holds back the end of a run until its start was taken."""
    from openlineage.client.transport.async_http import AsyncHttpConfig, AsyncHttpTransport

    for name in ("openlineage", "httpx2"):  # failures are counted; a line for each would bury the night's own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    key = settings().openlineage_api_key
    auth = {} if key is None else {"auth": {"type": "api_key", "apiKey": key.get_secret_value()}}
    config = AsyncHttpConfig.from_dict(
        {
            "url": settings().openlineage_url, "timeout": _REQUEST_SECONDS, "retry": _RETRY,
            "max_concurrent_requests": _AT_ONCE, "max_queue_size": 1_000_000, **auth,
        }
    )  # fmt: skip
    return AsyncHttpTransport(config)
