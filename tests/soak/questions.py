"""The four questions, asked of everything once it is quiet.

Is each state legal and true? Is nothing left? Can each be started, or cleaned up? Was no exit
lost, and none invented?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from moorage.v1 import container_pb2, container_service_pb2
from tests.real.agreement import (
    SETTLE_WITHIN,
    assert_agreement,
    ledger_resources,
    settled_container,
)
from tests.real.deadlines import eventually
from tests.real.wire import CALL_WITHIN, refusal
from tests.soak.population import OBEYED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from moorage.v1.container_pb2 import Container, Exit
    from tests.real.moored import Moored
    from tests.real.site import Site
    from tests.real.wire import Wire
    from tests.soak.history import History

STARTABLE: Final = {
    container_pb2.CONTAINER_STATE_CREATED,
    container_pb2.CONTAINER_STATE_EXITED,
}
_KILLED: Final = (container_pb2.EXIT_ORIGIN_SIGNAL, 9)
_OF_THE_RUNTIME: Final = 2
"""With what runc's own init ends that is asked to by SIGTERM, before the program has begun."""
_UNKNOWABLE: Final = (container_pb2.EXIT_ORIGIN_RUNTIME, container_pb2.EXIT_ORIGIN_UNKNOWN)


@dataclass(frozen=True)
class Quiet:
    """A soak after its last deed, before anything is removed."""

    site: Site
    moored: Moored
    wire: Wire

    async def states_are_true(self) -> list[str]:
        """Wait until each container is at rest; then all who know of it have to agree."""
        wrong = []
        for listed in await self.wire.list():
            container = await settled_container(self.wire, listed.id)
            if container is None or container.status.state == container_pb2.CONTAINER_STATE_PAUSED:
                continue
            try:
                assert_agreement(container, self.moored, self.site.containerd)
            except AssertionError as error:
                if await self._has_changed(container):
                    continue
                wrong.append(f"nobody agrees on {container.id}: {error}")
        return wrong

    async def _has_changed(self, container: Container) -> bool:
        """Whether it ended, or was started again by its policy, while it was looked at."""
        try:
            return (await self.wire.inspect(container.id)).revision != container.revision
        except grpc.aio.AioRpcError:
            return True

    async def audit_finds_nothing(self) -> list[str]:
        request = container_service_pb2.AuditRequest()
        answer = await self.wire.containers.Audit(request, timeout=CALL_WITHIN)
        return [f"the audit found {finding}" for finding in answer.findings]

    async def each_can_be_started_and_removed(self) -> list[str]:
        wrong = []
        for container in await self.wire.list():
            try:
                if container.status.state in STARTABLE:
                    await self.wire.start(container.id)
                answer = await self.wire.cleanup(container.id)
            except grpc.aio.AioRpcError as error:
                if refusal(error).reason != "CONTAINER_NOT_FOUND":  # removes itself
                    wrong.append(f"{container.id} is not usable: {refusal(error)}")
            else:
                if not (answer.complete or await self._goes(container)):
                    wrong.append(f"{container.id} stays: {answer}")
        return wrong

    async def _goes(self, container: Container) -> bool:
        """Whether what a cleanup could not release is gone by itself.

        What containerd was asked to make, and never said that it did, is on record until it is
        sure not to come: a cleanup within that time tells so, and the sweep goes on.
        """

        async def gone() -> bool:
            return container.id not in {it.id for it in await self.wire.list()}

        try:
            await eventually(gone, f"{container.id} goes", within=SETTLE_WITHIN)
        except TimeoutError:
            return False
        return True

    async def nothing_is_left(self) -> list[str]:
        await self.wire.prune_volumes(all=True)
        held = sorted(ledger_resources(self.moored))
        return [f"the ledger still has {one}" for one in held]


def exits_are_true(
    history: History, ends: dict[str, int], struck: Collection[str]
) -> Iterator[str]:
    """Yield what is wrong with what moored told of how runs ended.

    ``ends``: what each run said of its end. ``struck``: the runs whose shim was killed.
    """
    for run in sorted(history.started | ends.keys() | history.exits.keys()):
        exits = history.exits.get(run, [])
        if len(exits) > 1:
            yield f"{run} ended more than once: {exits}"
        if not exits and run not in history.failed:
            yield f"the exit of {run} is lost; it said {ends.get(run)}"
        for exit in exits:
            if why := _lie(exit, ends.get(run), run in struck):
                yield f"{run}: {why}; told {exit}".replace("\n", " ")


def _lie(told: Exit, said: int | None, struck: bool) -> str:
    """Return why an exit cannot be true, or nothing."""
    if told.origin == container_pb2.EXIT_ORIGIN_PROCESS:
        unsaid = said is None and told.code == _OF_THE_RUNTIME
        return "" if told.code == said or unsaid else f"the process said {said}"
    if told.origin in _UNKNOWABLE:
        return "" if struck else f"its shim was not killed, and the process said {said}"
    if (told.origin, told.signal) == _KILLED:  # maybe after it had said how it would end
        return ""
    return "" if said != OBEYED and told.origin == container_pb2.EXIT_ORIGIN_START_FAILURE else "?"
