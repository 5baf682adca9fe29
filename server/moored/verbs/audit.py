"""Audit: what bears our mark outside, and is on nobody's record.

Looks at the host and at containerd themselves, and only then at the records. Laws: what a record
names is never a finding; nothing is found that was not there in two looks with a look at the
records in between; what does not bear this server's mark is never touched.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from moored import errors
from moored.model.identity import ContainerId, parse_run_id
from moored.model.resources import RELEASE_ORDER, Kind, Resource
from moored.verbs.release import Outcome
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from opentelemetry.trace import Tracer

    from moored.directory import Directory
    from moored.owner import Owner
    from moored.verbs.release import Released, Releaser

Mark: TypeAlias = tuple[Kind, str]
"""What one thing outside is, and its name where it lives."""


@dataclass(frozen=True)
class Trace:
    """One thing outside that bears our mark."""

    kind: Kind
    key: str
    of: str
    """The run or the container whose name it bears. Empty: it says of none."""
    alive: bool = False
    """Whether a process lives in it."""

    @property
    def mark(self) -> Mark:
        return (self.kind, self.key)


Look: TypeAlias = "Callable[[], Awaitable[Iterable[Trace]]]"


@dataclass(frozen=True)
class Finding:
    trace: Trace
    known: bool
    """Whether there is a record of the container whose name it bears."""
    fate: Released | None = None
    """What became of it, where it was to be mended."""

    @property
    def is_gone(self) -> bool:
        return self.fate is not None and self.fate.outcome is not Outcome.FAILED


@dataclass(frozen=True, kw_only=True)
class Auditor:
    directory: Directory
    releaser: Releaser
    looks: Sequence[Look]
    owner: Owner
    tracer: Tracer

    async def audit(self, *, fix: bool = False, kill: bool = False) -> Sequence[Finding]:
        """Return what is on nobody's record; ``fix`` lets go of it.

        What is alive stays, unless ``kill`` says that it may not.
        """
        work = self._audit(fix=fix, kill=kill)
        return await self.owner.join(
            traced(self.tracer, "audit", work), "audit", may_cancel=lambda: not fix
        )

    async def _audit(self, *, fix: bool, kill: bool) -> Sequence[Finding]:
        before = self._recorded()
        first = await self._seen()
        recorded = before | self._recorded()
        second = await self._seen()
        orphans = [
            trace
            for mark, trace in second.items()
            if mark in first and mark not in recorded and mark not in self._recorded()
        ]
        findings = [self._finding(trace) for trace in sorted(orphans, key=_order)]
        return await self.mend(findings, kill=kill) if fix else findings

    async def _seen(self) -> Mapping[Mark, Trace]:
        return await seen(self.looks)

    def _recorded(self) -> set[Mark]:
        return {(r.kind, r.key) for one in self.directory.all() for r in one.resources}

    def _finding(self, trace: Trace) -> Finding:
        return Finding(trace, self.directory.knows(_container(trace.of)))

    async def mend(self, findings: Sequence[Finding], *, kill: bool = False) -> list[Finding]:
        """Let go of each, in the order of release; of nothing whose run is alive and may stay."""
        spared = set() if kill else {f.trace.of for f in findings if f.trace.alive}
        wrong = [f for f in findings if f.trace.of not in spared or not f.trace.of]
        rows = await self.releaser.release_all(_resource(f.trace) for f in wrong)
        fates = {(row.resource.kind, row.resource.key): row for row in rows}
        return [replace(f, fate=fates.get(f.trace.mark)) for f in findings]


async def seen(looks: Sequence[Look]) -> Mapping[Mark, Trace]:
    """Return all that bears our mark, by what it is."""
    found = await asyncio.gather(*(look() for look in looks))
    return {trace.mark: trace for traces in found for trace in traces}


def refuse_without_fix(*, fix: bool, **others: bool) -> None:
    """Refuse what has a meaning with ``fix`` only."""
    for field, given in others.items():
        if given and not fix:
            why = "goes with fix only"
            raise errors.InvalidField(f"cannot audit: {field} {why}", errors.Violation(field, why))


def _container(of: str) -> ContainerId:
    named = parse_run_id(of)
    return named[0] if named else ContainerId(of)


def _resource(trace: Trace) -> Resource:
    named = parse_run_id(trace.of)
    return Resource(trace.kind, trace.key, named[1] if named else 0)


def _order(trace: Trace) -> tuple[str, int, str]:
    return trace.of, RELEASE_ORDER.index(trace.kind), trace.key
