"""Update: change what of a spec can change while its container exists. The status follows.

What follows is that a wait for a restart ends which the new policy does not ask for, and that a
run under way has its new limits before they are recorded: no update starts, stops or removes
anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.errors import Violation
from moored.model import rules
from moored.model.events import RestartCancelled, SpecUpdated
from moored.model.follow_up import ended
from moored.model.identity import run_id
from moored.model.restart import decide
from moored.model.spec import CHANGEABLE
from moored.model.state import Frozen, Restarting, Running
from moored.oci import lending, resources, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from moored.model.identity import RunId
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.oci.host import Host
    from moored.registry import Claim
    from moored.verbs.turns import Turns


class Tasks(Protocol):
    async def update(self, run: RunId, resources: bytes) -> bool: ...


@dataclass(frozen=True)
class Updater:
    turns: Turns
    tasks: Tasks
    host: Callable[[], Host]

    async def update(
        self,
        reference: str,
        values: Spec,
        fields: Collection[str],
        *,
        generation: int | None = None,
    ) -> Snapshot:
        """Give ``fields`` of the spec, or of its resources, the values of ``values``."""
        whole = {field: field.partition(".")[0] for field in fields}
        _refuse(reference, [Violation(f, _fixed(f)) for f in fields if whole[f] not in CHANGEABLE])
        work = partial(self._update, values, fields)
        return await self.turns.take("update", reference, generation, work)

    async def _update(self, values: Spec, fields: Collection[str], claim: Claim) -> Snapshot:
        before = claim.snapshot.spec
        after = _with(before, values, fields)
        if after == before:
            return claim.snapshot
        _refuse(claim.snapshot.id, list(_violations(before, after)))
        if after.resources != before.resources:
            await self._limit(claim.snapshot, after)
        if _still_due(claim.snapshot, after):
            return await claim.apply(SpecUpdated(after))
        return await claim.apply(SpecUpdated(after), RestartCancelled())

    async def _limit(self, snapshot: Snapshot, after: Spec) -> None:
        """Give a run under way its new limits, or refuse those that it or this host cannot have."""
        host = self.host()
        found = [*resources.violations(after.resources, host), *lending.problems(after)]
        runs = isinstance(snapshot.state, Running | Frozen)
        if runs:
            found += resources.fixed(snapshot.spec.resources, after.resources)
        _refuse(snapshot.id, found)
        if runs:
            limits = json.dumps(resources.changed(after.resources, host)).encode()
            await self.tasks.update(run_id(snapshot.id, snapshot.run), limits)


def _with(before: Spec, values: Spec, fields: Collection[str]) -> Spec:
    parts = [field.partition(".")[2] for field in fields if "." in field]
    limits = {part: getattr(values.resources, part) for part in parts}
    whole = {field: getattr(values, field) for field in fields if "." not in field}
    after = replace(before, **whole)
    return replace(after, resources=replace(after.resources, **limits)) if limits else after


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
