"""A moored without containers: real gRPC, generated servicers, and a script of what happens.

Keeps records and answers as the protocol says; what its processes write and how they end, a
test says. ``refuse`` and ``hold`` prepare the next call of one method.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from moorage.v1 import container_pb2 as wire
from moorage.v1 import container_service_pb2 as service
from moorage.v1 import container_service_pb2_grpc as container_stubs
from moorage.v1 import image_service_pb2 as image_wire
from moorage.v1 import image_service_pb2_grpc as image_stubs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from google.protobuf.message import Message

    from moorage.v1.event_pb2 import Event

Context = grpc.aio.ServicerContext[Any, Any]

BEGINNING: Final = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
STAND_IN: Final = wire.Container(id=f"{0:032x}")
PLAN: Final = service.Plan(
    steps=[
        service.PlannedStep(name="admit"),
        service.PlannedStep(name="files", acquires=["files 0.1", "output 0/1"]),
        service.PlannedStep(name="spec"),
    ],
    runtime_spec='{"hostname":"wéb"}',
)


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error, as moored would send it."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()
    retry_after: timedelta | None = None
    domain: str = "moorage"

    def status(self) -> status_pb2.Status:
        details: list[Message] = [
            error_details_pb2.ErrorInfo(
                reason=self.reason, domain=self.domain, metadata=self.metadata
            )
        ]
        if self.violations:
            refused = error_details_pb2.BadRequest()
            for name, why in self.violations:
                refused.field_violations.add(field=name, description=why)
            details.append(refused)
        if self.retry_after is not None:
            details.append(error_details_pb2.RetryInfo(retry_delay=self.retry_after))
        packed = [any_pb2.Any() for _ in details]
        for box, detail in zip(packed, details, strict=True):
            box.Pack(detail)
        number, _ = self.code.value
        return status_pb2.Status(code=number, message=self.message, details=packed)


def not_found(container: str) -> Refusal:
    return Refusal(
        grpc.StatusCode.NOT_FOUND,
        "CONTAINER_NOT_FOUND",
        f"cannot find container {container!r}: no id, name or prefix of an id is like it",
        {"container": container},
    )


@dataclass
class Hold:
    """A call that is not answered before ``release`` is set."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class Script:
    """What was asked, and what the next calls of a method are answered with."""

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.metadata: dict[str, dict[str, str | bytes]] = {}
        self.deadlines: dict[str, float | None] = {}
        self._next: dict[str, deque[Refusal | Hold]] = defaultdict(deque)
        self._news = asyncio.Condition()

    def refuse(self, method: str, *refusals: Refusal) -> None:
        self._next[method].extend(refusals)

    def hold(self, method: str) -> Hold:
        hold = Hold()
        self._next[method].append(hold)
        return hold

    async def asked(self, method: str, times: int = 1) -> Any:
        """Return the last request of ``method`` once there were so many."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests[method]) >= times)
        return self.requests[method][-1]

    async def play(self, method: str, request: Message | None, context: Context) -> None:
        self.metadata[method] = dict(context.invocation_metadata() or ())
        self.deadlines[method] = context.time_remaining()
        async with self._news:
            self.requests[method].append(request)
            self._news.notify_all()
        while self._next[method]:
            planned = self._next[method].popleft()
            if isinstance(planned, Refusal):
                await context.abort_with_status(rpc_status.to_status(planned.status()))
            else:
                planned.entered.set()
                await planned.release.wait()


class Process:
    """What runs in a container: its output so far, and whether it has ended."""

    def __init__(self) -> None:
        self.output: list[service.LogsResponse] = []
        self.over = False
        self._offsets: dict[int, int] = defaultdict(int)
        self._news = asyncio.Condition()

    async def write(self, data: bytes, *, stderr: bool = False) -> None:
        stream = service.LOG_STREAM_STDERR if stderr else service.LOG_STREAM_STDOUT
        at = BEGINNING + timedelta(seconds=len(self.output))
        piece = service.LogsResponse(
            stream=stream, run=1, offset=self._offsets[stream], time=at, data=data
        )
        self._offsets[stream] += len(data)
        await self.add(piece)

    async def add(self, piece: service.LogsResponse) -> None:
        async with self._news:
            self.output.append(piece)
            self._news.notify_all()

    async def end(self) -> None:
        async with self._news:
            self.over = True
            self._news.notify_all()

    async def ended(self) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self.over)

    async def pieces(self, *, follow: bool) -> AsyncIterator[service.LogsResponse]:
        number = 0
        while True:
            for piece in self.output[number:]:
                yield piece
                number += 1
            if self.over or not follow:
                return
            await self._more_than(number)

    async def _more_than(self, number: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self.over or len(self.output) > number)


class News:
    """What there is to watch, one item after another. A refusal ends one stream."""

    def __init__(self) -> None:
        self._items: list[service.WatchResponse | Refusal | None] = []
        self._more = asyncio.Condition()

    async def add(self, *items: service.WatchResponse | Refusal) -> None:
        async with self._more:
            self._items += items
            self._more.notify_all()

    async def watch(
        self, request: service.WatchRequest, context: Context
    ) -> AsyncIterator[service.WatchResponse]:
        number = 0
        while True:
            item = await self._item(number)
            if isinstance(item, Refusal):
                self._items[number] = None
                await context.abort_with_status(rpc_status.to_status(item.status()))
            elif item and (not item.HasField("event") or _follows(item.event, request)):
                yield item
            number += 1

    async def _item(self, number: int) -> service.WatchResponse | Refusal | None:
        async with self._more:
            await self._more.wait_for(lambda: len(self._items) > number)
        return self._items[number]


def _follows(event: Event, request: service.WatchRequest) -> bool:
    return event.revision > request.since_revision


class Attached:
    """Who is attached: what they sent, beside the first request."""

    def __init__(self) -> None:
        self.requests: list[service.AttachRequest] = []
        self.stdin = bytearray()

    async def serve(
        self,
        requests: AsyncIterator[service.AttachRequest],
        of: FakeContainerService,
        context: Context,
    ) -> AsyncIterator[service.AttachResponse]:
        first = await anext(aiter(requests))
        await of.script.play("Attach", first, context)
        container = await of.find(first.start.container, context)
        yield service.AttachResponse(started=container)
        process = of.processes[container.id]
        hearing = asyncio.create_task(self._hear(requests))
        async for piece in process.pieces(follow=True):
            output = service.AttachOutput(
                stream=piece.stream, offset=piece.offset, time=piece.time, data=piece.data
            )
            yield service.AttachResponse(output=output)
        hearing.cancel()
        end = service.AttachEnd(
            reason=service.ATTACH_END_REASON_RUN_ENDED, exit=container.status.exit
        )
        yield service.AttachResponse(end=end)

    async def _hear(self, requests: AsyncIterator[service.AttachRequest]) -> None:
        async for request in requests:
            self.requests.append(request)
            self.stdin += request.stdin


class FakeContainerService(container_stubs.ContainerServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script
        self.containers: dict[str, wire.Container] = {}
        self.processes: dict[str, Process] = {}
        self.news = News()
        self.attached = Attached()
        self.stubborn = False
        """Whether processes go on after everything but a kill."""
        self.longest_wait = timedelta(hours=1)
        self.cleanup = service.CleanupResponse(complete=True)
        self.stats: list[service.StatsResponse] = []
        self.pruned = service.PruneResponse()
        self.network_faults: list[service.NetworkFault] = []
        """What Inspect finds where it is asked to look."""
        self.audited = service.AuditResponse()
        self.info = service.GetServerInfoResponse(version="1.2.3", instance="moorage")

    def enrol(self, spec: wire.ContainerSpec) -> wire.Container:
        container = wire.Container(
            id=f"{len(self.containers) + 1:032x}",
            name=spec.name,
            spec=spec,
            generation=1,
            create_time=BEGINNING,
        )
        container.status.state = wire.CONTAINER_STATE_CREATED
        self.containers[container.id] = container
        return container

    def launch(self, container: wire.Container) -> Process:
        status = container.status
        status.state, status.run, status.pid = wire.CONTAINER_STATE_RUNNING, 1, 4242
        status.start_time = BEGINNING  # type: ignore[assignment]  # newer than its stub
        process = self.processes[container.id] = Process()
        return process

    async def exit(
        self,
        container: str,
        code: int,
        *,
        origin: wire.ExitOrigin = wire.EXIT_ORIGIN_PROCESS,
        remove: bool = False,
    ) -> None:
        status = self.containers[container].status
        status.state, status.pid = wire.CONTAINER_STATE_EXITED, 0
        status.exit.code, status.exit.origin = code, origin
        if origin == wire.EXIT_ORIGIN_SIGNAL:
            status.exit.signal = code - 128
        if remove:
            del self.containers[container]
        await self.processes[container].end()

    async def find(self, reference: str, context: Context) -> wire.Container:
        for container in self.containers.values():
            if reference in (container.id, container.name) or container.id.startswith(reference):
                return container
        await context.abort_with_status(rpc_status.to_status(not_found(reference).status()))
        raise AssertionError("abort always raises")

    async def Create(  # noqa: N802
        self, request: service.CreateRequest, context: Context
    ) -> service.CreateResponse:
        await self.script.play("Create", request, context)
        if request.validate_only:
            return service.CreateResponse(container=STAND_IN, plan=PLAN)
        return service.CreateResponse(container=self.enrol(request.spec))

    async def Start(  # noqa: N802
        self, request: service.StartRequest, context: Context
    ) -> service.StartResponse:
        await self.script.play("Start", request, context)
        if request.validate_only:
            return service.StartResponse(container=STAND_IN, plan=PLAN)
        if request.WhichOneof("target") == "spec":
            container = self.enrol(request.spec)
        else:
            container = await self.find(request.container, context)
        self.launch(container)
        return service.StartResponse(container=container)

    async def Inspect(  # noqa: N802
        self, request: service.InspectRequest, context: Context
    ) -> service.InspectResponse:
        await self.script.play("Inspect", request, context)
        container = await self.find(request.container, context)
        faults = self.network_faults if request.network_check else ()
        return service.InspectResponse(container=container, network_faults=faults)

    async def List(  # noqa: N802
        self, request: service.ListRequest, context: Context
    ) -> service.ListResponse:
        await self.script.play("List", request, context)
        start, size = int(request.page_token or 0), request.page_size or 100
        listed = list(self.containers.values())
        rest = str(start + size) if len(listed) > start + size else ""
        return service.ListResponse(containers=listed[start : start + size], next_page_token=rest)

    async def Stop(  # noqa: N802
        self, request: service.StopRequest, context: Context
    ) -> service.StopResponse:
        await self.script.play("Stop", request, context)
        container = await self.find(request.container, context)
        kill = request.HasField("timeout") and not request.timeout.ToTimedelta()
        if kill:
            await self.exit(container.id, 137, origin=wire.EXIT_ORIGIN_SIGNAL)
        elif not self.stubborn:
            await self.exit(container.id, 143, origin=wire.EXIT_ORIGIN_SIGNAL)
        else:
            await self.processes[container.id].ended()
        return service.StopResponse(container=container)

    async def Wait(  # noqa: N802
        self, request: service.WaitRequest, context: Context
    ) -> service.WaitResponse:
        await self.script.play("Wait", request, context)
        container = await self.find(request.container, context)
        limit = self.longest_wait
        if request.HasField("timeout"):
            limit = min(limit, request.timeout.ToTimedelta())
        with suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                await self.processes[container.id].ended()
        return service.WaitResponse(reached=container.status.HasField("exit"), container=container)

    async def Cleanup(  # noqa: N802
        self, request: service.CleanupRequest, context: Context
    ) -> service.CleanupResponse:
        await self.script.play("Cleanup", request, context)
        container = await self.find(request.container, context)
        self.cleanup.container.CopyFrom(container)
        if request.remove:
            del self.containers[container.id]
        return self.cleanup

    async def Kill(  # noqa: N802
        self, request: service.KillRequest, context: Context
    ) -> service.KillResponse:
        await self.script.play("Kill", request, context)
        return service.KillResponse(container=await self.find(request.container, context))

    async def Pause(  # noqa: N802
        self, request: service.PauseRequest, context: Context
    ) -> service.PauseResponse:
        await self.script.play("Pause", request, context)
        return service.PauseResponse(container=await self.find(request.container, context))

    async def Resume(  # noqa: N802
        self, request: service.ResumeRequest, context: Context
    ) -> service.ResumeResponse:
        await self.script.play("Resume", request, context)
        return service.ResumeResponse(container=await self.find(request.container, context))

    async def Restart(  # noqa: N802
        self, request: service.RestartRequest, context: Context
    ) -> service.RestartResponse:
        await self.script.play("Restart", request, context)
        return service.RestartResponse(container=await self.find(request.container, context))

    async def Rename(  # noqa: N802
        self, request: service.RenameRequest, context: Context
    ) -> service.RenameResponse:
        await self.script.play("Rename", request, context)
        return service.RenameResponse(container=await self.find(request.container, context))

    async def Update(  # noqa: N802
        self, request: service.UpdateRequest, context: Context
    ) -> service.UpdateResponse:
        await self.script.play("Update", request, context)
        return service.UpdateResponse(container=await self.find(request.container, context))

    async def Audit(  # noqa: N802
        self, request: service.AuditRequest, context: Context
    ) -> service.AuditResponse:
        await self.script.play("Audit", request, context)
        return self.audited

    async def Prune(  # noqa: N802
        self, request: service.PruneRequest, context: Context
    ) -> service.PruneResponse:
        await self.script.play("Prune", request, context)
        return self.pruned

    async def Logs(  # noqa: N802
        self, request: service.LogsRequest, context: Context
    ) -> AsyncIterator[service.LogsResponse]:
        await self.script.play("Logs", request, context)
        container = await self.find(request.container, context)
        async for piece in self.processes[container.id].pieces(follow=request.follow):
            yield piece

    async def Stats(  # noqa: N802
        self, request: service.StatsRequest, context: Context
    ) -> AsyncIterator[service.StatsResponse]:
        await self.script.play("Stats", request, context)
        for answer in self.stats:
            yield answer

    async def Watch(  # noqa: N802
        self, request: service.WatchRequest, context: Context
    ) -> AsyncIterator[service.WatchResponse]:
        await self.script.play("Watch", request, context)
        async for item in self.news.watch(request, context):
            yield item

    async def Attach(  # noqa: N802
        self, request_iterator: AsyncIterator[service.AttachRequest], context: Context
    ) -> AsyncIterator[service.AttachResponse]:
        async for response in self.attached.serve(request_iterator, self, context):
            yield response

    async def GetServerInfo(  # noqa: N802
        self, request: service.GetServerInfoRequest, context: Context
    ) -> service.GetServerInfoResponse:
        await self.script.play("GetServerInfo", request, context)
        return self.info


class FakeImageService(image_stubs.ImageServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script
        self.images: list[image_wire.Image] = []
        self.archive = b""
        self.chunks: list[int] = []
        self.enough: int | None = None
        """Bytes after which an import is answered without reading on."""

    async def Import(  # noqa: N802
        self, request_iterator: AsyncIterator[image_wire.ImportRequest], context: Context
    ) -> image_wire.ImportResponse:
        await self.script.play("Import", None, context)
        name, received = "docker.io/library/imported:latest", bytearray()
        async for request in request_iterator:
            if request.WhichOneof("part") == "options":
                name = request.options.name
                continue
            received += request.chunk
            self.chunks.append(len(request.chunk))
            if self.enough is not None and len(received) >= self.enough:
                await self.script.play("Import.enough", None, context)
        self.archive = bytes(received)
        image = image_wire.Image(name=name, digest="sha256:" + "ab" * 32, size=len(received))
        image.create_time.FromDatetime(BEGINNING)
        self.images.append(image)
        return image_wire.ImportResponse(images=[image])

    async def List(  # noqa: N802
        self, request: image_wire.ImageServiceListRequest, context: Context
    ) -> image_wire.ImageServiceListResponse:
        await self.script.play("ListImages", request, context)
        return image_wire.ImageServiceListResponse(images=self.images)

    async def Remove(  # noqa: N802
        self, request: image_wire.RemoveRequest, context: Context
    ) -> image_wire.RemoveResponse:
        await self.script.play("RemoveImage", request, context)
        return image_wire.RemoveResponse()


class FakeMoored:
    """Both services on a unix socket, as an asynchronous context."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.address = f"unix://{socket}"
        self.script = Script()
        self.containers = FakeContainerService(self.script)
        self.images = FakeImageService(self.script)
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.vanish()

    async def serve(self) -> None:
        self._server = grpc.aio.server()
        container_stubs.add_ContainerServiceServicer_to_server(self.containers, self._server)
        image_stubs.add_ImageServiceServicer_to_server(self.images, self._server)
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()

    async def vanish(self) -> None:
        """Break every connection. ``serve`` brings it back, with all that it knew."""
        if self._server is not None:
            await self._server.stop(grace=None)
            self._server = None

    async def running(self, *args: str, image: str = "busybox", name: str = "") -> wire.Container:
        """Add a container that runs."""
        container = self.containers.enrol(wire.ContainerSpec(image=image, name=name, args=args))
        self.containers.launch(container)
        return container

    def process(self, container: wire.Container | str) -> Process:
        name = container if isinstance(container, str) else container.id
        return self.containers.processes[name]

    def names(self) -> Sequence[str]:
        return [container.name for container in self.containers.containers.values()]
