"""What a random program may do to a house, step by step, and what has to hold after each step.

Nothing is said here about what a verb does: only what no order of verbs, exits, faults and
deaths may bring about.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

import grpc
import grpc.aio
from google.protobuf.field_mask_pb2 import FieldMask

from moorage.v1 import container_pb2 as shapes
from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.model.exits import Exit, Origin
from moored.model.state import Created, Exited, Frozen, Restarting, Running, Stopping
from tests.model.place import WITHIN, Place
from tests.real.wire import refusal

if TYPE_CHECKING:
    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot

NAMES: Final = ("web", "mail", "queue")
"""None is a prefix of an id."""
CALLS: Final = ("Snapshots.Prepare", "Containers.Create", "Tasks.Create", "Tasks.Start")
"""Of a start: where one may be held, and the house killed."""
BREAKABLE: Final = (*CALLS, "Tasks.Kill", "Tasks.Delete", "Snapshots.Remove", "Containers.Delete")
POLICIES: Final = tuple(shapes.RestartCondition.values())
_SCRIPTED: Final = "as the script says"


class Program:
    def __init__(self) -> None:
        self.place = Place()
        self._revisions: dict[ContainerId, int] = {}
        self._exits: dict[tuple[ContainerId, int], Exit] = {}
        self._true: dict[tuple[ContainerId, int], int] = {}
        """The status that a process gave, where that was seen to be recorded."""

    # What callers do.

    def create(self, name: str, condition: int, *, auto_remove: bool) -> None:
        spec = shapes.ContainerSpec(
            image="thing:1", command=["stays"], name=name, auto_remove=auto_remove
        )
        if not auto_remove:
            spec.restart_policy.condition = condition  # type: ignore[assignment]
        self.ask("Create", wire.CreateRequest(spec=spec))

    def stop(self, name: str) -> None:
        request = wire.StopRequest(container=name)
        request.timeout.FromMilliseconds(30)
        self.ask("Stop", request)

    def restart(self, name: str) -> None:
        request = wire.RestartRequest(container=name)
        request.timeout.FromMilliseconds(30)
        self.ask("Restart", request)

    def update(self, name: str, condition: int) -> None:
        spec = shapes.ContainerSpec()
        spec.restart_policy.condition = condition  # type: ignore[assignment]
        mask = FieldMask(paths=["restart_policy"])
        self.ask("Update", wire.UpdateRequest(container=name, spec=spec, update_mask=mask))

    def ask(self, method: str, request: Any) -> None:
        """Call a verb: whatever it answers, it is not a defect."""
        self.place.do(self._ask(method, request))

    async def _ask(self, method: str, request: Any) -> None:
        try:
            await getattr(self.place.wire.containers, method)(request, timeout=WITHIN)
        except grpc.aio.AioRpcError as error:
            refused = refusal(error)
            internal = refused.code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
            assert not internal or _SCRIPTED in refused.message, f"{method}: {refused}"

    # What happens.

    def exit(self, name: str, status: int) -> None:
        self.place.do(self._exit(name, status))

    async def _exit(self, name: str, status: int) -> None:
        """Let the process of a container end, and see it recorded."""
        found = self._find(name)
        if found is None or not isinstance(found.state, Running):
            return
        self.place.fake.exit(f"{found.id}.{found.run}", status)
        self._true[found.id, found.run] = status
        await self._ended(found)

    def lose_shim(self, name: str) -> None:
        self.place.do(self._lose_shim(name))

    async def _lose_shim(self, name: str) -> None:
        found = self._find(name)
        if found is not None and isinstance(found.state, Running | Frozen):
            self.place.fake.kill_shim(f"{found.id}.{found.run}")
            await self._ended(found)

    async def _ended(self, was: Snapshot) -> None:
        """Return once the end of a run is on record."""
        with suppress(errors.ContainerNotFound):
            await self.place.world.until(
                was.id,
                lambda v: v.gone or v.snapshot.run != was.run or v.snapshot.exit is not None,
            )

    def break_call(self, call: str, how: Literal["request", "reply", "refused"]) -> None:
        if how == "refused":
            self.place.fake.refuse(call, grpc.StatusCode.UNKNOWN, _SCRIPTED)
        else:
            self.place.fake.lose(how, call)

    def restart_containerd(self) -> None:
        self.place.do(self.place.fake.restart())

    def reopen(self) -> None:
        self.place.do(self.place.reopen())

    def kill_in_mid_start(self, name: str, call: str, *, after: bool) -> None:
        self.place.do(self._kill_in_mid_start(name, call, after=after))

    async def _kill_in_mid_start(self, name: str, call: str, *, after: bool) -> None:
        """Kill moored while a start stands at ``call``, or wherever else it has got to."""
        with self.place.fake.hold(call, after=after) as hold:
            work = [
                asyncio.ensure_future(self._ask("Start", wire.StartRequest(container=name))),
                asyncio.ensure_future(hold.reached()),
            ]
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            await self.place.kill()
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def sweep(self) -> None:
        self.place.do(self.place.world.house.keepers.sweep.round())

    # What has to hold.

    def check(self) -> None:
        self.place.do(self._check())

    async def _check(self) -> None:
        registry = self.place.world.house.registry
        for known in registry.all():
            with suppress(errors.ContainerNotFound):
                async with registry.claim(known.id) as claim:
                    self._one(claim.snapshot)
        self._nothing_unknown()

    def _one(self, snapshot: Snapshot) -> None:
        """Check one container while nobody can change it."""
        assert snapshot.revision >= self._revisions.get(snapshot.id, 0)
        self._revisions[snapshot.id] = snapshot.revision
        self._same_exit(snapshot)
        held = self._held(snapshot.id)
        match snapshot.state:
            case Running() | Frozen() | Stopping():
                run = f"{snapshot.id}.{snapshot.run}"
                assert held["tasks"] == held["containers"] == held["bundles"] == {run}, held
            case Created() | Exited() | Restarting() if not snapshot.resources:
                assert not any(held.values()), held
            case Created() | Exited() | Restarting():
                kept = all(resource.kept for resource in snapshot.resources)
                runs = held["tasks"] | held["containers"] | held["bundles"]
                assert not (kept and runs), held
            case _:  # what is left is on record, and tried again
                assert snapshot.resources or not any(held.values()), held

    def _same_exit(self, snapshot: Snapshot) -> None:
        """One exit, once: and where the process gave one that was seen, that one."""
        if snapshot.exit is None:
            return
        run = (snapshot.id, snapshot.run)
        assert self._exits.setdefault(run, snapshot.exit) == snapshot.exit
        if snapshot.exit.origin in (Origin.PROCESS, Origin.SIGNAL) and run in self._true:
            assert snapshot.exit.code == self._true[run]

    def _nothing_unknown(self) -> None:
        """All that is there belongs to a container that is on record."""
        registry = self.place.world.house.registry
        there = self.place.fake.inventory()
        for thing in there.tasks | there.containers | there.bundles | there.active_layers:
            container = thing.partition("/")[2][:32]
            assert registry.knows(container), thing  # type: ignore[arg-type]

    def _held(self, container: ContainerId) -> dict[str, set[str]]:
        there = self.place.fake.inventory()
        return {
            kind: {name.partition("/")[2] for name in getattr(there, kind) if container in name}
            for kind in ("tasks", "containers", "bundles", "active_layers")
        }

    def _find(self, name: str) -> Snapshot | None:
        try:
            return self.place.world.snapshot(name)
        except errors.ContainerNotFound:
            return None

    def finish(self) -> None:
        """Clean up all: nothing is left then, whatever was before."""
        try:
            self.place.do(self._finish())
        finally:
            self.place.close()

    async def _finish(self) -> None:
        self.place.fake.forgive()
        house = self.place.world.house
        for snapshot in house.registry.all():
            with suppress(errors.ContainerNotFound):
                await house.verbs.cleaner.cleanup(snapshot.id, force=True, and_remove=True)
        await house.keepers.sweep.round()
        assert house.registry.all() == []
        assert self.place.fake.inventory().is_bare
        assert self.place.world.inventory().files == frozenset()
