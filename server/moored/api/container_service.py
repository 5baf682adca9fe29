"""ContainerService: from a request to the verb that answers it, and back.

Nothing is decided here but what a request means. Reading answers bytes that were made with
the view that it found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked, pictures
from moored.errors import Violation
from moored.verbs.wait import Condition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.api.answering import Context
    from moored.api.attaching import AttachDesk
    from moored.api.callers import Callers
    from moored.api.changes import ChangesDesk
    from moored.api.inspecting import InspectDesk
    from moored.api.listing import ListingDesk
    from moored.api.logs import LogsDesk
    from moored.api.once import Mark
    from moored.api.server_info import ServerInfo
    from moored.api.starting import StartingDesk
    from moored.api.stats import StatsDesk
    from moored.api.watch import WatchDesk
    from moored.directory import Directory
    from moored.verbs.wait import Waiter

_CONDITIONS: Final[dict[int, Condition]] = {
    wire.WAIT_CONDITION_UNSPECIFIED: Condition.EXITED,
    wire.WAIT_CONDITION_RUNNING: Condition.RUNNING,
    wire.WAIT_CONDITION_EXITED: Condition.EXITED,
    wire.WAIT_CONDITION_REMOVED: Condition.REMOVED,
    wire.WAIT_CONDITION_NEXT_EXIT: Condition.NEXT_EXIT,
    wire.WAIT_CONDITION_HEALTHY: Condition.HEALTHY,
}
_LONGEST_WAIT: Final = timedelta(hours=1)
_ANSWER_TIME: Final = timedelta(milliseconds=100)
"""Kept of a caller's deadline, so that reached=false gets there before it passes."""


@dataclass(frozen=True, kw_only=True)
class ContainerServicer:
    directory: Directory
    inspecting: InspectDesk
    starting: StartingDesk
    changes: ChangesDesk
    listing: ListingDesk
    waiter: Waiter
    logs: LogsDesk
    stats: StatsDesk
    watch: WatchDesk
    attaching: AttachDesk
    server_info: ServerInfo
    callers: Callers

    async def Create(  # noqa: N802
        self, request: wire.CreateRequest, context: Context, mark: Mark | None = None
    ) -> Any:
        return await self.starting.create(request, mark, role=self.callers.who(context).role)

    async def Start(  # noqa: N802
        self, request: wire.StartRequest, context: Context, mark: Mark | None = None
    ) -> Any:
        return await self.starting.start(request, mark, role=self.callers.who(context).role)

    async def Inspect(self, request: wire.InspectRequest, context: Context) -> Any:  # noqa: N802
        return await self.inspecting.inspect(request)

    async def List(self, request: wire.ListRequest, context: Context) -> Any:  # noqa: N802
        return self.listing.page(request)

    async def Stop(self, request: wire.StopRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.stop(request)

    async def Restart(self, request: wire.RestartRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.restart(request)

    async def Kill(self, request: wire.KillRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.kill(request)

    async def Pause(self, request: wire.PauseRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.pause(request)

    async def Resume(self, request: wire.ResumeRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.resume(request)

    async def Rename(self, request: wire.RenameRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.rename(request)

    async def Update(self, request: wire.UpdateRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.update(request)

    async def Cleanup(self, request: wire.CleanupRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.cleanup(request)

    async def Prune(self, request: wire.PruneRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.prune(request)

    async def Audit(self, request: wire.AuditRequest, context: Context) -> Any:  # noqa: N802
        return await self.changes.audit(request)

    async def Wait(self, request: wire.WaitRequest, context: Context) -> Any:  # noqa: N802
        if request.condition not in _CONDITIONS:
            raise errors.NotServed(
                "cannot wait: no such condition",
                Violation("condition", f"{request.condition} is not known here"),
            )
        timeout = _LONGEST_WAIT
        if request.HasField("timeout"):
            timeout = asked.duration(request.timeout, "timeout")
        elif (left := context.time_remaining()) is not None:
            timeout = min(timeout, max(timedelta(seconds=left) - _ANSWER_TIME, timedelta()))
        outcome = await self.waiter.wait(
            asked.required(request, "container"), _CONDITIONS[request.condition], timeout
        )
        view = outcome.view
        return wire.WaitResponse(
            reached=outcome.reached,
            container=pictures.container(view.snapshot, view.stage, view.readings),
        )

    def Watch(  # noqa: N802
        self, request: wire.WatchRequest, context: Context
    ) -> AsyncIterator[Any]:
        return self.watch.watch(request)

    def Logs(  # noqa: N802
        self, request: wire.LogsRequest, context: Context
    ) -> AsyncIterator[Any]:
        return self.logs.read(request)

    def Attach(  # noqa: N802
        self, requests: AsyncIterator[wire.AttachRequest], context: Context
    ) -> AsyncIterator[Any]:
        return self.attaching.attach(requests)

    def Stats(  # noqa: N802
        self, request: wire.StatsRequest, context: Context
    ) -> AsyncIterator[Any]:
        return self.stats.stats(request)

    async def GetServerInfo(  # noqa: N802
        self, request: wire.GetServerInfoRequest, context: Context
    ) -> Any:
        return self.server_info.answer()
