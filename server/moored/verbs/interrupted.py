"""Undo a start that nobody is driving any more: its saga died with the service, or with the
ledger under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored import errors
from moored.model.events import StartFailure, StartUndone
from moored.model.exits import START_FAILED, Exit, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.registry import Claim
    from moored.saga import Clock
    from moored.verbs.release import Released, Releaser


async def undo_interrupted(claim: Claim, *, releaser: Releaser, clock: Clock) -> Sequence[Released]:
    """Release all that the interrupted run may have acquired, and put the failure on record."""
    snapshot = claim.snapshot
    rows = await releaser.release_all(r for r in snapshot.resources if r.run == snapshot.run)
    now = clock.now()
    await claim.apply(
        StartUndone(
            exit=Exit(START_FAILED, Origin.START_FAILURE, now),
            failure=StartFailure(
                reason=errors.reason(errors.Interrupted),
                message=f"cannot start container {snapshot.id!r}: the service went away meanwhile",
                step="",
                retriable=True,
                at=now,
            ),
            leftovers=releaser.event(rows).leftovers,
            timeline=None,
        )
    )
    return rows
