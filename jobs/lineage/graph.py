"""The lineage graph: datasets, the jobs between them, and from which columns each column is made. Pure.

It is read back from the events of the nights (`jobs.lineage.read_back`) or made from the code alone (`designed`).
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from contracts.catalog import catalog
from contracts.errors import UserError
from contracts.model import Phi
from contracts.views import VIEWS
from jobs.lineage import naming
from jobs.lineage.columns import How, Source
from jobs.lineage.naming import Kind
from jobs.lineage.work import JobLineage

Direction = Literal["upstream", "downstream"]


@dataclass(frozen=True)
class Column:
    """A column as lineage tells of it; `phi` is empty where it identifies nobody."""

    name: str
    type: str = ""
    description: str = ""
    phi: str = ""


@dataclass(frozen=True)
class Check:
    """A rule of a dataset's contract and how it last went; `verdict` as in `jobs.audit_result.Verdict`, empty if unknown."""

    name: str
    column: str | None
    severity: str
    success: bool
    expected: str
    actual: str
    description: str = ""
    verdict: str = ""

    @property
    def state(self) -> str:
        """`passed`, `failed` where the table is blocked by it, else `warned`: the bad rows were set aside, or are few."""
        if self.success:
            return "passed"
        return "failed" if self.severity == "error" and self.verdict in ("", "failed") else "warned"


@dataclass(frozen=True)
class Dataset:
    """A node of the graph.

    Attributes:
        version: last written or read; None in a designed graph.
        rows, bytes: of the last write.
        files: names of the files last landed.
        seen_at: when an event last told of it.
    """

    name: str
    kind: Kind
    columns: tuple[Column, ...] = ()
    description: str = ""
    owner: str = ""
    version: str | None = None
    rows: int | None = None
    bytes: int | None = None
    files: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    seen_at: str | None = None

    @property
    def state(self) -> str:
        """The worst of its checks': `failed`, `warned` or `passed`; `unknown` without checks."""
        states = {check.state for check in self.checks}
        return next((state for state in ("failed", "warned", "passed") if state in states), "unknown")


@dataclass(frozen=True)
class Job:
    """What reads datasets and writes others; `state` is OpenLineage's of its last run, `DESIGN` where it did not run."""

    name: str
    inputs: frozenset[str]
    outputs: frozenset[str]
    description: str = ""
    state: str = "DESIGN"
    ended_at: str | None = None


@dataclass(frozen=True)
class Hop:
    """A column (or a whole dataset, with `column` None) that a trace reaches.

    Attributes:
        depth: steps from where the trace began.
        hows: in which ways it takes part in what the trace came from.
        jobs: that make the step.
    """

    depth: int
    dataset: str
    column: str | None
    hows: tuple[str, ...]
    jobs: tuple[str, ...]


ColumnName = tuple[str, str]


@dataclass(frozen=True)
class Graph:
    """Datasets and jobs by name.

    Attributes:
        made: per column its sources.
        chosen: per dataset the columns that decide which rows it has.
    """

    datasets: Mapping[str, Dataset]
    jobs: Mapping[str, Job]
    made: Mapping[ColumnName, frozenset[Source]]
    chosen: Mapping[str, frozenset[Source]] = field(default_factory=dict)

    @cached_property
    def used(self) -> Mapping[ColumnName, frozenset[tuple[ColumnName, How]]]:
        """Per column the columns made from it: `made` the other way round."""
        found: dict[ColumnName, set[tuple[ColumnName, How]]] = defaultdict(set)
        for target, sources in self.made.items():
            for source in sources:
                found[source.dataset, source.column].add((target, source.how))
        return {name: frozenset(targets) for name, targets in found.items()}

    @cached_property
    def writers(self) -> Mapping[str, tuple[str, ...]]:
        """Per dataset the jobs that write it."""
        found: dict[str, list[str]] = defaultdict(list)
        for job in self.jobs.values():
            for name in job.outputs:
                found[name].append(job.name)
        return {name: tuple(sorted(jobs)) for name, jobs in found.items()}

    @cached_property
    def parents(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """Per dataset those it is made of, each with the jobs that do so.

        A job's inputs go to the outputs whose columns name them; one that no column names goes to all, except to what
        the job reads as well: a table whose bad rows were taken out is made of nothing new.
        """
        by_column: dict[str, set[str]] = defaultdict(set)
        for (dataset, _), sources in self.made.items():
            by_column[dataset] |= {source.dataset for source in sources}
        for dataset, sources in self.chosen.items():
            by_column[dataset] |= {source.dataset for source in sources}
        found: dict[str, dict[str, list[str]]] = {name: {} for name in self.datasets}
        for job in self.jobs.values():
            named = {name for output in job.outputs for name in by_column[output]}
            for output in job.outputs:
                unnamed = frozenset() if output in job.inputs else job.inputs - named
                near = by_column[output] & (job.inputs | job.outputs) | unnamed
                for source in near - {output}:
                    found[output].setdefault(source, []).append(job.name)
        return {name: {s: tuple(sorted(j)) for s, j in sources.items()} for name, sources in found.items()}

    @cached_property
    def children(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """`parents` the other way round."""
        found: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in self.datasets}
        for child, parents in self.parents.items():
            for parent, jobs in parents.items():
                found[parent][child] = jobs
        return found

    def resolve(self, text: str) -> tuple[str, str | None]:
        """The dataset, and column, that a name means: `schema.table` or `schema.table.column`.

        Raises:
            UserError: there is none of that name; the message says which are near.
        """
        for name in _prefixes(text):
            if name in self.datasets:
                column = text[len(name) + 1 :] or None
                if column is not None and column not in self.column_names(name):
                    raise _unknown(f"{name} has no column {column}.", column, self.column_names(name))
                return name, column
        raise _unknown(f"Lineage knows no dataset called {text}.", text, self.datasets)

    def column_names(self, dataset: str) -> tuple[str, ...]:
        """Names of a dataset's columns."""
        return tuple(column.name for column in self.datasets[dataset].columns)

    def trace(self, start: str, direction: Direction, depth: int | None = None, *, rows: bool = False) -> list[Hop]:
        """Everything that a column or dataset comes from, or goes into, nearest first.

        Args:
            start: `schema.table` or `schema.table.column`.
            direction: `upstream` or `downstream`.
            depth: at most so many steps; default all.
            rows: of a column, also follow what only decides which rows there are (joins, filters, groups).

        Raises:
            UserError: no such dataset or column.
        """
        dataset, column = self.resolve(start)
        hops = [Hop(0, dataset, column, (), ())]
        seen = {(dataset, column)}
        frontier: list[tuple[str, str | None]] = [(dataset, column)]
        while frontier and (depth is None or hops[-1].depth < depth):
            reached: dict[tuple[str, str | None], tuple[set[str], set[str]]] = {}
            for node in frontier:
                for other, how, jobs in self._next(node, direction, rows):
                    if other not in seen:
                        ways, by = reached.setdefault(other, (set(), set()))
                        ways.add(how)
                        by.update(jobs)
            at = hops[-1].depth + 1
            frontier = sorted(reached, key=lambda node: (node[0], node[1] or ""))
            seen |= reached.keys()
            hops += [Hop(at, *node, *(tuple(sorted(part - {""})) for part in reached[node])) for node in frontier]
        return hops

    def _next(
        self, node: tuple[str, str | None], direction: Direction, rows: bool
    ) -> Iterator[tuple[tuple[str, str | None], str, tuple[str, ...]]]:
        dataset, column = node
        if column is None:
            near = self.parents if direction == "upstream" else self.children
            for other, jobs in near[dataset].items():
                yield (other, None), "", jobs
        elif direction == "upstream":
            sources = self.made.get((dataset, column), frozenset()) | (self.chosen.get(dataset, frozenset()) if rows else frozenset())  # fmt: skip
            for source in sources:
                yield (source.dataset, source.column), source.how.value, self.writers.get(dataset, ())
        else:
            for target, how in self.used.get((dataset, column), ()):
                yield target, how.value, self.writers.get(target[0], ())
            if rows:
                for other, sources in self.chosen.items():
                    for source in sources:
                        if (source.dataset, source.column) == (dataset, column):
                            for name in self.column_names(other):
                                yield (other, name), source.how.value, self.writers.get(other, ())

    def orphans(self) -> list[str]:
        """Datasets that no job reads or writes together with another one."""
        return sorted(name for part in self.parts() if len(part) == 1 for name in part)

    def dangling(self) -> list[str]:
        """Names that point nowhere: ill-formed ones, datasets that no job writes though one should, unknown columns."""
        found = {f"{name} is not a name of this project" for name in self.datasets if not naming.is_well_formed(name)}
        for name, dataset in self.datasets.items():
            is_source = dataset.kind in (Kind.FILES, Kind.SEED)
            if not is_source and name not in self.writers:
                found.add(f"{name} is written by no job")
        mentions = [*self.made.values(), *self.chosen.values()]
        for source in {source for sources in mentions for source in sources}:
            if source.dataset not in self.datasets:
                found.add(f"{source.dataset} is read and unknown")
            elif source.column not in self.column_names(source.dataset):
                found.add(f"{source.dataset} has no column {source.column}")
        for dataset_name, column in self.made:
            if column not in self.column_names(dataset_name):
                found.add(f"{dataset_name} has no column {column}")
        return sorted(found)

    def parts(self) -> list[frozenset[str]]:
        """Sets of datasets that jobs connect, the largest first; one connected graph has one."""
        jobs = {job.name: job.inputs | job.outputs for job in self.jobs.values()}
        of = defaultdict(set)
        for job, names in jobs.items():
            for name in names:
                of[name].add(job)
        left, found = set(self.datasets), []
        while left:
            part: set[str] = set()
            frontier = {next(iter(left))}
            while frontier:
                part |= frontier
                frontier = {name for one in frontier for job in of[one] for name in jobs[job]} - part
            found.append(frozenset(part))
            left -= part
        return sorted(found, key=lambda part: -len(part))

    def counts(self) -> dict[str, int]:
        """How large the graph is."""
        return {
            "datasets": len(self.datasets),
            "jobs": len(self.jobs),
            "dataset_edges": sum(map(len, self.parents.values())),
            "columns": sum(len(dataset.columns) for dataset in self.datasets.values()),
            "column_edges": sum(map(len, self.made.values())),
            "checks": sum(len(dataset.checks) for dataset in self.datasets.values()),
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "datasets": [{**asdict(d), "state": d.state} for _, d in sorted(self.datasets.items())],
            "jobs": [
                {**asdict(job), "inputs": sorted(job.inputs), "outputs": sorted(job.outputs)}
                for _, job in sorted(self.jobs.items())
            ],
            "columns": [
                {"dataset": dataset, "column": column, "from": [asdict(source) for source in sorted(sources)]}
                for (dataset, column), sources in sorted(self.made.items())
                if sources
            ],
            "rows": [
                {"dataset": dataset, "from": [asdict(source) for source in sorted(sources)]}
                for dataset, sources in sorted(self.chosen.items())
                if sources
            ],
        }


def _prefixes(text: str) -> Iterator[str]:
    """The name itself, then without its last part, and so on."""
    parts = text.split(".")
    for length in range(len(parts), 1, -1):
        yield ".".join(parts[:length])


def _unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    candidates = list(known)
    near = difflib.get_close_matches(name, candidates, n=4, cutoff=0.5)
    near += [one for one in candidates if name.split(".")[-1] in one and one not in near][: 4 - len(near)]
    return UserError(what, todo=f"did you mean {' or '.join(near)}?" if near else "see `outreach lineage show`.")


def designed_graph(jobs: Iterable[JobLineage]) -> Graph:
    """The graph of jobs as the code declares them."""
    made: dict[ColumnName, frozenset[Source]] = {}
    chosen: dict[str, frozenset[Source]] = {}
    nodes: dict[str, Job] = {}
    names: set[str] = set()
    for job in jobs:
        nodes[job.job] = Job(job.job, job.inputs, frozenset(job.outputs), job.description)
        names |= job.inputs | job.outputs.keys()
        for table, lineage in job.outputs.items():
            chosen[table] = chosen.get(table, frozenset()) | lineage.rows
            for column, sources in lineage.columns.items():
                made[table, column] = made.get((table, column), frozenset()) | sources
    datasets = {name: described(name, [column for table, column in made if table == name]) for name in names}
    return Graph(datasets, nodes, made, chosen)


def described(name: str, parsed: Iterable[str] = ()) -> Dataset:
    """A dataset as the code declares it; reports have the columns that were parsed."""
    kind = naming.kind(name)
    if (table := catalog().get(name)) is not None:
        return Dataset(name, kind, _told(table.columns), table.description, f"team:{table.owner}")
    if (view := VIEWS.get(name)) is not None:
        return Dataset(name, kind, _told(view.columns), view.description, f"team:{view.owner}")
    if (layout := naming.layouts().get(name)) is not None:
        return Dataset(name, kind, _told(layout.columns, "string"), layout.description)
    names = naming.columns(name) or tuple(dict.fromkeys(parsed))
    return Dataset(name, kind, tuple(Column(column) for column in names))


def _told(columns: Iterable[Any], type_name: str | None = None) -> tuple[Column, ...]:
    """Columns of a contract or of a file's layout."""
    return tuple(
        Column(c.name, type_name or c.spark_type, c.description, "" if c.phi is Phi.NONE else c.phi.value)
        for c in columns
    )
