"""Letting go of resources: the one place that knows how each kind is released.

A start's undo, a cleanup, the end of a run, recovery and the sweep all come here. Each
release finds its resource gone without complaint, and says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from signal import SIGKILL
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from moored import errors
from moored.failpoints import NONE, Failpoints
from moored.model.events import Event, ResourcesReleased
from moored.model.identity import RunId
from moored.model.mount_events import unmounted
from moored.model.resources import RELEASE_ORDER, Hold, Kind, Leftover, Resource, blocked
from moored.uninterrupted import in_thread
from moored.verbs.tracing import span_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from opentelemetry.trace import Tracer

    from moored.containerd.values import ProcessExit
    from moored.model.state import Snapshot
    from moored.saga import Clock
    from moored.telemetry.measures import Measures


class Outcome(StrEnum):
    RELEASED = "released"
    ALREADY_GONE = "already gone"
    FAILED = "failed"


@dataclass(frozen=True)
class Released:
    """What became of one resource."""

    resource: Resource
    outcome: Outcome
    duration: timedelta
    reason: str = ""


class Tasks(Protocol):
    async def kill(self, run: RunId, signal: int) -> bool: ...
    async def wait(self, run: RunId) -> ProcessExit | None: ...
    async def delete(self, run: RunId) -> ProcessExit | None: ...


class Holders(Protocol):
    """Where resources are kept. Each removal says whether there was anything to remove."""

    @property
    def tasks(self) -> Tasks: ...
    async def remove_container(self, run: str) -> bool: ...
    async def remove_layer(self, key: str) -> bool: ...
    async def remove_bundle(self, run: str, *, task_deleted: bool) -> bool: ...
    def remove_cgroup(self, path: str) -> bool: ...
    def remove_shared_memory(self, run: str) -> bool: ...
    def remove_secrets(self, run: str) -> bool: ...
    def remove_idmaps(self, run: str) -> bool: ...
    def remove_files(self, run: str) -> bool: ...
    def remove_output(self, key: str) -> bool: ...
    async def end_streams(self, run: str) -> bool: ...
    async def let_go_volume(self, resource: Resource, *, with_data: bool) -> bool: ...
    async def let_go_source(self, resource: Resource) -> bool: ...


class Releaser:
    def __init__(
        self,
        holders: Holders,
        *,
        more: Mapping[Kind, Callable[[str], Awaitable[bool]]],
        clock: Clock,
        limit: float,
        measures: Measures,
        tracer: Tracer,
        failpoints: Failpoints = NONE,
    ) -> None:
        """``more``: how kinds are released that the holders do not know."""
        self._holders = holders
        self._clock = clock
        self._limit = limit
        self._measures = measures
        self._tracer = tracer
        self._failpoints = failpoints
        self._deleted: set[str] = set()
        """Runs whose task was deleted in good order, until their bundle is looked for."""
        self._ways: Mapping[Kind, Callable[[str], Awaitable[bool]]] = {
            Kind.STREAMS: holders.end_streams,
            Kind.TASK: self._task,
            Kind.BUNDLE: self._bundle,
            Kind.CGROUP: partial(_threaded, holders.remove_cgroup),
            Kind.SHM: partial(_threaded, holders.remove_shared_memory),
            Kind.SECRETS: partial(_threaded, holders.remove_secrets),
            Kind.IDMAPS: partial(_threaded, holders.remove_idmaps),
            Kind.FILES: partial(_threaded, holders.remove_files),
            Kind.LAYER: holders.remove_layer,
            Kind.IDS: _let_go,
            Kind.CONTAINER: holders.remove_container,
            Kind.OUTPUT: partial(_threaded, holders.remove_output),
            **more,
        }

    async def release(self, resource: Resource) -> bool:
        """Release one resource, and return whether there was anything to release."""
        return await self._release(resource, volumes=False)

    async def _release(self, resource: Resource, *, volumes: bool) -> bool:
        if not self._failpoints:
            return await self._let_go(resource, volumes=volumes)
        await self._failpoints.reach(f"release.{resource.kind}.before")
        found = await self._let_go(resource, volumes=volumes)
        await self._failpoints.reach(f"release.{resource.kind}.after")
        return found

    async def _let_go(self, resource: Resource, *, volumes: bool) -> bool:
        match resource.kind:
            case Kind.VOLUME:
                return await self._holders.let_go_volume(resource, with_data=volumes)
            case Kind.SOURCE:
                return await self._holders.let_go_source(resource)
            case kind:
                return await self._ways[kind](resource.key)

    async def release_all(
        self, resources: Iterable[Resource], *, volumes: bool = False
    ) -> list[Released]:
        """Release each, in order, whatever becomes of the others; none is left out.

        ``volumes``: a container's own go with their data.
        """
        rows: list[Released] = []
        left: list[Resource] = []
        for resource in sorted(resources, key=_order):
            row = await self._attempt(resource, blocked(resource, left), volumes=volumes)
            if row.outcome is Outcome.FAILED:
                left.append(resource)
            rows.append(row)
        return rows

    async def _attempt(self, resource: Resource, why_not: str, *, volumes: bool) -> Released:
        began = self._clock.seconds()
        outcome = Outcome.FAILED
        if not why_not:
            try:
                with span_of(self._tracer, f"release.{resource.kind}"):
                    async with asyncio.timeout(self._limit):
                        found = await self._release(resource, volumes=volumes)
                outcome = Outcome.RELEASED if found else Outcome.ALREADY_GONE
            except TimeoutError:
                why_not = f"did not end in {self._limit:g} s"
            except Exception as error:  # noqa: BLE001  # each gets its turn, and its row
                why_not = str(error) or type(error).__name__
        took = timedelta(seconds=self._clock.seconds() - began)
        self._measures.release(resource.kind, outcome, took.total_seconds())
        return Released(resource, outcome, took, why_not)

    def event(self, rows: Sequence[Released]) -> ResourcesReleased:
        """Return what the container is told of ``rows``."""
        now = self._clock.now()
        return ResourcesReleased(
            released=tuple(r.resource for r in rows if r.outcome is not Outcome.FAILED),
            leftovers=tuple(
                Leftover(r.resource, r.reason, now) for r in rows if r.outcome is Outcome.FAILED
            ),
        )

    def events(self, snapshot: Snapshot, rows: Sequence[Released]) -> tuple[Event, ...]:
        """Return the same, after what that ended: the volumes of a run go with its task."""
        ended = any(
            row.resource.kind is Kind.TASK
            and row.resource.hold is Hold.HELD
            and row.outcome is not Outcome.FAILED
            for row in rows
        )
        return (*(unmounted(snapshot) if ended else ()), self.event(rows))

    async def _task(self, key: str) -> bool:
        """Delete a task, alive or not.

        Killed first: containerd takes seconds to delete one that was made and never started.
        Deleted always, whatever Get says: containerd that was killed in mid-create knows nothing
        of the task, and still cleans its shim and bundle when told to delete it.
        """
        run, tasks = RunId(key), self._holders.tasks
        try:
            if await tasks.kill(run, SIGKILL):
                await tasks.wait(run)
        except errors.RuntimeUnreachable:
            raise
        except errors.RuntimeRefused as error:  # its shim is dead, or dies: Delete cleans up
            logger.debug("cannot kill task {} before its deletion: {}", run, error)
        if await tasks.delete(run) is None:
            return False
        self._deleted.add(key)
        return True

    async def _bundle(self, key: str) -> bool:
        deleted = key in self._deleted
        self._deleted.discard(key)
        return await self._holders.remove_bundle(key, task_deleted=deleted)


def _order(resource: Resource) -> tuple[int, int]:
    return resource.run, RELEASE_ORDER.index(resource.kind)


async def _threaded(deed: Callable[[str], bool], key: str) -> bool:
    return await in_thread(partial(deed, key))


async def _let_go(key: str) -> bool:
    """There is nothing to undo: ids are free once no record names them."""
    return True
