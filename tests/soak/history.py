"""What moored told of every run, heard by one who listens from the first event to the last.

Cut off, it goes on after the last revision that it heard: nothing may be missing in between.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from moorage.v1 import container_service_pb2, event_pb2

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import Exit
    from moorage.v1.event_pb2 import Event
    from tests.real.wire import Wire

_LISTENS_FOR: Final = 3600.0


@dataclass
class History:
    wire: Wire
    revision: int = 0
    started: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    """Runs that did not come to run, by what moored says."""
    exits: dict[str, list[Exit]] = field(default_factory=lambda: defaultdict(list))
    _names: set[str] = field(default_factory=set)

    async def listen(self, until_removed: str) -> None:
        """Listen until a container of this name is removed."""
        while until_removed not in self._names:
            request = container_service_pb2.WatchRequest(since_revision=self.revision)
            call = self.wire.containers.Watch(request, timeout=_LISTENS_FOR, wait_for_ready=True)
            try:
                async for answer in call:
                    if answer.WhichOneof("item") == "event":
                        self._hear(answer.event)
                    if until_removed in self._names:
                        return
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
            finally:
                call.cancel()

    def _hear(self, event: Event) -> None:
        assert event.revision > self.revision, f"{event} was told after {self.revision}"
        self.revision = event.revision
        run = f"{event.container}.{event.run}"
        match event.kind:
            case event_pb2.EVENT_KIND_STARTED:
                self.started.add(run)
            case event_pb2.EVENT_KIND_START_FAILED:
                self.failed.add(run)
            case event_pb2.EVENT_KIND_EXITED:
                self.exits[run].append(event.exit)
            case event_pb2.EVENT_KIND_REMOVED:
                self._names.add(event.name)
