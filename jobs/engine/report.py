"""The engine's status in words and as data, for people and for scripts; never with its token."""

from __future__ import annotations

from jobs.engine.lifecycle import EngineCondition, EngineStatus

_MEANING = {
    EngineCondition.RUNNING: "running",
    EngineCondition.STARTING: "starting, not answering yet",
    EngineCondition.UNRESPONSIVE: "its process lives but does not answer; stop it, the next use starts another",
    EngineCondition.CRASHED: "ended without being stopped; the next use starts another",
    EngineCondition.STOPPED: "not running; the first use starts it",
}


def status_data(status: EngineStatus) -> dict[str, object]:
    """A JSON-ready record of the status."""
    state = status.state
    details: dict[str, object] = {}
    if state is not None:
        details = {
            "pid": state.pid,
            "endpoint": state.endpoint,
            "heap": state.memory,
            "warehouse": state.warehouse,
            "java": state.java,
            "versions": state.versions,
        }
    return {
        "condition": status.condition.value,
        **details,
        "memory_mib": status.memory_mib,
        "uptime_seconds": status.uptime_seconds,
        "differences": list(status.differences),
    }


def status_text(status: EngineStatus) -> str:
    """A few lines for a terminal."""
    lines = [f"Engine: {_MEANING[status.condition]}"]
    if status.condition is EngineCondition.RUNNING and status.state is not None:
        state = status.state
        lines += [
            f"  endpoint  {state.endpoint} (pid {state.pid}, up {status.uptime_seconds} s)",
            f"  memory    {status.memory_mib} MiB resident, heap {state.memory}",
            f"  warehouse {state.warehouse}",
            f"  versions  {', '.join(f'{name} {number}' for name, number in state.versions.items())}, java {state.java}",
        ]
    lines += [f"  differs   {text}; stop it to apply the settings" for text in status.differences]
    return "\n".join(lines)
