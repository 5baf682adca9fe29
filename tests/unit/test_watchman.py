"""The law: what is alive stays; what is not goes once it was found for as long as the grace."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from moored.keepers.watchman import Watchman
from moored.model.resources import Kind, Resource
from moored.verbs.audit import Finding, Trace
from moored.verbs.release import Outcome, Released
from tests.fakes.measures import UNMEASURED

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE, OTHER = (
    Finding(Trace(Kind.FILES, f"{letter * 32}.1", f"{letter * 32}.1"), known=False)
    for letter in "ab"
)


@dataclass
class Clock:
    at: float = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)

    def seconds(self) -> float:
        return self.at


@dataclass
class Auditor:
    findings: list[Finding] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    async def audit(self) -> Sequence[Finding]:
        return list(self.findings)

    async def mend(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        self.mended += [f.trace.key for f in findings]
        gone = {f.trace.mark for f in findings}
        self.findings = [f for f in self.findings if f.trace.mark not in gone]
        return [replace(f, fate=_released(f)) for f in findings]


def _released(finding: Finding) -> Released:
    resource = Resource(finding.trace.kind, finding.trace.key, 1)
    return Released(resource, Outcome.RELEASED, timedelta())


def watchman(auditor: Auditor, clock: Clock) -> Watchman:
    return Watchman(auditor=auditor, clock=clock, measures=UNMEASURED, interval=1, grace=10)


async def test_what_is_found_for_the_whole_grace_is_let_go() -> None:
    auditor, clock = Auditor([ONE]), Clock()
    keeper = watchman(auditor, clock)
    for clock.at in (0, 5, 9.9):
        await keeper.round()
        assert auditor.mended == []
    clock.at = 10
    await keeper.round()
    assert auditor.mended == [ONE.trace.key]


async def test_what_was_not_found_in_between_begins_anew() -> None:
    auditor, clock = Auditor([ONE, OTHER]), Clock()
    keeper = watchman(auditor, clock)
    await keeper.round()
    clock.at, auditor.findings = 5, [OTHER]
    await keeper.round()
    clock.at, auditor.findings = 12, [ONE, OTHER]
    await keeper.round()
    assert auditor.mended == [OTHER.trace.key]
