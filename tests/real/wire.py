"""The wire by generated stubs alone, as programs in any language see it.

Every call has a deadline and waits for the connection within it. ``refused`` turns an error
into a value that tests compare.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from moorage.v1 import (
    container_pb2,
    container_service_pb2,
    container_service_pb2_grpc,
    exec_service_pb2_grpc,
    image_service_pb2_grpc,
    volume_service_pb2,
    volume_service_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence

Answer = TypeVar("Answer")

CALL_WITHIN: Final = 60.0
"""More than any step's own limit: what hangs is cut by moored, and shows as its error."""
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Refusal:
    """An error as the wire carried it."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    """The paths of BadRequest's violations."""
    domain: str = ""


class Wire:
    """One connection to one moored."""

    def __init__(
        self,
        address: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, int | str]] = (),
    ) -> None:
        target = address.replace("unix://", "unix:")
        given = (*_CHANNEL_OPTIONS, *options)
        self.channel: Final = (
            grpc.aio.insecure_channel(target, options=given)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options=given)
        )
        self.containers: Final = container_service_pb2_grpc.ContainerServiceStub(self.channel)
        self.execs: Final = exec_service_pb2_grpc.ExecServiceStub(self.channel)
        self.volumes: Final = volume_service_pb2_grpc.VolumeServiceStub(self.channel)
        self.images: Final = image_service_pb2_grpc.ImageServiceStub(self.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()

    async def create(self, spec: container_pb2.ContainerSpec) -> container_pb2.Container:
        request = container_service_pb2.CreateRequest(spec=spec)
        answer = await self.containers.Create(request, timeout=CALL_WITHIN, wait_for_ready=True)
        return answer.container

    async def run(self, spec: container_pb2.ContainerSpec) -> container_pb2.Container:
        """Create and start in one call."""
        request = container_service_pb2.StartRequest(spec=spec)
        answer = await self.containers.Start(request, timeout=CALL_WITHIN, wait_for_ready=True)
        return answer.container

    async def start(self, container: str) -> container_service_pb2.StartResponse:
        request = container_service_pb2.StartRequest(container=container)
        return await self.containers.Start(request, timeout=CALL_WITHIN, wait_for_ready=True)

    async def inspect(self, container: str) -> container_pb2.Container:
        request = container_service_pb2.InspectRequest(container=container)
        answer = await self.containers.Inspect(request, timeout=CALL_WITHIN, wait_for_ready=True)
        return answer.container

    async def list(self) -> list[container_pb2.Container]:
        """Return all containers, page by page."""
        found: list[container_pb2.Container] = []
        token = ""
        while True:
            request = container_service_pb2.ListRequest(page_size=1000, page_token=token)
            page = await self.containers.List(request, timeout=CALL_WITHIN, wait_for_ready=True)
            found.extend(page.containers)
            if not (token := page.next_page_token):
                return found

    async def stop(
        self, container: str, *, signal: str = "", grace: float | None = None
    ) -> container_service_pb2.StopResponse:
        request = container_service_pb2.StopRequest(container=container, signal=signal)
        if grace is not None:
            request.timeout.CopyFrom(duration(grace))
        return await self.containers.Stop(request, timeout=CALL_WITHIN, wait_for_ready=True)

    async def wait(
        self,
        container: str,
        condition: container_service_pb2.WaitCondition = (
            container_service_pb2.WAIT_CONDITION_EXITED
        ),
        *,
        within: float = CALL_WITHIN,
    ) -> container_pb2.Container:
        """Return the container once it met ``condition``."""
        request = container_service_pb2.WaitRequest(
            container=container, condition=condition, timeout=duration(within)
        )
        answer = await self.containers.Wait(request, timeout=within + 10, wait_for_ready=True)
        assert answer.reached, f"not within {within:g} s: {answer.container}"
        return answer.container

    async def cleanup(
        self, container: str, *, force: bool = True, remove: bool = True, volumes: bool = False
    ) -> container_service_pb2.CleanupResponse:
        request = container_service_pb2.CleanupRequest(
            container=container, force=force, remove=remove, remove_volumes=volumes
        )
        return await self.containers.Cleanup(request, timeout=CALL_WITHIN, wait_for_ready=True)

    async def remove(self, container: str) -> None:
        """Have nothing left of it, if there still is anything."""
        try:
            answer = await self.cleanup(container)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        else:
            assert answer.complete, str(answer)

    async def volume(self, name: str) -> volume_service_pb2.Volume:
        request = volume_service_pb2.VolumeServiceInspectRequest(volume=name)
        answer = await self.volumes.Inspect(request, timeout=CALL_WITHIN, wait_for_ready=True)
        return answer.volume

    async def create_volume(self, name: str = "", **fields: Any) -> volume_service_pb2.Volume:
        request = volume_service_pb2.VolumeServiceCreateRequest(name=name, **fields)
        answer = await self.volumes.Create(request, timeout=CALL_WITHIN, wait_for_ready=True)
        return answer.volume

    async def remove_volume(self, name: str) -> None:
        request = volume_service_pb2.VolumeServiceRemoveRequest(volume=name)
        await self.volumes.Remove(request, timeout=CALL_WITHIN, wait_for_ready=True)

    async def list_volumes(
        self,
        filter: volume_service_pb2.VolumeFilter | None = None,  # noqa: A002
    ) -> Sequence[volume_service_pb2.Volume]:
        request = volume_service_pb2.VolumeServiceListRequest(page_size=1000, filter=filter)
        answer = await self.volumes.List(request, timeout=CALL_WITHIN, wait_for_ready=True)
        return answer.volumes

    async def prune_volumes(self, **fields: Any) -> volume_service_pb2.VolumeServicePruneResponse:
        request = volume_service_pb2.VolumeServicePruneRequest(**fields)
        return await self.volumes.Prune(request, timeout=CALL_WITHIN, wait_for_ready=True)

    @contextlib.asynccontextmanager
    async def created(
        self, spec: container_pb2.ContainerSpec
    ) -> AsyncIterator[container_pb2.Container]:
        """A container for as long as the test needs it."""
        container = await self.create(spec)
        try:
            yield container
        finally:
            await self.remove(container.id)

    @contextlib.asynccontextmanager
    async def running(
        self, spec: container_pb2.ContainerSpec
    ) -> AsyncIterator[container_pb2.Container]:
        """The same, started."""
        container = await self.run(spec)
        try:
            yield container
        finally:
            await self.remove(container.id)

    async def logs(
        self, request: container_service_pb2.LogsRequest
    ) -> AsyncGenerator[container_service_pb2.LogsResponse, None]:
        """Yield what arrives; closing the iterator ends the call."""
        call = self.containers.Logs(request, timeout=CALL_WITHIN, wait_for_ready=True)
        try:
            async for part in call:
                yield part
        finally:
            call.cancel()

    async def printed(
        self,
        container: str,
        stream: container_service_pb2.LogStream = container_service_pb2.LOG_STREAM_STDOUT,
        *,
        follow: bool = True,
        run: int = 0,
    ) -> bytes:
        """Return all that a run wrote to ``stream``; with ``follow``, once it has ended."""
        request = container_service_pb2.LogsRequest(
            container=container, streams=[stream], follow=follow, run=run
        )
        return b"".join([part.data async for part in self.logs(request)])

    async def until_printed(self, container: str, line: str) -> None:
        """Return once the container has written ``line``."""
        request = container_service_pb2.LogsRequest(
            container=container, follow=True, format=container_service_pb2.LOG_FORMAT_LINES
        )
        parts = self.logs(request)
        try:
            async for part in parts:
                if part.line == line:
                    return
        finally:
            await parts.aclose()
        raise AssertionError(f"{container} ended without printing {line!r}")

    async def until_not_serving(self) -> None:
        """Return once the health service says that it is about to end."""
        watch: grpc.aio.UnaryStreamMultiCallable[
            health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
        ] = self.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        call = watch(health_pb2.HealthCheckRequest(), timeout=CALL_WITHIN)
        try:
            async for answer in call:
                if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                    return
        finally:
            call.cancel()
        raise AssertionError("the health service ended without saying so")

    async def server(self) -> container_service_pb2.GetServerInfoResponse:
        request = container_service_pb2.GetServerInfoRequest()
        return await self.containers.GetServerInfo(
            request, timeout=CALL_WITHIN, wait_for_ready=True
        )


async def refused(call: Awaitable[Answer]) -> Refusal:
    """Return how ``call`` was refused. That it succeeds is a failure of the test."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return refusal(error)
    raise AssertionError(f"was not refused: {answer}")


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # has what is needed
    reason, domain, metadata, paths = "", "", dict[str, str](), list[str]()
    for detail in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason, domain, metadata = info.reason, info.domain, dict(info.metadata)
        if detail.Unpack(bad):
            paths = [violation.field for violation in bad.field_violations]
    message = error.details() or ""
    return Refusal(error.code(), reason, message, metadata, tuple(paths), domain)


def duration(seconds: float) -> Duration:
    value = Duration()
    value.FromNanoseconds(round(seconds * 1e9))
    return value
