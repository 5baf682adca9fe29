"""Update: change what of a spec can change while its container exists. The status follows.

All that follows is that a wait for a restart ends which the new policy does not ask for: no
update starts, stops or removes anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from moored import errors
from moored.errors import Violation
from moored.model import rules
from moored.model.events import RestartCancelled, SpecUpdated
from moored.model.follow_up import ended
from moored.model.restart import decide
from moored.model.spec import CHANGEABLE
from moored.model.state import Restarting
from moored.oci import signals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.registry import Claim
    from moored.verbs.turns import Turns


@dataclass(frozen=True)
class Updater:
    turns: Turns

    async def update(
        self,
        reference: str,
        values: Spec,
        fields: Collection[str],
        *,
        generation: int | None = None,
    ) -> Snapshot:
        """Give ``fields`` of the spec the values that they have in ``values``."""
        _refuse(reference, [Violation(f, _fixed(f)) for f in fields if f not in CHANGEABLE])
        work = partial(_update, values, fields)
        return await self.turns.take("update", reference, generation, work)


async def _update(values: Spec, fields: Collection[str], claim: Claim) -> Snapshot:
    before = claim.snapshot.spec
    after = replace(before, **{field: getattr(values, field) for field in fields})
    if after == before:
        return claim.snapshot
    _refuse(claim.snapshot.id, list(_violations(before, after)))
    if _still_due(claim.snapshot, after):
        return await claim.apply(SpecUpdated(after))
    return await claim.apply(SpecUpdated(after), RestartCancelled())


def _violations(before: Spec, after: Spec) -> Iterator[Violation]:
    """Yield the rules that the change breaks: what was wrong before is not its fault."""
    old = rules.violations(before)
    yield from (found for found in rules.violations(after) if found not in old)
    if after.stop_signal and signals.parse(after.stop_signal) is None:
        yield Violation("stop_signal", "names no signal")


def _still_due(snapshot: Snapshot, spec: Spec) -> bool:
    """Whether ``spec`` asks for the restart that the container waits for, if it does."""
    policy = spec.restart_policy
    if not isinstance(snapshot.state, Restarting) or policy == snapshot.spec.restart_policy:
        return True
    return decide(policy, ended(snapshot, snapshot.state.exit)) is not None


def _fixed(field: str) -> str:
    if field == "name":
        return "changes by Rename"
    return "cannot change while the container exists"


def _refuse(container: str, found: list[Violation]) -> None:
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise errors.InvalidField(
            f"cannot update container {container!r}: spec.{found[0].field} {found[0].why}{more}",
            *(Violation(f"spec.{violation.field}", violation.why) for violation in found),
        )
