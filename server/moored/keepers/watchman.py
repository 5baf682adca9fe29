"""Watchman: audits now and then, says what is found, and lets go of what nobody can want.

Law: what is alive is told and left alone; what is not is let go once it was found in each round
for as long as the grace lasts, so that nobody's work under way is taken for an orphan.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from moored import errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moored.saga import Clock
    from moored.telemetry.measures import Measures
    from moored.verbs.audit import Finding, Mark


class Auditor(Protocol):
    async def audit(self) -> Sequence[Finding]: ...
    async def mend(self, findings: Sequence[Finding]) -> Sequence[Finding]: ...


@dataclass(kw_only=True)
class Watchman:
    auditor: Auditor
    clock: Clock
    measures: Measures
    interval: float
    """Seconds between two rounds."""
    grace: float
    """Seconds for which something has to be found before it is let go."""
    _since: dict[Mark, float] = field(default_factory=dict)
    _counted: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.measures.watch(
            "moored.orphans",
            "{resource}",
            "Resources that bear this server's mark and are on nobody's record, by kind",
            lambda: self._counted,
            by="kind",
        )

    async def run(self) -> None:
        """Audit until cancelled."""
        while True:
            await asyncio.sleep(self.interval)
            try:
                await self.round()
            except errors.MooredError as error:
                logger.warning("cannot audit: {}", error)

    async def round(self) -> None:
        """Look once; let go of what was found for long enough."""
        now, findings = self.clock.seconds(), await self.auditor.audit()
        self._since = {f.trace.mark: self._since.get(f.trace.mark, now) for f in findings}
        for finding in findings:
            if self._since[finding.trace.mark] == now:
                logger.warning("{} {} is on nobody's record", finding.trace.kind, finding.trace.key)
        old = [f for f in findings if now - self._since[f.trace.mark] >= self.grace]
        mended = {f.trace.mark for f in await self.auditor.mend(old) if f.is_gone}
        left = Counter(str(f.trace.kind) for f in findings if f.trace.mark not in mended)
        self._counted = {**dict.fromkeys(self._counted, 0), **left}
