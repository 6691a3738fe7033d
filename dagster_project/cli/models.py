"""`outreach models`: what was trained, what serves, who decided so; approve, promote and roll back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from contracts.errors import UserError

_HELP = """What was trained, what serves, who decided; compare, approve, promote, roll back.

A model serves when its gates allow it (verdict `publish`; `fallback` only where no valid model serves), somebody approved
it and somebody promoted it. The one trained last is the challenger: it scores every night in the shadow, and nobody is
called by its scores. NAME is a registered name as in `outreach models list`, NAME/VERSION, or a program's key.

Exit codes: 0 done; 1 no such model; 2 wrong use; 12 the model may not serve; 22 the registry is locked or damaged.
"""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=_HELP)

Name = Annotated[str, typer.Argument(help="Registered name, NAME/VERSION, or a program's key.", show_default=False)]
Version = Annotated[int | None, typer.Argument(help="Version number; default: the challenger.", min=1)]
By = Annotated[str | None, typer.Option("--by", help="Who decides; default: the login, which is recorded anyway.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for scripts.")]


@app.command("list")
def list_models(
    source: Annotated[str | None, typer.Option("--source", help="Only models of this source.")] = None,
    program: Annotated[str | None, typer.Option("--program", help="Only models of this program.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All versions, not only the last five and the champion.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Trained versions, newest first.

    Verdict, learner, who approved, which serves; at once whether the champion and the challenger may score here.
    """
    from contracts.source_names import known_source
    from jobs.model_facts import known_program, listing

    if source is not None:
        known_source(source)
    if program is not None:
        known_program(program)
    rows = listing(source=source, program=program, everything=everything)
    if as_json:
        return _print_json(rows)
    if not rows:
        chosen = " of that source and program" if source or program else ""
        return typer.echo(f"No model{chosen} has been trained yet. Run `outreach train`.")
    _table(
        ("model", "version", "role", "verdict", "learner", "trained as of", "approved by"),
        [
            (r["name"], str(r["version"]), r["role"] or "", r["verdict"], r["learner"] or "", r["trained_as_of"] or "", _approver(r))
            for r in rows
        ],
    )  # fmt: skip
    for row in rows:
        if row["unfit"]:
            typer.echo(f"{row['name']}/{row['version']} may not score here: {row['unfit']}.")


@app.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Argument(help="Version number; default: the champion, else the challenger.", min=1)] = None,
    card: Annotated[bool, typer.Option("--card", help="Print the model card (Markdown); its page's path goes to standard error.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """One version in full, or its card.

    Where it stands, its gates, its effects on members kept aside, and what was decided about it.
    """
    from jobs.model_card.write import redraw_card
    from jobs.model_facts import description, find

    model = find(name, version)
    if card:
        page = redraw_card(model)
        typer.echo(page.with_suffix(".md").read_text(encoding="utf-8"))
        return typer.echo(f"The same as a page: {page}", err=True)
    facts = description(model)
    return _print_json(facts) if as_json else _print_description(facts)


@app.command()
def compare(
    name: Name,
    version: Annotated[int | None, typer.Option("--version", help="Version to hold against the champion; default: the challenger.", min=1)] = None,
    nights: Annotated[int, typer.Option("--nights", help="Nights to show at most, latest first.", min=1, max=366)] = 7,
    as_json: Json = False,
) -> None:  # fmt: skip
    """The challenger beside what serves.

    Gates, effects on members kept aside, and the nights scored by both. Reads the warehouse, so that it may start the
    engine.
    """
    from jobs.model_facts import comparison, find, registered_name

    if version is not None or "/" in name:
        chosen = find(name, version)
        facts = comparison(chosen.name, chosen.version, nights)
    else:
        facts = comparison(registered_name(name), None, nights)
    return _print_json(facts) if as_json else _print_comparison(facts)


@app.command()
def approve(
    name: Name,
    version: Version = None,
    note: Annotated[str, typer.Option("--note", help="What the approval rests on, for the record.")] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Answer for a version, on record.

    It may be promoted from then on; what serves does not change yet.
    """
    from jobs.model_changes import approve_model
    from jobs.model_facts import find
    from jobs.registry import CHALLENGER

    model = find(name, version, prefer=(CHALLENGER,))
    _print_change(approve_model(model, note, by), f"{model.label} is approved. It serves once it is promoted.", as_json)


@app.command()
def promote(
    name: Name,
    version: Version = None,
    note: Annotated[str, typer.Option("--note", help="Anything to add to the record.")] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Make an approved version the champion.

    It serves from the next night on. Refused (12) where something stands against it: `outreach models show` says what.
    """
    from jobs.model_changes import promote_model
    from jobs.model_facts import find
    from jobs.registry import CHALLENGER

    model = find(name, version, prefer=(CHALLENGER,))
    changed = promote_model(model, note, by)
    if changed is None:
        return _print_json(None) if as_json else typer.echo(f"{model.label} serves already; nothing was changed.")
    how = "ranks by effect" if model.verdict == "publish" else "scores, and the fallback rule ranks"
    return _print_change(changed, f"{model.label} {how} from the next night on.", as_json)


@app.command()
def rollback(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    to: Annotated[str, typer.Option("--to", help="`previous`, a version that served before, or `none`: the fallback rule ranks.")] = "previous",
    by: By = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Put the champion before this one back.

    The approval of the one taken off ends: it has to be approved again before it may serve again.
    """
    from jobs.model_changes import roll_back_model
    from jobs.model_facts import find, registered_name
    from jobs.registry import CHAMPION, aliased

    if "/" in name:
        named = find(name)
        serving = aliased(named.name, CHAMPION)
        if serving is None or serving.version != named.version:
            raise UserError(
                f"{named.label} does not serve, so there is nothing to take off.",
                expected="a name without a version, or the version that serves",
                actual="none serves" if serving is None else f"{serving.label} serves",
                todo="name the version to go back to with --to.",
            )
    changed = roll_back_model(registered_name(name.partition("/")[0]), reason, by, _target(to))
    decision = changed.decision
    now = (
        "The program's fallback rule ranks"
        if decision.version is None
        else f"{decision.name}/{decision.version} serves"
    )
    _print_change(changed, f"{now} from the next night on.", as_json)


def _target(text: str) -> int | Literal["previous", "none"]:
    if text == "previous" or text == "none":
        return text  # type: ignore[return-value]
    if text.isdigit():
        return int(text)
    raise UserError(f"`--to {text}` is not known.", expected="previous, none, or a version number")


def _print_json(facts: Any) -> None:
    typer.echo(json.dumps(facts, indent=1))


def _print_change(changed: Any, sentence: str, as_json: bool) -> None:
    from jobs.model_facts import decision_row

    if as_json:
        _print_json({**decision_row(changed.decision), "notes": list(changed.notes)})
    else:
        typer.echo(sentence)
        typer.echo(f"On record as {changed.decision.decision_id}, by {changed.decision.actor}.")
    for note in changed.notes:
        typer.echo(note, err=True)


def _approver(row: dict[str, Any]) -> str:
    if row["approved_by"] is None:
        return ""
    return f"{row['approved_by']} {row['approved_at'][:10]}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], title: str | None = None) -> None:
    from rich.table import Table

    from jobs.terminal import table_console

    table = Table(title=title, title_justify="left")
    for n, name in enumerate(head):
        table.add_column(name, no_wrap=n < 2, overflow="fold")
    for row in rows:
        table.add_row(*row)
    table_console(highlight=False).print(table)


def _interval(found: dict[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return "–"
    # A difference that is nothing by construction has no error but rounding.
    value, low, high = (
        None if x is None else round(x, 12) for x in (found["value"], found["ci_low"], found["ci_high"])
    )
    if low is None or high is None:
        return f"{value:+.3g}"
    return f"{value:+.3g} [{low:+.3g}, {high:+.3g}]" if low < high else f"{value:+.3g}"


def _print_description(facts: dict[str, Any]) -> None:
    typer.echo(f"{facts['name']}/{facts['version']}: {facts['standing']}.")
    typer.echo(f"Verdict {facts['verdict']}: {facts['verdict_sentence']}")
    typer.echo(f"Learner {facts['learner']}, trained as of {facts['trained_as_of']}.")
    if facts["unfit"]:
        typer.echo(f"It may not score here: {facts['unfit']}.")
    if facts["objection"]:
        typer.echo(f"Against promoting it: {facts['objection']}")
    if facts["gates"]:
        _table(("gate", "result", "what was found"), [(g["name"], g["status"], g["sentence"]) for g in facts["gates"]])
    if facts["held_out"]:
        rows = [(r["metric"], r["rule"].replace("learner", "model"), _interval(r)) for r in facts["held_out"]]
        _table(("measure", "ranking", "on members kept aside [95 %]"), rows)
    if facts["decisions"]:
        _table(
            ("when (UTC)", "what", "who", "note"),
            [(d["decided_at"][:16], _done(d), d["actor"], d["note"]) for d in facts["decisions"]],
        )
    typer.echo("The whole card: `outreach models show NAME --card`.")


def _done(decision: dict[str, Any]) -> str:
    version = "none" if decision["version"] is None else decision["version"]
    suffix = " (interrupted)" if decision["outcome"] == "interrupted" else ""
    return (
        f"{decision['action']} → {version}{suffix}" if decision["action"] == "rollback" else decision["action"] + suffix
    )


def _print_comparison(facts: dict[str, Any]) -> None:
    if facts["challenger"] is None:
        serves = f"{facts['champion']} serves" if facts["champion"] else "no model serves"
        return typer.echo(f"{facts['name']}: {serves}, and there is no challenger to compare with it.")
    typer.echo(f"Serves: {facts['champion'] or 'the fallback rule'}. Challenger: {facts['challenger']}.")
    typer.echo(
        f"Against promoting it: {facts['objection']}" if facts["objection"] else "Nothing stands against promoting it."
    )
    _table(
        ("gate", "serves", "challenger", "the challenger's sentence"),
        [(g["name"], _status(g["champion"]), _status(g["challenger"]), (g["challenger"] or {}).get("sentence") or "") for g in facts["gates"]],
        "Gates",
    )  # fmt: skip
    if facts["held_out"]:
        rows = [
            (h["metric"], h["rule"].replace("learner", "model"), _interval(h["champion"]), _interval(h["challenger"]))
            for h in facts["held_out"]
        ]
        _table(("measure", "ranking", "serves", "challenger"), rows, "On members kept aside, each on its own [95 %]")
    return _print_nights(facts["nights"])


def _status(side: dict[str, Any] | None) -> str:
    return "–" if side is None else str(side["status"])


def _print_nights(nights: list[dict[str, Any]]) -> None:
    if not nights:
        return typer.echo("No night has been scored by both yet.")

    def dollars(value: float | None) -> str:
        return "–" if value is None else f"${value:,.0f}"

    def share(value: float | None, pattern: str) -> str:
        return "–" if value is None else format(value, pattern)

    _table(
        (
            "night", "status", "same on the list", "rank correlation", "PSI", "served list, own value", "its list, own value",
            "served list, its value", "its list, served value",
        ),
        [
            (
                n["run_date"], n["status"], share(n["list_agreement"], ".0%"), share(n["rank_correlation"], ".2f"),
                share(n["score_psi"], ".3f"), dollars(n["served_value_usd"]), dollars(n["challenger_value_usd"]),
                dollars(n["served_list_by_challenger_usd"]), dollars(n["challenger_list_by_served_usd"]),
            )
            for n in nights
        ],
        "Nights scored by both, before holdout and sharing of members",
    )  # fmt: skip
    for night in nights:
        if night["message"]:
            typer.echo(f"{night['run_date']}: {night['message']}")
    return None
