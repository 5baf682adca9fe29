"""What every verb answers in every state: driven through the wire, on a house of its own.

Each state is brought about as it comes about in life, and each verb then called on it. A verb
that has to wait for its turn is called before the turn comes, and what it waits for is let go.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
from google.protobuf.field_mask_pb2 import FieldMask

from moorage.v1 import container_pb2 as shapes
from moorage.v1 import container_service_pb2 as wire
from moorage.v1 import exec_service_pb2 as execs
from moored import errors
from moored.model.state import Frozen, Running, Stopping
from tests.faults.door import connected
from tests.faults.scenes import SPEC, STATES, Scene, state_of
from tests.faults.world import bring_image, opened
from tests.real.wire import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from moored.directory import View
    from tests.fakes.containerd import FakeContainerd
    from tests.faults.world import World
    from tests.real.wire import Wire

WITHIN: Final = 10.0
_TURNS: Final = 3
"""Calls of one connection that are begun in order: after these the first is under way."""


@dataclass(frozen=True)
class Answer:
    """What was answered, and in which state the container was found once all was at rest."""

    code: str
    reason: str
    """Of the error, or what an OK adds to it."""
    after: str


async def answer(home: Path, fake: FakeContainerd, state: str, verb: str) -> Answer:
    """Return what ``verb`` answers to a container in ``state``."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(opened(home, fake, undo_timeout=1))
        await bring_image(world)
        door = await stack.enter_async_context(connected(world))
        scene = await STATES[state](world, door)
        assert state_of(scene) == state
        code, reason = await _asked(scene, VERBS[verb])
        fake.forgive()
        await _at_rest(scene)
        after = state_of(scene)
        await _clear(world)
    return Answer(code, reason, after)


async def _asked(scene: Scene, verb: Verb) -> tuple[str, str]:
    call = asyncio.ensure_future(verb(scene.wire, scene.container))
    for _ in range(_TURNS):
        await scene.wire.list()
    scene.let_go()
    try:
        async with asyncio.timeout(WITHIN):
            answered = await call
    except grpc.aio.AioRpcError as error:
        refused = refusal(error)
        return refused.code.name, refused.reason
    return "OK", _adds(answered)


def _adds(answered: object) -> str:
    """Return what an answer says beside the container."""
    match answered:
        case wire.WaitResponse():
            return "reached" if answered.reached else "not reached"
        case wire.StartResponse() if answered.already_running:
            return "already running"
        case wire.StopResponse() if answered.already_stopped:
            return "already stopped"
        case wire.CleanupResponse() if not answered.complete:
            return "incomplete"
        case wire.PruneResponse():
            return "removed" if answered.removed else "not removed"
        case _:
            return ""


async def _at_rest(scene: Scene) -> None:
    """Return once an exit that there was is seen, and nobody has a claim on the container."""
    with suppress(errors.ContainerNotFound):
        if not scene.world.fake.inventory().processes:
            await scene.world.until(scene.container, lambda view: not _lives(view))
        await scene.world.settled(scene.container)


def _lives(view: View) -> bool:
    return not view.gone and isinstance(view.snapshot.state, Running | Frozen | Stopping)


async def _clear(world: World) -> None:
    cleaner = world.verbs.cleaner
    for snapshot in world.house.registry.all():
        with suppress(errors.ContainerNotFound):
            await cleaner.cleanup(snapshot.id, force=True, and_remove=True)
    assert world.fake.inventory().is_bare


# The verbs, each with what it is mostly called with.

Verb = Any
_COMMAND: Final = execs.ExecSpec(args=["true"])


def _unary(method: str, request: Callable[[str], Any]) -> Verb:
    async def ask(door: Wire, container: str) -> Any:
        return await getattr(door.containers, method)(request(container), timeout=WITHIN)

    return ask


def _of_execs(method: str, request: Callable[[str], Any]) -> Verb:
    async def ask(door: Wire, container: str) -> Any:
        return await getattr(door.execs, method)(request(container), timeout=WITHIN)

    return ask


async def _exec(door: Wire, container: str) -> None:
    """Execute what ends at once, and hear all of it."""
    start = execs.ExecStart(container=container, spec=_COMMAND)
    async for _ in door.execs.Exec(iter((execs.ExecRequest(start=start),)), timeout=WITHIN):
        pass


async def _attach(door: Wire, container: str) -> None:
    """Attach, and go away again."""
    start = wire.AttachStart(container=container)
    call = door.containers.Attach(iter((wire.AttachRequest(start=start),)), timeout=WITHIN)
    async for _ in call:
        call.cancel()
        return


async def _logs(door: Wire, container: str) -> None:
    async for _ in door.containers.Logs(wire.LogsRequest(container=container), timeout=WITHIN):
        pass


async def _stats(door: Any, container: str) -> None:
    async for _ in door.containers.Stats(wire.StatsRequest(containers=[container]), timeout=WITHIN):
        pass


def _update(container: str) -> wire.UpdateRequest:
    return wire.UpdateRequest(
        container=container,
        spec=shapes.ContainerSpec(labels={"a": "b"}),
        update_mask=FieldMask(paths=["labels"]),
    )


def _cleanup(*, force: bool, remove: bool) -> Verb:
    return _unary("Cleanup", lambda c: wire.CleanupRequest(container=c, force=force, remove=remove))


def _wait(condition: wire.WaitCondition) -> Verb:
    return _unary("Wait", lambda c: _waiting(c, condition))


def _waiting(container: str, condition: wire.WaitCondition) -> wire.WaitRequest:
    request = wire.WaitRequest(container=container, condition=condition)
    request.timeout.FromMilliseconds(1)
    return request


def _stop(container: str) -> wire.StopRequest:
    request = wire.StopRequest(container=container)
    request.timeout.FromMilliseconds(50)
    return request


def _restart(container: str) -> wire.RestartRequest:
    request = wire.RestartRequest(container=container)
    request.timeout.FromMilliseconds(50)
    return request


VERBS: Final[Mapping[str, Verb]] = {
    "Create, same name": _unary("Create", lambda _: wire.CreateRequest(spec=SPEC)),
    "Start": _unary("Start", lambda c: wire.StartRequest(container=c)),
    "Inspect": _unary("Inspect", lambda c: wire.InspectRequest(container=c)),
    "List": _unary("List", lambda _: wire.ListRequest()),
    "Stop": _unary("Stop", _stop),
    "Kill": _unary("Kill", lambda c: wire.KillRequest(container=c)),
    "Pause": _unary("Pause", lambda c: wire.PauseRequest(container=c)),
    "Resume": _unary("Resume", lambda c: wire.ResumeRequest(container=c)),
    "Restart": _unary("Restart", _restart),
    "Rename": _unary("Rename", lambda c: wire.RenameRequest(container=c, new_name="other")),
    "Update": _unary("Update", _update),
    "Prune": _unary("Prune", lambda _: wire.PruneRequest()),
    "Wait, running": _wait(wire.WAIT_CONDITION_RUNNING),
    "Wait, healthy": _wait(wire.WAIT_CONDITION_HEALTHY),
    "Wait, exited": _wait(wire.WAIT_CONDITION_EXITED),
    "Wait, next exit": _wait(wire.WAIT_CONDITION_NEXT_EXIT),
    "Wait, removed": _wait(wire.WAIT_CONDITION_REMOVED),
    "Cleanup": _cleanup(force=False, remove=False),
    "Cleanup, force": _cleanup(force=True, remove=False),
    "Cleanup, remove": _cleanup(force=False, remove=True),
    "Cleanup, force and remove": _cleanup(force=True, remove=True),
    "Logs": _logs,
    "Stats": _stats,
    "Attach": _attach,
    "Exec": _exec,
    "ExecSync": _of_execs("ExecSync", lambda c: execs.ExecSyncRequest(container=c, spec=_COMMAND)),
    "ExecDetached": _of_execs(
        "ExecDetached", lambda c: execs.ExecDetachedRequest(container=c, spec=_COMMAND)
    ),
    "ListExecs": _of_execs("ListExecs", lambda c: execs.ListExecsRequest(container=c)),
}
