"""The calls that change a container which exists. Part of ``Client``.

``etag`` is a container's ``generation`` as the caller knows it, in digits: the call is refused
with ``EtagMismatch`` if the spec has changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from moorage.v1 import container_service_pb2 as wire

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from moorage.connection import CallOptions, Connection
    from moorage.v1.container_pb2 import ContainerSpec
    from moorage.v1.container_service_pb2_grpc import ContainerServiceAsyncStub

ANSWER_WITHIN: Final = 30.0
"""Seconds for a call that reads, or only records something."""
CHANGE_WITHIN: Final = 300.0
"""Seconds for a start or a cleanup, each step of which moored limits by itself."""
SLACK: Final = 60.0
"""Seconds for a call to answer, beside the time that it was told to take."""


class Changes:
    _connection: Connection
    containers: ContainerServiceAsyncStub

    async def stop(
        self,
        container: str,
        *,
        signal: str = "",
        grace: timedelta | None = None,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.StopResponse:
        """Stop a container. ``grace`` is the request's own timeout: after it comes SIGKILL.

        Without ``grace`` the container's spec says how long, and the call has no deadline.
        """
        request = wire.StopRequest(
            container=container, signal=signal, timeout=grace, request_id=request_id, etag=etag
        )
        within = None if grace is None else grace.total_seconds() + SLACK
        to = f"stop container {container!r}"
        return await self._connection.ask(self.containers.Stop, request, to, options, within)

    async def restart(
        self,
        container: str,
        *,
        signal: str = "",
        grace: timedelta | None = None,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.RestartResponse:
        """Stop a container as ``stop`` does, and start it again. One at rest is only started."""
        request = wire.RestartRequest(
            container=container, signal=signal, timeout=grace, request_id=request_id, etag=etag
        )
        within = None if grace is None else grace.total_seconds() + CHANGE_WITHIN
        to = f"restart container {container!r}"
        return await self._connection.ask(self.containers.Restart, request, to, options, within)

    async def kill(
        self,
        container: str,
        *,
        signal: str = "",
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.KillResponse:
        """Send a signal, by name or number, to the first process: SIGKILL unless told."""
        request = wire.KillRequest(
            container=container, signal=signal, request_id=request_id, etag=etag
        )
        to = f"kill container {container!r}"
        return await self._connection.ask(self.containers.Kill, request, to, options, ANSWER_WITHIN)

    async def pause(
        self,
        container: str,
        *,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.PauseResponse:
        """Freeze every process of a container."""
        request = wire.PauseRequest(container=container, request_id=request_id, etag=etag)
        to = f"pause container {container!r}"
        return await self._connection.ask(
            self.containers.Pause, request, to, options, ANSWER_WITHIN
        )

    async def resume(
        self,
        container: str,
        *,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.ResumeResponse:
        """Thaw a paused container."""
        request = wire.ResumeRequest(container=container, request_id=request_id, etag=etag)
        to = f"resume container {container!r}"
        return await self._connection.ask(
            self.containers.Resume, request, to, options, ANSWER_WITHIN
        )

    async def rename(
        self,
        container: str,
        new_name: str,
        *,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.RenameResponse:
        """Give a container another name."""
        request = wire.RenameRequest(
            container=container, new_name=new_name, request_id=request_id, etag=etag
        )
        to = f"rename container {container!r}"
        return await self._connection.ask(
            self.containers.Rename, request, to, options, ANSWER_WITHIN
        )

    async def update(
        self,
        container: str,
        spec: ContainerSpec,
        fields: Iterable[str],
        *,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.UpdateResponse:
        """Give ``fields`` of a container's spec the values that they have in ``spec``."""
        request = wire.UpdateRequest(
            container=container, spec=spec, request_id=request_id, etag=etag
        )
        request.update_mask.paths.extend(fields)
        to = f"update container {container!r}"
        return await self._connection.ask(
            self.containers.Update, request, to, options, ANSWER_WITHIN
        )

    async def cleanup(
        self,
        container: str,
        *,
        force: bool = False,
        remove: bool = False,
        remove_volumes: bool = False,
        request_id: str = "",
        etag: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.CleanupResponse:
        """Release what a container holds; with ``remove``, all of it and its name."""
        request = wire.CleanupRequest(
            container=container,
            force=force,
            remove=remove,
            remove_volumes=remove_volumes,
            request_id=request_id,
            etag=etag,
        )
        to = f"clean up container {container!r}"
        return await self._connection.ask(
            self.containers.Cleanup, request, to, options, CHANGE_WITHIN
        )

    async def audit(
        self,
        *,
        fix: bool = False,
        kill: bool = False,
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.AuditResponse:
        """Look for what bears the server's mark and is on nobody's record; ``fix`` lets it go."""
        request = wire.AuditRequest(fix=fix, kill=kill, request_id=request_id)
        return await self._connection.ask(
            self.containers.Audit, request, "audit", options, CHANGE_WITHIN
        )

    async def prune(
        self,
        *,
        filter: wire.ContainerFilter | None = None,  # noqa: A002  # the wire's name
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.PruneResponse:
        """Remove every container that fits, and has no process and none to come."""
        request = wire.PruneRequest(filter=filter, request_id=request_id)
        return await self._connection.ask(
            self.containers.Prune, request, "prune containers", options, CHANGE_WITHIN
        )
