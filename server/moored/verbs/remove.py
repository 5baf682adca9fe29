"""The end of a container: what it still holds, its record and its name. Part of three verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.model.events import RemoveRequested
from moored.model.state import Removing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.model.intent import Intent
    from moored.registry import Claim
    from moored.saga import Clock
    from moored.verbs.release import Released, Releaser


async def remove(
    claim: Claim, intent: Intent, *, releaser: Releaser, clock: Clock, volumes: bool = False
) -> Sequence[Released]:
    """Release all that a container without a process holds, and forget it if all of it went.

    With ``volumes``, or if that was wanted when the removal began, its anonymous volumes go too.
    What could not be released stays on record as leftovers, without the name.
    """
    state = claim.snapshot.state
    begun = isinstance(state, Removing)
    volumes = volumes or (isinstance(state, Removing) and state.volumes)
    if not begun or (isinstance(state, Removing) and volumes and not state.volumes):
        await claim.apply(RemoveRequested(intent, clock.now(), volumes))
    rows = await releaser.release_all(claim.snapshot.resources, volumes=volumes)
    if rows:
        await claim.apply(*releaser.events(claim.snapshot, rows))
    if claim.snapshot.resources:
        claim.free_name()
    else:
        await claim.remove()
    return rows
