"""Delivers events: always to the night's NDJSON file, and by HTTP where `OPENLINEAGE_URL` says to whom.

A receiver that is slow, down or in trouble costs a night at most `PATIENCE_SECONDS` in all; what it did not take is
counted and stays in the file, from which `outreach lineage export --to-url` can send it later.
"""

from __future__ import annotations

import logging
import os
import queue
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
_RETRY = {"total": 1, "connect": 1, "read": 1, "backoff_factor": 0.2, "status_forcelist": [502, 503, 504]}
FILE, HTTP = "file", "http"


@dataclass(frozen=True)
class Delivered:
    """What became of a run's events.

    Attributes:
        events: how many there were.
        lost: per transport how many it did not take.
        unmade: events that could not be made, or not whole, by the kind of error and the job.
        seconds: that lineage took of the run, waiting for the receiver included.
    """

    events: int
    lost: Mapping[str, int]
    unmade: Mapping[str, int]
    seconds: float = 0.0

    def __str__(self) -> str:
        parts = [f"{self.events} events in {self.seconds:.1f} s"]
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

    def failed_to_make(self, error: BaseException, job: str) -> None:
        """Count an event that was not made, or not whole, by the kind of error and the job."""
        self._unmade[f"{type(error).__name__} in {job}"] += 1

    def close(self) -> Delivered:
        """Wait for what is on its way, at most `PATIENCE_SECONDS` in all, then give up on the rest."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        for name, transport in self._transports.items():
            if isinstance(transport, InBackground):
                self._lost[name] += transport.give_up(max(deadline - time.monotonic(), 0.0))
        return Delivered(self._events, dict(self._lost), dict(self._unmade))


class InBackground:
    """Sends through another transport in a thread, one event at a time and in order; `emit` never waits.

    OpenLineage's own asynchronous transport cannot be cut off: it leaves requests behind that complain when collected.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._emitted = self._taken = 0
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Put an event in the queue."""
        self._emitted += 1
        self._waiting.put(event)

    def give_up(self, patience: float) -> int:
        """Wait at most `patience` seconds for what is in the queue; how many events did not arrive."""
        self._waiting.put(None)
        self._thread.join(patience)
        return self._emitted - self._taken

    def _send(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._transport.emit(event)
                self._taken += 1
            except Exception:  # one event less; `give_up` counts it
                continue


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

    settings().made_home()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _end_line(path)
    return FileTransport(FileConfig(str(path), append=True))


def _end_line(path: Path) -> None:
    """A killed process can leave half a line, to which the next event must not be joined."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def http_transport() -> InBackground:
    """The receiver that the settings name, reached beside the night's work."""
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    for name in ("openlineage", "urllib3"):  # failures are counted; a line for each would bury the night's own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    key = settings().openlineage_api_key
    auth = {} if key is None else {"auth": {"type": "api_key", "apiKey": key.get_secret_value()}}
    given = {"url": settings().openlineage_url, "timeout": _REQUEST_SECONDS, "retry": _RETRY, **auth}
    return InBackground(HttpTransport(HttpConfig.from_dict(given)))
