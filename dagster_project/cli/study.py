"""`outreach study`: effects on any table or file, judged by the same gates as the nightly programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Estimate effects on any table or file."""


@app.command("run")
def run(
    study: Annotated[Path, typer.Argument(help="The study, a YAML file.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for study.json, scores.parquet and report.html.")],
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, help="The same seed gives the same result on any machine.")
    ] = 0,
) -> None:
    """Run a study. Ends with exit code 0 whatever the verdict; a malformed study is a user error."""
    from jobs.study import run_study_file

    files = run_study_file(study, out, seed)
    for arm, verdict in files.verdict.items():
        typer.echo(f"{arm}: {verdict}")
    typer.echo(f"{files.facts}\n{files.scores}\n{files.report}")


@app.command("example")
def example(
    out: Annotated[Path, typer.Option("--out", help="Folder for trial.csv and study.yaml.")],
) -> None:
    """Write a small simulated trial and its study to try `run` with."""
    from jobs.study_example import write_example

    typer.echo(f"outreach study run {write_example(out)} --out {out / 'results'}")
