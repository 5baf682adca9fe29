"""Recovery: after a start of moored, make the records true again.

For each container: what the ledger says, what containerd says, and the table in ``_mend``.
Reads are served from the ledger meanwhile; a change waits for its own container only. Some are
mended at a time, so that one that takes long keeps no other waiting.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.containerd.values import Phase
from moored.keepers.interference import interference
from moored.model.events import Paused, Resumed, Started
from moored.model.exits import Origin, of_process, unseen
from moored.model.mount_events import mounted
from moored.model.rest import at_rest
from moored.model.state import (
    Exited,
    Frozen,
    Removing,
    Restarting,
    Running,
    Starting,
    Stopping,
)
from moored.telemetry.background import background
from moored.verbs.interrupted import undo_interrupted
from moored.verbs.remove import remove
from moored.verbs.stop import START_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.trace import Tracer

    from moored.containerd.values import Task
    from moored.keepers.aliveness import Aliveness
    from moored.keepers.exits import Exits
    from moored.keepers.late import LateMaking
    from moored.keepers.restarts import Restarts
    from moored.model.identity import ContainerId, RunId
    from moored.model.network import Attached
    from moored.model.state import Snapshot
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.verbs.release import Releaser


_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries while containerd does not answer."""
_AT_ONCE: Final = 16
"""Containers: what takes long is to let go of what ended, which waits for others."""


class Tasks(Protocol):
    async def list(self) -> list[Task]: ...


class Networks(Protocol):
    async def recall(self, snapshot: Snapshot) -> tuple[Attached, ...]: ...


class Streams(Protocol):
    def recover(self, snapshot: Snapshot) -> None:
        """Take up execs and stdin of a run that goes on."""
        ...


@dataclass(kw_only=True)
class Recovery:
    registry: Registry
    tasks: Tasks
    releaser: Releaser
    exits: Exits
    restarts: Restarts
    aliveness: Aliveness
    clock: Clock
    process_ticks: Callable[[int], int]
    networks: Networks
    go_on_stopping: Callable[[ContainerId], None]
    """Goes on with a stop or a restart that was under way, as soon as the claim is free."""
    streams: Streams
    late: LateMaking
    awaits_its_start: Callable[[RunId], bool]
    """Whether the runtime never began a run's program, so that whatever ended was not it."""
    tracer: Tracer
    rebooted: bool
    """Whether the host was booted since the ledger was last written."""

    async def run(self) -> None:
        """Mend every container once. Those that cannot be yet are tried until they can."""
        waiting = [s.id for s in self.registry.all() if not at_rest(s)]
        self.late.suspect()
        began, number, pause = self.clock.seconds(), len(waiting), _FIRST_PAUSE
        while waiting:
            try:
                with self.late.asking():
                    tasks = {task.run: task for task in await self.tasks.list()}
            except errors.MooredError as error:
                logger.warning("cannot recover {} containers yet: {}", len(waiting), error)
            else:
                waiting = await self._recover_all(waiting, tasks)
            if waiting:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if number:
            logger.info("recovered {} containers in {:.2f} s", number, self.clock.seconds() - began)

    async def _recover_all(
        self, waiting: Sequence[ContainerId], tasks: Mapping[str, Task]
    ) -> list[ContainerId]:
        """Mend each, some at a time, and return those that cannot be yet."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(container: ContainerId) -> bool:
            async with turn:
                return await self._recover(container, tasks)

        done = await asyncio.gather(*(one(container) for container in waiting))
        return [c for c, mended in zip(waiting, done, strict=True) if not mended]

    async def _recover(self, container: ContainerId, tasks: Mapping[str, Task]) -> bool:
        """Mend one container under its claim, and return whether that is done."""
        try:
            with self._traced(container):
                async with self.registry.claim(container, recovering=True) as claim:
                    before = claim.snapshot
                    await self._mend(claim, tasks.get(claim.run_id))
                    await self.restarts.resume(claim)
                    if _is_cut_short(before, claim.snapshot):
                        self.go_on_stopping(container)
                    _tell(before, claim.snapshot)
                    claim.subject.recovered.set()
        except errors.ContainerNotFound:
            return True
        except errors.MooredError as error:
            logger.warning("cannot recover container {} yet: {}", container, error)
            return False
        return True

    @contextmanager
    def _traced(self, container: ContainerId) -> Iterator[None]:
        known = self.registry.peek(container).snapshot
        with background(self.tracer, "recover", container, known.run, known.last_start):
            yield

    async def _mend(self, claim: Claim, task: Task | None) -> None:
        """One row of the table: what the ledger says, against what containerd says."""
        phase = task.phase if task else None
        match claim.snapshot.state, phase:
            case Starting(), Phase.STOPPED if self.awaits_its_start(claim.run_id):
                await undo_interrupted(claim, releaser=self.releaser, clock=self.clock)
            case Starting(), Phase.RUNNING | Phase.PAUSED | Phase.PAUSING | Phase.STOPPED:
                await self._roll_forward(claim, task)
            case Starting(), _:
                await undo_interrupted(claim, releaser=self.releaser, clock=self.clock)
            case Running() | Frozen() | Stopping(), _:
                await self._observe(claim, task)
            case Removing(), _:
                intent = claim.snapshot.intent
                await remove(claim, intent, releaser=self.releaser, clock=self.clock)
            case Exited() | Restarting(), _:
                await self.exits.release(claim)
            case _:  # created, or stranded: the sweep has it
                return

    async def _roll_forward(self, claim: Claim, task: Task | None) -> None:
        """The start had come to its end, and only its record was missing."""
        assert task is not None
        ticks = self.process_ticks(task.pid)
        networks = await self.networks.recall(claim.snapshot)
        started = Started(task.pid, ticks, self.clock.now(), None, networks)
        await claim.apply(*mounted(claim.snapshot), started)
        await self._observe(claim, task)

    async def _observe(self, claim: Claim, task: Task | None) -> None:
        """Follow what is observed of a run that was alive when it was last seen."""
        snapshot = claim.snapshot
        if task is None:
            await self._lost(claim)
        elif task.exit is not None:
            exit = of_process(task.exit.status, task.exit.at)
            await self.exits.settle(claim, snapshot.run, exit)
        elif task.phase is Phase.CREATED:
            await self._never_ran(claim)
        else:
            if task.phase is Phase.PAUSED and not isinstance(snapshot.state, Frozen):
                found = interference(snapshot, "it was found paused")
                await claim.apply(Paused(self.clock.now()), found)
            if task.phase is Phase.RUNNING and isinstance(snapshot.state, Frozen):
                found = interference(snapshot, "it was found resumed")
                await claim.apply(Resumed(self.clock.now()), found)
            self.exits.watch(snapshot.id, snapshot.run)
            self.streams.recover(snapshot)

    async def _lost(self, claim: Claim) -> None:
        """containerd has no task: the run is over once nothing of it is alive."""
        snapshot = claim.snapshot
        if not self.rebooted and await self.aliveness.of(snapshot, claim.run_id):
            self.exits.watch(snapshot.id, snapshot.run)
            return
        origin = Origin.HOST_REBOOT if self.rebooted else Origin.UNKNOWN
        await self.exits.settle(claim, snapshot.run, unseen(origin, self.clock.now()))

    async def _never_ran(self, claim: Claim) -> None:
        """The record says it ran, and its process never began: the run is undone."""
        exit = unseen(Origin.UNKNOWN, self.clock.now())
        await self.exits.settle(claim, claim.snapshot.run, exit)


def _is_cut_short(before: Snapshot, after: Snapshot) -> bool:
    """Whether a stop has not come to its end, or a restart has its second half to come."""
    if not isinstance(before.state, Stopping):
        return False
    return isinstance(after.state, Stopping) or (
        isinstance(after.state, Exited) and after.intent == START_AGAIN
    )


def _tell(before: Snapshot, after: Snapshot) -> None:
    """Log what was decided of a container; each change of its record is an event besides."""
    log = logger.bind(container=after.id, run=after.run)
    found, now = (type(one.state).__name__.upper() for one in (before, after))
    log.log("DEBUG" if before == after else "INFO", "recovered: {}, now {}", found, now)
