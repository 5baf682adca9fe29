"""Many callers at once, each doing anything to any of some containers, until a moment comes."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from moorage.v1 import container_service_pb2
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CALLERS: Final = 16
SEED: Final = 9
NAMES: Final = tuple(f"storm-{number}" for number in range(20))
EXPECTED = {
    "CONTAINER_NOT_FOUND",
    "CONTAINER_NOT_RUNNING",
    "CONTAINER_PAUSED",
    "CONTAINER_REMOVING",
    "CONTAINER_RUNNING",
    "CONTAINER_STOPPING",
    "NAME_TAKEN",
    "PREEMPTED_BY_CLEANUP",
}
"""What verbs may answer one another; a container may have been stranded for a moment."""


async def storm(wire: Wire, seconds: float, *, names: Sequence[str] = NAMES) -> None:
    """Let the callers at it. Fails on an answer that no state explains."""
    deadline = time.monotonic() + seconds
    async with asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            chance = random.Random(SEED + number)
            callers.create_task(_caller(wire, names, chance, deadline))


async def _caller(wire: Wire, names: Sequence[str], chance: random.Random, deadline: float) -> None:
    containers: Any = wire.containers
    wanted = container_service_pb2
    requests: tuple[tuple[Any, Callable[[str], Any]], ...] = (
        (containers.Start, lambda c: wanted.StartRequest(spec=sleeper(name=c))),
        (containers.Start, lambda c: wanted.StartRequest(container=c)),
        (containers.Stop, _stop_at_once),
        (containers.Pause, lambda c: wanted.PauseRequest(container=c)),
        (containers.Resume, lambda c: wanted.ResumeRequest(container=c)),
        (containers.Cleanup, lambda c: wanted.CleanupRequest(container=c, force=True)),
        (containers.Cleanup, lambda c: wanted.CleanupRequest(container=c, force=True, remove=True)),
    )
    while time.monotonic() < deadline:
        call, request = chance.choice(requests)
        try:
            await call(request(chance.choice(names)), timeout=CALL_WITHIN)
        except grpc.aio.AioRpcError as error:
            if refusal(error).reason not in EXPECTED:
                raise AssertionError(str(refusal(error))) from error


def _stop_at_once(container: str) -> container_service_pb2.StopRequest:
    request = container_service_pb2.StopRequest(container=container)
    request.timeout.FromMilliseconds(0)
    return request
