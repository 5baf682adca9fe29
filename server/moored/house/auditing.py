"""An audit while no moored serves, against the ledger as it lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.house.adoption import LEDGER
from moored.house.offline import alone, located, offline
from moored.ledger import reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moored.config import Settings
    from moored.verbs.audit import Finding

_INSTEAD: Final = "or ask that one with 'moorage audit'"


@dataclass(frozen=True)
class Seen:
    findings: Sequence[Finding]
    missed: Mapping[str, str]
    """What could not be looked at, and why."""


async def look(settings: Settings, *, fix: bool, kill: bool) -> Seen:
    """Return what is on nobody's record; ``fix`` lets go of it, ``kill`` also of what is alive.

    Raises SetupRefused while a moored serves, without a ledger that can be read, and for a fix
    while containerd does not answer: only containerd says whether a task is over.
    """
    address, places = await located(settings)
    with alone(settings, address, instead=_INSTEAD):
        path = settings.root / LEDGER
        try:
            known = reading.read(path)
        except reading.FAILURES as error:
            raise errors.SetupRefused(
                f"cannot audit: without the ledger {str(path)!r} nobody knows what belongs to whom:"
                f" {error}; restore it, or let 'moored ledger adopt' make one"
            ) from error
        async with offline(settings, known.containers, address, places) as house:
            if fix and house.silent:
                raise errors.SetupRefused(f"cannot fix: {house.silent}; start containerd first")
            findings = await house.auditor.audit(fix=fix, kill=kill)
            return Seen(findings, house.partial.missed)
