"""What a run read and wrote: the facts between the code that does the work and the events that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobs.audit_result import AuditResult
from jobs.lineage.columns import ColumnLineage, merged

NOTHING = ColumnLineage()


@dataclass(frozen=True)
class Statistics:
    """How much was read or written; None where nobody counted."""

    rows: int | None = None
    bytes: int | None = None
    files: int | None = None


@dataclass(frozen=True)
class Read:
    """One dataset that was read.

    Attributes:
        version: Delta version, or the registry's for a model; None where it is not known without a query.
        files: names of the delivered files, where only some of the dataset were read.
        audit: what its contract found in it.
    """

    dataset: str
    version: str | None = None
    statistics: Statistics | None = None
    files: tuple[str, ...] = ()
    audit: AuditResult | None = None


@dataclass(frozen=True)
class Write:
    """One dataset that was written, and of what."""

    dataset: str
    lineage: ColumnLineage = NOTHING
    version: str | None = None
    statistics: Statistics | None = None


@dataclass
class Work:
    """All that one job read and wrote.

    Attributes:
        sql: the query, where the job is one (a dbt model).
    """

    job: str
    description: str = ""
    reads: dict[str, Read] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)
    sql: str | None = None

    def read(self, read: Read) -> None:
        """Add an input; what is known already of the same dataset is kept where the new one does not say."""
        known = self.reads.get(read.dataset)
        if known is not None:
            read = Read(
                read.dataset,
                read.version or known.version,
                read.statistics or known.statistics,
                (*known.files, *read.files),
                read.audit or known.audit,
            )
        self.reads[read.dataset] = read

    def write(self, write: Write) -> None:
        """Add an output, and what it was made of as inputs."""
        known = self.writes.get(write.dataset)
        if known is not None:
            write = replace(write, lineage=merged([known.lineage, write.lineage]))
        write = replace(write, lineage=write.lineage.without(write.dataset))
        self.writes[write.dataset] = write
        for table in sorted(write.lineage.tables):
            self.read(Read(table))

    @property
    def inputs(self) -> tuple[Read, ...]:
        """Inputs that are not outputs as well, and all that were audited, by name."""
        return tuple(r for name, r in sorted(self.reads.items()) if r.audit is not None or name not in self.writes)


@dataclass(frozen=True)
class JobLineage:
    """Inputs and outputs of a job as its code says, whether it ran or not."""

    job: str
    inputs: frozenset[str]
    outputs: Mapping[str, ColumnLineage]
    description: str = ""

    def work(self) -> Work:
        """The same as something that was done."""
        work = Work(self.job, self.description)
        for name in sorted(self.inputs):
            work.read(Read(name))
        for name, lineage in self.outputs.items():
            work.write(Write(name, lineage))
        return work
