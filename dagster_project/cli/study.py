"""`outreach study`: effects on any table or file, judged by the same gates as the nightly programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json

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
    as_json: Json = False,
) -> None:
    """Run a study. Ends with exit code 0 whatever the verdict; a malformed study is a user error."""
    from jobs.progress import told
    from jobs.study import run_study_file

    with told(quiet=as_json) as say:
        files = run_study_file(study, out, seed, say)
    if as_json:
        paths = {"facts": str(files.facts), "scores": str(files.scores), "report": str(files.report)}
        typer.echo(json.dumps({"verdict": dict(files.verdict), **paths}))
        return
    for arm, verdict in files.verdict.items():
        typer.echo(f"{arm}: {verdict}")
    typer.echo(f"{files.facts}\n{files.scores}\n{files.report}")


@app.command("example")
def example(
    out: Annotated[Path, typer.Option("--out", help="Folder for trial.csv and study.yaml.")],
    as_json: Json = False,
) -> None:
    """Write a small simulated trial and its study to try `run` with."""
    from jobs.study_example import write_example

    study = write_example(out)
    if as_json:
        typer.echo(json.dumps({"study": str(study), "results": str(out / "results")}))
    else:
        typer.echo(f"outreach study run {study} --out {out / 'results'}")
