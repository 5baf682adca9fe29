"""The calls about volumes. Part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from moorage.changes import ANSWER_WITHIN, CHANGE_WITHIN
from moorage.v1 import volume_service_pb2 as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from moorage.connection import CallOptions, Connection
    from moorage.v1.volume_service_pb2_grpc import VolumeServiceAsyncStub


class VolumeCalls:
    _connection: Connection
    volumes: VolumeServiceAsyncStub

    async def create_volume(
        self,
        name: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.VolumeServiceCreateResponse:
        """Make an empty volume. Without a name it gets one, and is anonymous."""
        request = wire.VolumeServiceCreateRequest(name=name, labels=labels, request_id=request_id)
        to = f"create volume {name!r}"
        return await self._connection.ask(self.volumes.Create, request, to, options, ANSWER_WITHIN)

    async def inspect_volume(
        self, volume: str, **options: Unpack[CallOptions]
    ) -> wire.VolumeServiceInspectResponse:
        """Tell what is known of a volume."""
        request = wire.VolumeServiceInspectRequest(volume=volume)
        to = f"inspect volume {volume!r}"
        return await self._connection.ask(self.volumes.Inspect, request, to, options, ANSWER_WITHIN)

    async def list_volumes(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        filter: wire.VolumeFilter | None = None,  # noqa: A002  # the wire's name
        **options: Unpack[CallOptions],
    ) -> wire.VolumeServiceListResponse:
        """Tell what is known of one page of volumes. ``list_all_volumes`` turns the pages."""
        request = wire.VolumeServiceListRequest(
            page_size=page_size, page_token=page_token, filter=filter
        )
        return await self._connection.ask(
            self.volumes.List, request, "list volumes", options, ANSWER_WITHIN
        )

    async def list_all_volumes(
        self,
        *,
        page_size: int = 1000,
        filter: wire.VolumeFilter | None = None,  # noqa: A002  # the wire's name
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[wire.Volume]:
        """Yield every volume that fits, by name. ``timeout`` is for each page."""
        token = ""
        while True:
            page = await self.list_volumes(
                page_size=page_size, page_token=token, filter=filter, **options
            )
            for volume in page.volumes:
                yield volume
            if not (token := page.next_page_token):
                return

    async def remove_volume(
        self, volume: str, *, request_id: str = "", **options: Unpack[CallOptions]
    ) -> wire.VolumeServiceRemoveResponse:
        """Delete a volume that no container uses, with all that is in it."""
        request = wire.VolumeServiceRemoveRequest(volume=volume, request_id=request_id)
        to = f"remove volume {volume!r}"
        return await self._connection.ask(self.volumes.Remove, request, to, options, CHANGE_WITHIN)

    async def prune_volumes(
        self,
        *,
        all: bool = False,  # noqa: A002  # the wire's name
        filter: wire.VolumeFilter | None = None,  # noqa: A002
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.VolumeServicePruneResponse:
        """Delete the volumes that no container uses: anonymous ones, or ``all``."""
        request = wire.VolumeServicePruneRequest(all=all, filter=filter, request_id=request_id)
        return await self._connection.ask(
            self.volumes.Prune, request, "prune volumes", options, CHANGE_WITHIN
        )
