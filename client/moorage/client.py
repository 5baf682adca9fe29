"""The client of one moored, for asyncio.

Each method is one call, named as on the wire: it takes the request's fields as keywords, and
answers with the generated response. What gRPC offers is not hidden: every method takes
``timeout``, ``metadata`` and ``wait_for_ready``; ``channel``, ``containers``, ``images`` and
``volumes`` are the channel and the generated stubs. Errors are those of ``moorage.errors``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self, Unpack

from moorage import waiting, watching
from moorage.addresses import DEFAULT_ADDRESS
from moorage.archives import import_requests
from moorage.changes import ANSWER_WITHIN, CHANGE_WITHIN, SLACK, Changes
from moorage.connection import CallOptions, Connection
from moorage.execs import Execs
from moorage.tls import TLS, Tls
from moorage.v1 import container_service_pb2 as wire
from moorage.v1 import image_service_pb2 as image_wire
from moorage.v1.container_service_pb2_grpc import ContainerServiceStub
from moorage.v1.exec_service_pb2_grpc import ExecServiceStub
from moorage.v1.image_service_pb2_grpc import ImageServiceStub
from moorage.v1.volume_service_pb2_grpc import VolumeServiceStub
from moorage.volumes import VolumeCalls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
    from datetime import datetime

    import grpc
    import grpc.aio

    from moorage.v1.container_pb2 import Container, ContainerSpec


class Client(Changes, Execs, VolumeCalls):
    """``async with Client() as client``: one connection, made when the first call needs it."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        tls: Tls | None = None,
        options: Sequence[tuple[str, int | str]] = (),
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> None:
        """Take ``unix:///PATH``, ``tls://HOST:PORT`` or anything else that gRPC resolves.

        With ``tls://`` the files are those of ``tls``, or else of ``MOORAGE_TLS_*``.

        ``timeout`` is for calls that bring none, in place of each method's own. The client
        belongs to the event loop that runs now.
        """
        if address.startswith(TLS) and credentials is None:
            tls = tls or Tls.of_environment(os.environ)
            credentials, options = tls.credentials(), [*tls.options, *options]
        self._connection = Connection(
            address,
            timeout=timeout,
            credentials=credentials,
            options=options,
            interceptors=interceptors,
        )
        self.address: Final = address
        self.channel: Final = self._connection.channel
        self.containers = ContainerServiceStub(self.channel)
        self.execs = ExecServiceStub(self.channel)
        self.images: Final = ImageServiceStub(self.channel)
        self.volumes = VolumeServiceStub(self.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection, and with it every call that is still under way."""
        await self.channel.close()

    async def create(
        self,
        spec: ContainerSpec,
        *,
        request_id: str = "",
        validate_only: bool = False,
        **options: Unpack[CallOptions],
    ) -> wire.CreateResponse:
        """Record a container, and acquire nothing for it yet."""
        request = wire.CreateRequest(spec=spec, request_id=request_id, validate_only=validate_only)
        to = f"create a container of image {spec.image!r}"
        return await self._connection.ask(
            self.containers.Create, request, to, options, ANSWER_WITHIN
        )

    async def start(
        self,
        container: str | None = None,
        *,
        spec: ContainerSpec | None = None,
        request_id: str = "",
        validate_only: bool = False,
        checkpoint: str = "",
        checkpoint_directory: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.StartResponse:
        """Start a container, or create one from ``spec`` and start it in the same call."""
        if (container is None) == (spec is None):
            raise ValueError("cannot start: give either a container or a spec")
        request = wire.StartRequest(
            container=container,
            spec=spec,
            request_id=request_id,
            validate_only=validate_only,
            checkpoint=checkpoint,
            checkpoint_directory=checkpoint_directory,
            etag=etag,
        )
        if spec is None:
            to = f"start container {container!r}"
        else:
            to = f"start a container of image {spec.image!r}"
        return await self._connection.ask(
            self.containers.Start, request, to, options, CHANGE_WITHIN
        )

    async def inspect(
        self,
        container: str,
        *,
        network_statistics: bool = False,
        network_check: bool = False,
        size: bool = False,
        **options: Unpack[CallOptions],
    ) -> wire.InspectResponse:
        """Tell what is known of a container. Waits only for a ``network_check``, and for ``size``.

        ``network_statistics``: also what went through each of its interfaces. ``size``: also what
        its writable layer takes, which containerd counts.
        """
        request = wire.InspectRequest(
            container=container,
            network_statistics=network_statistics,
            network_check=network_check,
            size=size,
        )
        to = f"inspect container {container!r}"
        within = CHANGE_WITHIN if network_check or size else ANSWER_WITHIN
        return await self._connection.ask(self.containers.Inspect, request, to, options, within)

    async def list(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        filter: wire.ContainerFilter | None = None,  # noqa: A002  # the wire's name
        **options: Unpack[CallOptions],
    ) -> wire.ListResponse:
        """Tell what is known of one page of containers. ``list_all`` turns the pages."""
        request = wire.ListRequest(page_size=page_size, page_token=page_token, filter=filter)
        return await self._connection.ask(
            self.containers.List, request, "list containers", options, ANSWER_WITHIN
        )

    async def list_all(
        self,
        *,
        page_size: int = 1000,
        filter: wire.ContainerFilter | None = None,  # noqa: A002  # the wire's name
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Container]:
        """Yield every container that fits, oldest first. ``timeout`` is for each page."""
        token = ""
        while True:
            page = await self.list(page_size=page_size, page_token=token, filter=filter, **options)
            for container in page.containers:
                yield container
            if not (token := page.next_page_token):
                return

    async def wait(
        self,
        container: str,
        *,
        condition: wire.WaitCondition = wire.WAIT_CONDITION_EXITED,
        limit: timedelta | None = None,
        **options: Unpack[CallOptions],
    ) -> wire.WaitResponse:
        """Wait in one call. ``limit`` is the request's own timeout, after which it answers.

        Without ``limit`` it answers shortly before the call's deadline, and after an hour at
        the latest. ``wait_until`` waits for longer, and through proxies.
        """
        request = wire.WaitRequest(container=container, condition=condition, timeout=limit)
        within = None if limit is None else limit.total_seconds() + SLACK
        to = f"wait for container {container!r}"
        return await self._connection.ask(self.containers.Wait, request, to, options, within)

    async def wait_until(
        self,
        container: str,
        condition: wire.WaitCondition,
        *,
        limit: timedelta | None = None,
        patience: timedelta = timedelta(),
    ) -> wire.WaitResponse:
        """Wait as long as it takes, by as many calls as it takes.

        Answers ``reached=false`` once ``limit`` is over. For as long as ``patience`` it goes on
        when moored cannot be reached: containers outlive a restart of moored.
        """
        return await waiting.wait_until(self, container, condition, limit, patience)

    async def wait_exited(self, container: str, *, patience: timedelta = timedelta()) -> Container:
        """Wait as long as it takes until the container has exited, and return it."""
        reached = await self.wait_until(container, wire.WAIT_CONDITION_EXITED, patience=patience)
        return reached.container

    def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        streams: Sequence[wire.LogStream] = (),
        since: datetime | None = None,
        tail: int | None = None,
        format: wire.LogFormat = wire.LOG_FORMAT_BYTES,  # noqa: A002  # the wire's name
        run: int = 0,
        until: datetime | None = None,
        all_runs: bool = False,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[wire.LogsResponse, None]:
        """Yield what a run wrote, or all of them, with the server's heartbeats in between.

        The call begins with the first iteration and ends with the iterator.
        """
        request = wire.LogsRequest(
            container=container,
            follow=follow,
            streams=streams,
            since=since,
            tail=tail,
            format=format,
            run=run,
            until=until,
            all_runs=all_runs,
        )
        to = f"read output of container {container!r}"
        return self._connection.follow(self.containers.Logs, request, to, options)

    def stats(
        self,
        *containers: str,
        interval: timedelta | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[wire.StatsResponse, None]:
        """Yield what containers use, each ``interval``; without one, once.

        Without names: all that have a process, also those that get one later.
        """
        request = wire.StatsRequest(containers=containers, interval=interval)
        return self._connection.follow(self.containers.Stats, request, "read stats", options)

    def watch(
        self,
        *,
        since: int | None = None,
        snapshot: bool = False,
        filter: wire.ContainerFilter | None = None,  # noqa: A002  # the wire's name
        patience: timedelta = timedelta(),
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[wire.WatchResponse, None]:
        """Yield what happens to containers, with the server's heartbeats in between.

        ``since`` is a revision. For as long as ``patience`` it goes on from where it stood when
        moored cannot be reached, or cut it off for being too slow: nothing is left out or comes
        twice, but a snapshot that broke off begins anew.
        """
        request = wire.WatchRequest(since_revision=since, snapshot=snapshot, filter=filter)

        def begin(asked: wire.WatchRequest) -> AsyncGenerator[wire.WatchResponse, None]:
            return self._connection.follow(
                self.containers.Watch, asked, "watch containers", options
            )

        return watching.watch_on(begin, request, patience)

    async def server_info(self, **options: Unpack[CallOptions]) -> wire.GetServerInfoResponse:
        """Tell what this moored is and serves."""
        return await self._connection.ask(
            self.containers.GetServerInfo,
            wire.GetServerInfoRequest(),
            "ask for the server's version",
            options,
            ANSWER_WITHIN,
        )

    async def import_image(
        self,
        archive: AsyncIterable[bytes] | Iterable[bytes],
        *,
        name: str = "",
        **options: Unpack[CallOptions],
    ) -> image_wire.ImportResponse:
        """Import the images of an archive: a file opened in binary mode, or pieces of one."""
        requests = import_requests(archive, name)
        return await self._connection.send(self.images.Import, requests, "import an image", options)

    async def list_images(
        self, **options: Unpack[CallOptions]
    ) -> image_wire.ImageServiceListResponse:
        """Tell the images that containers can be started from."""
        request = image_wire.ImageServiceListRequest()
        return await self._connection.ask(
            self.images.List, request, "list images", options, ANSWER_WITHIN
        )

    async def remove_image(
        self, image: str, **options: Unpack[CallOptions]
    ) -> image_wire.RemoveResponse:
        """Forget an image's name."""
        request = image_wire.RemoveRequest(image=image)
        to = f"remove image {image!r}"
        return await self._connection.ask(self.images.Remove, request, to, options, ANSWER_WITHIN)
