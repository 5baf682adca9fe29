"""ContainerService: from a request to the verb that answers it, and back.

Nothing is decided here but what a request means. Reading answers bytes that were made with
the view that it found.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked, pictures
from moored.errors import Violation
from moored.model.identity import ContainerId, is_id
from moored.oci import signals
from moored.registry import age
from moored.verbs.release import Outcome, Released
from moored.verbs.wait import Condition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.api.logs import LogsDesk
    from moored.api.pictures import Pictures
    from moored.api.server_info import ServerInfo
    from moored.api.serving import Context
    from moored.model.state import Snapshot
    from moored.registry import Age, Registry
    from moored.verbs.cleanup import Cleaner
    from moored.verbs.create import Creator
    from moored.verbs.start import Starter, StartOutcome
    from moored.verbs.stop import Stopper
    from moored.verbs.wait import Waiter

_CONDITIONS: Final[dict[int, Condition]] = {
    wire.WAIT_CONDITION_UNSPECIFIED: Condition.EXITED,
    wire.WAIT_CONDITION_RUNNING: Condition.RUNNING,
    wire.WAIT_CONDITION_EXITED: Condition.EXITED,
    wire.WAIT_CONDITION_REMOVED: Condition.REMOVED,
}
_OUTCOMES: Final = {
    Outcome.RELEASED: wire.RELEASE_OUTCOME_RELEASED,
    Outcome.ALREADY_GONE: wire.RELEASE_OUTCOME_ALREADY_GONE,
    Outcome.FAILED: wire.RELEASE_OUTCOME_FAILED,
}
_LONGEST_WAIT: Final = timedelta(hours=1)
_ANSWER_TIME: Final = timedelta(milliseconds=100)
"""Kept of a caller's deadline, so that reached=false gets there before it passes."""
_USUAL_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_LARGEST_ANSWER: Final = 2 * 2**20
"""Bytes after which a page ends early: clients take 4 MiB unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class ContainerServicer:
    registry: Registry
    pictures: Pictures
    creator: Creator
    starter: Starter
    stopper: Stopper
    waiter: Waiter
    cleaner: Cleaner
    logs: LogsDesk
    server_info: ServerInfo

    async def Create(self, request: wire.CreateRequest, context: Context) -> Any:  # noqa: N802
        asked.refuse_unserved(request, "request_id", "validate_only")
        if not request.HasField("spec"):
            raise asked.refused("spec", "is required")
        snapshot = await self.creator.create(asked.spec(request.spec))
        return wire.CreateResponse(container=pictures.container(snapshot))

    async def Start(self, request: wire.StartRequest, context: Context) -> Any:  # noqa: N802
        asked.refuse_unserved(request, "request_id", "validate_only")
        _refuse_checkpoint(request)
        outcome = await self._start(request)
        return wire.StartResponse(
            container=pictures.container(outcome.snapshot),
            already_running=outcome.already_running,
        )

    async def _start(self, request: wire.StartRequest) -> StartOutcome:
        match request.WhichOneof("target"):
            case "spec":
                return await self.starter.create_and_start(asked.spec(request.spec))
            case "container":
                return await self.starter.start(asked.required(request, "container"))
            case _:
                raise asked.refused("target", "is required: a container, or a spec")

    async def Inspect(self, request: wire.InspectRequest, context: Context) -> Any:  # noqa: N802
        return self.pictures.field(self.registry.peek(asked.required(request, "container")))

    async def List(self, request: wire.ListRequest, context: Context) -> Any:  # noqa: N802
        size = request.page_size or _USUAL_PAGE
        if not 1 <= size <= _LARGEST_PAGE:
            raise asked.refused("page_size", f"must be between 1 and {_LARGEST_PAGE}")
        views = self.registry.page(_age(request.page_token), size + 1)
        fields: list[bytes] = []
        left = _LARGEST_ANSWER
        for view in views[:size]:
            fields.append(self.pictures.field(view))
            left -= len(fields[-1])
            if left < 0:
                break
        rest = wire.ListResponse()
        if len(views) > len(fields):
            rest.next_page_token = _token(views[len(fields) - 1].snapshot)
        # Joined messages are merged when read: the containers first, then the token.
        return b"".join((*fields, rest.SerializeToString()))

    async def Stop(self, request: wire.StopRequest, context: Context) -> Any:  # noqa: N802
        asked.refuse_unserved(request, "request_id")
        signal = signals.parse(request.signal) if request.signal else None
        if request.signal and signal is None:
            raise asked.refused("signal", "names no signal")
        timeout = None
        if request.HasField("timeout"):
            timeout = asked.duration(request.timeout, "timeout")
        outcome = await self.stopper.stop(
            asked.required(request, "container"), signal=signal, timeout=timeout
        )
        return wire.StopResponse(
            container=pictures.container(outcome.snapshot),
            already_stopped=outcome.already_stopped,
        )

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
            reached=outcome.reached, container=pictures.container(view.snapshot, view.stage)
        )

    async def Cleanup(self, request: wire.CleanupRequest, context: Context) -> Any:  # noqa: N802
        asked.refuse_unserved(request, "request_id")
        outcome = await self.cleaner.cleanup(
            asked.required(request, "container"), force=request.force, and_remove=request.remove
        )
        return wire.CleanupResponse(
            resources=[_released(row) for row in outcome.rows],
            complete=outcome.complete,
            container=pictures.container(outcome.snapshot),
        )

    def Logs(  # noqa: N802
        self, request: wire.LogsRequest, context: Context
    ) -> AsyncIterator[Any]:
        return self.logs.read(request)

    async def GetServerInfo(  # noqa: N802
        self, request: wire.GetServerInfoRequest, context: Context
    ) -> Any:
        return self.server_info.answer()


def _refuse_checkpoint(request: wire.StartRequest) -> None:
    if request.checkpoint_directory:
        raise errors.CheckpointDirectoryForbidden(
            "cannot start from a checkpoint: its directory is never the caller's to choose"
        )
    if request.checkpoint:
        raise errors.CheckpointNotEnabled(
            "cannot start from a checkpoint: checkpoints are not enabled",
            Violation("checkpoint", "is not enabled on this server"),
        )


def _released(row: Released) -> wire.ReleasedResource:
    return wire.ReleasedResource(
        kind=row.resource.kind,
        key=row.resource.key,
        outcome=_OUTCOMES[row.outcome],
        reason=row.reason,
        duration=pictures.duration(row.duration),
    )


def _token(snapshot: Snapshot) -> str:
    created, container = age(snapshot)
    return base64.urlsafe_b64encode(f"{created.isoformat()} {container}".encode()).decode()


def _age(token: str) -> Age | None:
    if not token:
        return None
    try:
        created, _, container = base64.urlsafe_b64decode(token).decode().partition(" ")
        moment = datetime.fromisoformat(created)
    except (ValueError, binascii.Error, UnicodeError) as error:
        raise _no_token() from error
    if not is_id(container) or moment.tzinfo is None:
        raise _no_token()
    return moment, ContainerId(container)


def _no_token() -> errors.InvalidPageToken:
    return errors.InvalidPageToken(
        "cannot list containers: page_token is none of this server's",
        Violation("page_token", "was not given out by List"),
    )
