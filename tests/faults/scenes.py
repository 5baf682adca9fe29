"""A container in each state, brought about as it comes about in life, behind a real wire."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from moorage.v1 import container_pb2 as shapes
from moored import errors
from moored.model.events import RestartScheduled
from moored.model.state import Frozen, Stopping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.faults.world import World
    from tests.real.wire import Wire

GONE: Final = "gone"
SPEC: Final = shapes.ContainerSpec(image="thing:1", command=["stays"], name="web")
_GRACE: Final = 100.0
"""Seconds: longer than any test."""
_NAMES: Final = {"Frozen": "Paused"}


@dataclass(frozen=True)
class Scene:
    """A world with one container in a state. ``let_go`` ends what the state consists of."""

    world: World
    wire: Wire
    container: str
    let_go: Callable[[], None]


def state_of(scene: Scene) -> str:
    """Return the state of a scene's container, or that it is gone."""
    try:
        view = scene.world.house.registry.peek(scene.container)
    except errors.ContainerNotFound:
        return GONE
    return _NAMES.get(type(view.snapshot.state).__name__, type(view.snapshot.state).__name__)


async def _created(world: World, door: Wire) -> Scene:
    return _scene(world, door, (await door.create(SPEC)).id)


async def _starting(world: World, door: Wire) -> Scene:
    hold = world.fake.hold("Tasks.Create")
    container = (await door.create(SPEC)).id
    start = asyncio.ensure_future(door.start(container))
    await hold.reached()
    return Scene(world, door, container, lambda: _release(hold.release, start))


async def _running(world: World, door: Wire) -> Scene:
    return _scene(world, door, (await door.run(SPEC)).id)


async def _paused(world: World, door: Wire) -> Scene:
    scene = await _running(world, door)
    await world.pause(scene.container)
    assert isinstance(world.snapshot(scene.container).state, Frozen)
    return scene


async def _stopping(world: World, door: Wire) -> Scene:
    """Deaf to its stop signal, which was sent; its grace is longer than any test."""
    world.fake.deafen(15)
    scene = await _running(world, door)
    stop = asyncio.ensure_future(door.stop(scene.container, grace=_GRACE))
    await world.until(scene.container, lambda view: isinstance(view.snapshot.state, Stopping))
    return Scene(world, door, scene.container, lambda: _release(lambda: None, stop))


async def _exited(world: World, door: Wire) -> Scene:
    scene = await _running(world, door)
    world.fake.exit(f"{scene.container}.1", 3)
    await door.wait(scene.container)
    await world.settled(scene.container)
    return scene


async def _restarting(world: World, door: Wire) -> Scene:
    """Waiting for a restart that is due later than any test."""
    scene = await _exited(world, door)
    due = world.site.clock.now() + timedelta(hours=1)
    async with world.house.registry.claim(scene.container) as claim:
        await claim.apply(RestartScheduled(due, attempt=1))
    return scene


async def _removing(world: World, door: Wire) -> Scene:
    """Removed but for a layer that could not be released."""
    scene = await _exited(world, door)
    world.fake.refuse("Snapshots.Remove", grpc.StatusCode.UNKNOWN, "no luck")
    assert not (await door.cleanup(scene.container)).complete
    return scene


async def _stranded(world: World, door: Wire) -> Scene:
    """Started in vain, and its task could not be undone."""
    container = (await door.create(SPEC)).id
    world.fake.lose("reply", "Tasks.Create")
    world.fake.refuse("Tasks.Delete", grpc.StatusCode.UNAVAILABLE, "down", times=99)
    with suppress(grpc.aio.AioRpcError):
        await door.start(container)
    world.fake.forgive()
    return _scene(world, door, container)


STATES: Final[Mapping[str, Callable[[World, Wire], Awaitable[Scene]]]] = {
    "Created": _created,
    "Starting": _starting,
    "Running": _running,
    "Paused": _paused,
    "Stopping": _stopping,
    "Exited": _exited,
    "Restarting": _restarting,
    "Stranded": _stranded,
    "Removing": _removing,
}


def _scene(world: World, door: Wire, container: str) -> Scene:
    return Scene(world, door, container, lambda: None)


def _release(let_go: Callable[[], None], call: Any) -> None:
    """Let go, and see to it that nobody misses what ``call`` answers."""
    let_go()
    call.add_done_callback(lambda done: done.cancelled() or done.exception())
