"""The `outreach` command: every sub-command calls the same jobs that the Dagster UI and the schedules run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from contracts.errors import ExitCode, OutreachError


@dataclass(frozen=True)
class _Command:
    """Where a command is, so that one is imported without the others: their contracts take more than a second."""

    module: str
    codes: tuple[ExitCode, ...] = ()
    help: str | None = None
    short_help: str | None = None


_C = ExitCode
_TRAINING = (_C.FAILED, _C.ENGINE_UNAVAILABLE, _C.CONTRACT_BROKEN, _C.REGISTRY_UNAVAILABLE)
_NIGHT = (*_TRAINING, _C.PUBLISHED_WITH_FALLBACK, _C.BLOCKED)
_GROUPS = {
    "engine": _Command(
        "engine", (_C.ENGINE_UNAVAILABLE,), "Start, stop and look at the embedded Spark Connect engine."
    ),
    "jdbc": _Command("jdbc", (), None, "Log-ins for BI tools (JDBC, ODBC)."),
    "simulate": _Command(
        "simulate",
        (_C.ENGINE_UNAVAILABLE, _C.CONTRACT_BROKEN),
        "Make a health plan with known truth, or overlay outreach on real members.",
    ),
    "models": _Command(
        "models",
        (_C.FAILED, _C.REFUSED, _C.ENGINE_UNAVAILABLE, _C.REGISTRY_UNAVAILABLE),
        None,
        "What was trained, what serves, who decided; compare, approve, promote, roll back.",
    ),
    "lineage": _Command(
        "lineage", (_C.FAILED, _C.ENGINE_UNAVAILABLE), "Where a number comes from and who uses it, column by column."
    ),
    "contracts": _Command(
        "contracts", (_C.CONTRACT_BROKEN,), "What each table promises; render, and compare with what others have."
    ),
    "quarantine": _Command(
        "quarantine",
        (_C.FAILED, _C.ENGINE_UNAVAILABLE, _C.CONTRACT_BROKEN),
        "Rows that contracts refused: list, show, release.",
    ),
    "design": _Command("design", (_C.FAILED, _C.ENGINE_UNAVAILABLE), "Size the holdout and the exploration."),
    "dispositions": _Command("handover", (_C.FAILED,), "Take over what became of calls from a care system."),
    "study": _Command("study", (_C.FAILED, _C.ENGINE_UNAVAILABLE), "Estimate effects on any table or file."),
}
_COMMANDS = {
    "sql": _Command("sql", (_C.FAILED, _C.ENGINE_UNAVAILABLE)),
    "explain": _Command("explain", (_C.FAILED, _C.REGISTRY_UNAVAILABLE)),
    "ingest": _Command("ingest", (_C.FAILED, _C.ENGINE_UNAVAILABLE, _C.CONTRACT_BROKEN)),
    "demo": _Command("demo", _TRAINING),
    "nightly": _Command("night", _NIGHT),
    "backfill": _Command("night", _NIGHT),
    "train": _Command("night", _TRAINING),
    "status": _Command("status", (_C.FAILED, _C.PUBLISHED_WITH_FALLBACK, _C.BLOCKED, _C.ENGINE_UNAVAILABLE)),
    "doctor": _Command("doctor", (_C.FAILED,)),
    "docs": _Command("docs", (_C.FAILED,)),
    "report": _Command("report", (_C.FAILED, _C.ENGINE_UNAVAILABLE)),
    "export": _Command("handover", (_C.FAILED,)),
    "uplift": _Command("uplift", (_C.ENGINE_UNAVAILABLE,)),
    "ui": _Command("ui", (_C.FAILED,)),
    "vacuum": _Command("vacuum", (_C.FAILED, _C.ENGINE_UNAVAILABLE)),
}
_MEANINGS = {
    _C.OK: "done",
    _C.FAILED: "failed",
    _C.USER_ERROR: "wrong use or configuration",
    _C.PUBLISHED_WITH_FALLBACK: "published with a fallback rule for at least one program",
    _C.BLOCKED: "published or stopped with a blocked program",
    _C.REFUSED: "a model may not serve (gates, approval, changed definitions)",
    _C.ENGINE_UNAVAILABLE: "engine unavailable",
    _C.CONTRACT_BROKEN: "a contract is broken",
    _C.REGISTRY_UNAVAILABLE: "model registry unavailable",
    _C.INTERRUPTED: "interrupted",
}


def exit_codes(codes: Iterable[ExitCode]) -> str:
    """One line for `--help`: what a scheduler may read from the command."""
    every = sorted({*codes, _C.OK, _C.USER_ERROR, _C.INTERRUPTED})
    return "Exit codes: " + "; ".join(f"{int(code)} {_MEANINGS[code]}" for code in every) + "."


class _Group(TyperGroup):
    """Without the library's own words before ours, or before its list of choices."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="outreach",
    cls=_Group,
    help=f"Whom should each care program reach out to tomorrow, because it would help them?\n\n{exit_codes(ExitCode)}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _register(asked: str | None) -> None:
    """Attach the command that is asked for, or all of them (help, completion, a name that is none)."""
    is_known = asked in _GROUPS or asked in _COMMANDS
    for name, group in _GROUPS.items():
        if not is_known or name == asked:
            found = import_module(f"dagster_project.cli.{group.module}").app
            epilog = exit_codes(group.codes)
            for command in found.registered_commands:
                command.epilog = epilog
            # A text that is None would hide the one that the group itself has.
            texts: dict[str, Any] = {
                "help": group.help, "short_help": group.short_help, "epilog": epilog if group.help else None,
            }  # fmt: skip
            app.add_typer(found, name=name, **{key: text for key, text in texts.items() if text})
    for name, command in _COMMANDS.items():
        if not is_known or name == asked:
            function = getattr(import_module(f"dagster_project.cli.{command.module}"), name)
            app.command(name, epilog=exit_codes(command.codes))(function)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed

        typer.echo(installed("outreach-uplift"))
        raise typer.Exit


@app.callback()
def _root(
    # Eager: told before typer asks for a command.
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line: errors of the error tree print without a traceback and exit with their code."""
    try:
        _register(sys.argv[1] if len(sys.argv) > 1 else None)
        app(standalone_mode=True)
    except OutreachError as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        sys.exit(int(error.exit_code))
    except (KeyboardInterrupt, SystemExit) as end:
        # Within a command typer makes of an interrupt an exit without a word.
        if isinstance(end, SystemExit) and end.code != ExitCode.INTERRUPTED:
            raise
        typer.secho("Interrupted; what was published stands, and the command can be run again.", err=True)
        sys.exit(int(ExitCode.INTERRUPTED))
