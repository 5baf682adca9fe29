"""The ways in which a call can end, each brought about as it comes about in life.

``ENDINGS`` is the table of docs/endings.md: what the caller is told, and what the span, the
measure and the log say of it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from moorage.v1 import container_pb2 as shapes
from moorage.v1 import container_service_pb2 as wire
from tests.faults.scenes import SPEC, STATES
from tests.faults.world import soon
from tests.real.wire import Wire, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from moored.api.server import Server
    from tests.faults.world import World

SHORT: Final = 0.3
"""Seconds: the deadline of a caller that does not wait."""
LARGEST: Final = 64 * 1024
_SERVICE: Final = "/moorage.v1.ContainerService"
OTHER: Final = wire.StartRequest(spec=shapes.ContainerSpec(image="thing:1", command=["stays"]))


@dataclass(frozen=True)
class Told:
    """What the caller got."""

    code: str
    reason: str = ""


@dataclass(frozen=True)
class Stage:
    world: World
    wire: Wire
    server: Server


@dataclass(frozen=True)
class Ending:
    way: str
    method: str
    """As the span has it; empty for a call that never reaches a method."""
    code: str
    reason: str
    """In the log, in the measure and in the span's error.type; empty where all went well."""
    span: str
    level: str
    bring: Callable[[Stage], Awaitable[Told]]


async def told(call: Awaitable[object]) -> Told:
    try:
        await soon(call)
    except grpc.aio.AioRpcError as error:
        found = refusal(error)
        return Told(found.code.name, found.reason)
    except asyncio.CancelledError:
        return Told("CANCELLED")
    return Told("OK")


async def _read(stream: Any, *, enough: int = -1) -> None:
    """Read a stream to its end, or until there is ``enough``; then go away."""
    async for _ in stream:
        enough -= 1
        if enough == 0:
            stream.cancel()


def _watch(door: Wire, timeout: float | None = None, **fields: Any) -> Any:
    return door.containers.Watch(wire.WatchRequest(**fields), timeout=timeout)


async def _inspected(stage: Stage) -> Told:
    await stage.wire.create(SPEC)
    return await told(stage.wire.inspect("web"))


async def _started(stage: Stage) -> Told:
    return await told(stage.wire.run(SPEC))


async def _started_already(stage: Stage) -> Told:
    await stage.wire.run(SPEC)
    answer = await stage.wire.start("web")
    assert answer.already_running
    return Told("OK")


async def _replayed(stage: Stage) -> Told:
    request = wire.StartRequest(spec=SPEC, request_id="r")
    await stage.wire.containers.Start(request)
    return await told(stage.wire.containers.Start(request))


async def _refused_again(stage: Stage) -> Told:
    request = wire.StartRequest(container="nobody", request_id="r")
    await told(stage.wire.containers.Start(request))
    return await told(stage.wire.containers.Start(request))


async def _not_found(stage: Stage) -> Told:
    return await told(stage.wire.inspect("nobody"))


async def _name_taken(stage: Stage) -> Told:
    await stage.wire.create(SPEC)
    return await told(stage.wire.create(SPEC))


async def _bad_field(stage: Stage) -> Told:
    spec = shapes.ContainerSpec(image="thing:1", name="no name")
    return await told(stage.wire.create(spec))


async def _unknown_field(stage: Stage) -> Told:
    return await told(_raw(stage, "Inspect")(b"\xfa\x3f\x01x"))


async def _not_allowed(stage: Stage) -> Told:
    spec = shapes.ContainerSpec(image="thing:1", command=["stays"], network="host")
    return await told(stage.wire.create(spec))


async def _not_now(stage: Stage) -> Told:
    await stage.wire.create(SPEC)
    return await told(stage.wire.containers.Pause(wire.PauseRequest(container="web")))


async def _stale(stage: Stage) -> Told:
    await stage.wire.create(SPEC)
    request = wire.StopRequest(container="web", etag="99")
    return await told(stage.wire.containers.Stop(request))


async def _too_late_to_watch(stage: Stage) -> Told:
    request = _watch(stage.wire, since_revision=10**6)
    return await told(_read(request))


async def _queue_full(stage: Stage) -> Told:
    stage.world.verbs.starter.gate._patience = 0.01
    with stage.world.fake.hold("Tasks.Create") as hold:
        first = asyncio.ensure_future(told(stage.wire.run(SPEC)))
        await hold.reached()
        full = await told(stage.wire.containers.Start(OTHER))
    await first
    return full


async def _late_in_queue(stage: Stage) -> Told:
    with stage.world.fake.hold("Tasks.Create") as hold:
        first = asyncio.ensure_future(told(stage.wire.run(SPEC)))
        await hold.reached()
        late = await told(stage.wire.containers.Start(OTHER, timeout=SHORT))
    await first
    return late


async def _late(stage: Stage) -> Told:
    with stage.world.fake.hold("Tasks.Create"):
        request = wire.StartRequest(spec=SPEC)
        return await told(stage.wire.containers.Start(request, timeout=SHORT))


async def _late_while_joined(stage: Stage) -> Told:
    request = wire.StartRequest(spec=SPEC, request_id="r")
    with stage.world.fake.hold("Tasks.Create") as hold:
        first = asyncio.ensure_future(told(stage.wire.containers.Start(request)))
        await hold.reached()
        late = await told(stage.wire.containers.Start(request, timeout=SHORT))
    await first
    return late


async def _late_stream(stage: Stage) -> Told:
    return await told(_read(_watch(stage.wire, SHORT)))


async def _step_late(stage: Stage) -> Told:
    limits = stage.world.verbs.starter.limits
    object.__setattr__(limits, "step", 0.05)
    with stage.world.fake.hold("Snapshots.Prepare"):
        return await told(stage.wire.run(SPEC))


async def _cancelled(stage: Stage) -> Told:
    with stage.world.fake.hold("Tasks.Create") as hold:
        call = stage.wire.containers.Start(wire.StartRequest(spec=SPEC))
        waiting = asyncio.ensure_future(told(call))
        await hold.reached()
        call.cancel()
        return await waiting


async def _cancelled_stream(stage: Stage) -> Told:
    return await told(_read(_watch(stage.wire), enough=1))


async def _cancelled_dialogue(stage: Stage) -> Told:
    await stage.wire.run(SPEC)
    begin = wire.AttachRequest(start=wire.AttachStart(container="web"))

    async def requests() -> AsyncIterator[wire.AttachRequest]:
        yield begin
        await asyncio.Event().wait()

    return await told(_read(stage.wire.containers.Attach(requests()), enough=1))


async def _vanished(stage: Stage) -> Told:
    async with Wire(f"unix://{stage.world.home}/m.sock") as other:
        stream = _watch(other)
        await anext(aiter(stream))
        await other.channel.close()
        return await told(_read(stream))


async def _unreadable(stage: Stage) -> Told:
    return await told(_raw(stage, "Inspect")(b"\xff"))


async def _too_large(stage: Stage) -> Told:
    return await told(_raw(stage, "Inspect")(bytes(2 * LARGEST)))


async def _unknown_method(stage: Stage) -> Told:
    return await told(_raw(stage, "Dance")(b""))


async def _unknown_service(stage: Stage) -> Told:
    return await told(_asking(stage, "/some.Service/Ask")(b""))


async def _draining(stage: Stage) -> Told:
    await stage.server.refuse_changes()
    return await told(stage.wire.run(SPEC))


async def _shut_down(stage: Stage) -> Told:
    stream = aiter(_watch(stage.wire))
    await anext(stream)
    stage.world.house.feed.close()
    return await told(_read(stream))


async def _cut_by_shutdown(stage: Stage) -> Told:
    await stage.wire.run(SPEC)
    request = wire.WaitRequest(container="web", condition=wire.WAIT_CONDITION_EXITED)
    request.timeout.FromSeconds(60)
    waiting = asyncio.ensure_future(told(stage.wire.containers.Wait(request)))
    await stage.wire.list()
    await stage.wire.list()
    await stage.server.stop()
    return await waiting


async def _step_refused(stage: Stage) -> Told:
    stage.world.fake.refuse("Tasks.Create", grpc.StatusCode.UNKNOWN, "no luck")
    return await told(stage.wire.run(SPEC))


async def _stranded(stage: Stage) -> Told:
    stage.world.fake.lose("reply", "Tasks.Create")
    stage.world.fake.refuse("Tasks.Delete", grpc.StatusCode.UNAVAILABLE, "down", times=99)
    answer = await told(stage.wire.run(SPEC))
    stage.world.fake.forgive()
    return answer


async def _start_of_stranded(stage: Stage) -> Told:
    scene = await STATES["Stranded"](stage.world, stage.wire)
    return await told(stage.wire.start(scene.container))


async def _lost(stage: Stage) -> Told:
    stage.world.fake.lose("request", "Tasks.Create", times=99)
    answer = await told(stage.wire.run(SPEC))
    stage.world.fake.forgive()
    return answer


async def _preempted(stage: Stage) -> Told:
    with stage.world.fake.hold("Tasks.Create") as hold:
        start = asyncio.ensure_future(told(stage.wire.run(SPEC)))
        await hold.reached()
        cleanup = asyncio.ensure_future(stage.wire.cleanup("web"))
        with suppress(TimeoutError):
            await _until_preempting(stage)
    await cleanup
    return await start


async def _until_preempting(stage: Stage) -> None:
    subject = stage.world.house.registry.find("web")
    async with asyncio.timeout(10):
        await subject.preempted.wait()


async def _incomplete(stage: Stage) -> Told:
    await STATES["Exited"](stage.world, stage.wire)
    stage.world.fake.refuse("Snapshots.Remove", grpc.StatusCode.UNKNOWN, "no luck")
    answer = await stage.wire.cleanup("web")
    assert not answer.complete
    return Told("OK")


def _raw(stage: Stage, method: str) -> Any:
    return _asking(stage, f"{_SERVICE}/{method}")


def _asking(stage: Stage, method: str) -> Any:
    return stage.wire.channel.unary_unary(method)


_C: Final = "moorage.v1.ContainerService/"
ENDINGS: Final = (
    Ending("read", f"{_C}Inspect", "OK", "", "UNSET", "DEBUG", _inspected),
    Ending("started", f"{_C}Start", "OK", "", "UNSET", "INFO", _started),
    Ending("it runs already", f"{_C}Start", "OK", "", "UNSET", "INFO", _started_already),
    Ending("a retried request", f"{_C}Start", "OK", "", "UNSET", "INFO", _replayed),
    Ending("cleaned up but for something", f"{_C}Cleanup", "OK", "", "UNSET", "INFO", _incomplete),
    Ending(
        "a retry of what was refused", f"{_C}Start",
        "NOT_FOUND", "CONTAINER_NOT_FOUND", "UNSET", "INFO", _refused_again,
    ),
    Ending(
        "it is not there", f"{_C}Inspect",
        "NOT_FOUND", "CONTAINER_NOT_FOUND", "UNSET", "INFO", _not_found,
    ),
    Ending(
        "its name is taken", f"{_C}Create",
        "ALREADY_EXISTS", "NAME_TAKEN", "UNSET", "INFO", _name_taken,
    ),
    Ending(
        "a bad field", f"{_C}Create",
        "INVALID_ARGUMENT", "INVALID_FIELD", "UNSET", "INFO", _bad_field,
    ),
    Ending(
        "an unknown field", f"{_C}Inspect",
        "INVALID_ARGUMENT", "NOT_SERVED", "UNSET", "INFO", _unknown_field,
    ),
    Ending(
        "a request that is none", f"{_C}Inspect",
        "INVALID_ARGUMENT", "INVALID_FIELD", "UNSET", "INFO", _unreadable,
    ),
    Ending(
        "it is not allowed", f"{_C}Create",
        "PERMISSION_DENIED", "HOST_NETWORK_NOT_ALLOWED", "UNSET", "INFO", _not_allowed,
    ),
    Ending(
        "not in this state", f"{_C}Pause",
        "FAILED_PRECONDITION", "CONTAINER_NOT_RUNNING", "UNSET", "INFO", _not_now,
    ),
    Ending(
        "what is stranded is started", f"{_C}Start",
        "FAILED_PRECONDITION", "CONTAINER_STRANDED", "UNSET", "INFO", _start_of_stranded,
    ),
    Ending("a stale etag", f"{_C}Stop", "ABORTED", "ETAG_MISMATCH", "UNSET", "INFO", _stale),
    Ending(
        "a cleanup came in between", f"{_C}Start",
        "ABORTED", "PREEMPTED_BY_CLEANUP", "UNSET", "INFO", _preempted,
    ),
    Ending(
        "a revision that is not there", f"{_C}Watch",
        "OUT_OF_RANGE", "REVISION_GONE", "UNSET", "INFO", _too_late_to_watch,
    ),
    Ending(
        "the queue is full", f"{_C}Start",
        "RESOURCE_EXHAUSTED", "START_QUEUE_FULL", "UNSET", "INFO", _queue_full,
    ),
    Ending(
        "its deadline passes", f"{_C}Start",
        "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "ERROR", "WARNING", _late,
    ),
    Ending(
        "its deadline passes in the queue", f"{_C}Start",
        "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "ERROR", "WARNING", _late_in_queue,
    ),
    Ending(
        "its deadline passes while it waits for its first try", f"{_C}Start",
        "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "ERROR", "WARNING", _late_while_joined,
    ),
    Ending(
        "its deadline passes in a stream", f"{_C}Watch",
        "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "ERROR", "WARNING", _late_stream,
    ),
    Ending(
        "a step takes too long", f"{_C}Start",
        "DEADLINE_EXCEEDED", "STEP_TIMED_OUT", "ERROR", "WARNING", _step_late,
    ),
    Ending(
        "its caller cancels", f"{_C}Start",
        "CANCELLED", "CANCELLED", "ERROR", "INFO", _cancelled,
    ),
    Ending(
        "its caller cancels a stream", f"{_C}Watch",
        "CANCELLED", "CANCELLED", "ERROR", "INFO", _cancelled_stream,
    ),
    Ending(
        "its caller cancels a stream both ways", f"{_C}Attach",
        "CANCELLED", "CANCELLED", "ERROR", "INFO", _cancelled_dialogue,
    ),
    Ending(
        "its caller vanishes", f"{_C}Watch",
        "CANCELLED", "CANCELLED", "ERROR", "INFO", _vanished,
    ),
    Ending(
        "it comes while moored drains", f"{_C}Start",
        "UNAVAILABLE", "SHUTTING_DOWN", "ERROR", "WARNING", _draining,
    ),
    Ending(
        "moored ends under a stream", f"{_C}Watch",
        "UNAVAILABLE", "SHUTTING_DOWN", "ERROR", "WARNING", _shut_down,
    ),
    Ending(
        "moored ends while it waits", f"{_C}Wait",
        "UNAVAILABLE", "SHUTTING_DOWN", "ERROR", "WARNING", _cut_by_shutdown,
    ),
    Ending(
        "containerd is lost", f"{_C}Start",
        "UNAVAILABLE", "RUNTIME_UNREACHABLE", "ERROR", "WARNING", _lost,
    ),
    Ending(
        "a step fails and all is undone", f"{_C}Start",
        "INTERNAL", "RUNTIME_REFUSED", "ERROR", "ERROR", _step_refused,
    ),
    Ending(
        "a step fails, and an undo too", f"{_C}Start",
        "UNAVAILABLE", "RUNTIME_UNREACHABLE", "ERROR", "WARNING", _stranded,
    ),
    Ending(
        "no such method", "_OTHER",
        "UNIMPLEMENTED", "UNIMPLEMENTED", "ERROR", "WARNING", _unknown_method,
    ),
    Ending(
        "no such service", "_OTHER",
        "UNIMPLEMENTED", "UNIMPLEMENTED", "ERROR", "WARNING", _unknown_service,
    ),
)  # fmt: skip
UNSEEN: Final = (
    Ending("a message that is too large", "", "RESOURCE_EXHAUSTED", "", "", "", _too_large),
)
"""What gRPC answers before anything of ours runs."""
