"""Exits: one wait per run that has a process, and what follows its end.

Laws: an exit is committed before its task is deleted, because the task is the only other
place that knows it; the first exit of a run stays; when containerd lost the task, the run is
over only once nothing of it is alive, and how it ended is then not known.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from signal import SIGKILL
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.keepers.interference import interference
from moored.model.events import TaskExited
from moored.model.exits import Exit, Origin, of_process, out_of_memory, unseen
from moored.model.follow_up import with_follow_up
from moored.model.identity import run_id
from moored.model.intent import Action, Asker, Intent
from moored.model.state import Frozen, Running, Stopping
from moored.telemetry.background import background
from moored.verbs.remove import remove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

    from moored.containerd.values import ProcessExit, Task
    from moored.keepers.aliveness import Aliveness
    from moored.keepers.memory import Memory
    from moored.keepers.restarts import Timers
    from moored.model.events import Event
    from moored.model.identity import ContainerId, RunId
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.verbs.release import Releaser

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
"""Seconds between two tries to wait for a run, and between two looks for what is alive."""


class Tasks(Protocol):
    async def wait(self, run: RunId) -> ProcessExit | None: ...
    async def get(self, run: RunId) -> Task | None: ...
    def killed(self, run: RunId) -> bool: ...


class OutputIndex(Protocol):
    """Notes when the output of a run was written, between these two calls."""

    def watch(self, container: ContainerId, run: int) -> None: ...
    async def unwatch(self, container: ContainerId, run: int) -> None: ...


@dataclass(kw_only=True)
class Exits:
    registry: Registry
    tasks: Tasks
    releaser: Releaser
    aliveness: Aliveness
    memory: Memory
    timers: Timers
    clock: Clock
    output: OutputIndex
    tracer: Tracer
    _waits: dict[RunId, asyncio.Task[None]] = field(default_factory=dict)

    def watch(self, container: ContainerId, run: int) -> None:
        """Wait for the end of a run, from now on. A second call changes nothing."""
        name = run_id(container, run)
        if name not in self._waits:
            # In a context of its own: the start that begins this is over long before it.
            wait = asyncio.create_task(
                self._follow(container, run), name=f"wait {name}", context=Context()
            )
            self._waits[name] = wait
            wait.add_done_callback(lambda done: self._done(name, done))
            self.output.watch(container, run)

    async def unwatch(self, container: ContainerId, run: int) -> None:
        """Stop waiting for a run that is being undone."""
        if wait := self._waits.pop(run_id(container, run), None):
            wait.cancel()
            await asyncio.wait([wait])
        await self.output.unwatch(container, run)

    async def close(self) -> None:
        """Stop waiting. The runs go on, and are found again."""
        waits = list(self._waits.values())
        for wait in waits:
            wait.cancel()
        if waits:
            await asyncio.wait(waits)

    def _done(self, name: RunId, wait: asyncio.Task[None]) -> None:
        self._waits.pop(name, None)
        if not wait.cancelled() and (error := wait.exception()):
            logger.opt(exception=error).error("cannot follow run {}: {}", name, error)

    async def _follow(self, container: ContainerId, run: int) -> None:
        looking = asyncio.create_task(self.memory.first_look(container, run))
        try:
            await self._until_settled(container, run)
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _until_settled(self, container: ContainerId, run: int) -> None:
        pause = _FIRST_PAUSE
        while (exit := await self._exit(container, run)) is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        while not await self._settle(container, run, exit):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _exit(self, container: ContainerId, run: int) -> Exit | None:
        """Return how the run ended, or None if that has to be asked again."""
        name = run_id(container, run)
        try:
            seen = await self.tasks.wait(name)
        except errors.RuntimeUnreachable:
            return None
        except errors.RuntimeRefused as error:  # the shim died: ask what became of the task
            logger.debug("wait for run {} ended: {}", name, error)
            return await self._reconciled(container, name)
        if seen is not None:
            return of_process(seen.status, seen.at)
        return await self._reconciled(container, name)

    async def _reconciled(self, container: ContainerId, name: RunId) -> Exit | None:
        try:
            task = await self.tasks.get(name)
        except errors.MooredError:
            return None
        if task is not None:
            return of_process(task.exit.status, task.exit.at) if task.exit else None
        try:
            snapshot = self.registry.peek(container).snapshot
        except errors.ContainerNotFound:
            return unseen(Origin.UNKNOWN, self.clock.now())
        if await self.aliveness.of(snapshot, name):
            return None
        return unseen(Origin.RUNTIME, self.clock.now())

    async def _settle(self, container: ContainerId, run: int, exit: Exit) -> bool:
        """Record the exit and let the run's resources go. False: try again."""
        try:
            with self._traced(container, run, exit):
                async with self.registry.claim(container) as claim:
                    await self.settle(claim, run, exit)
        except errors.ContainerNotFound:
            return True
        except errors.LedgerFailed as error:
            logger.error("cannot record the exit of {}.{}: {}", container, run, error)
            return False
        return True

    @contextmanager
    def _traced(self, container: ContainerId, run: int, exit: Exit) -> Iterator[None]:
        """Let what follows from an exit be a trace of its own."""
        known = self.registry.knows(container)
        start = self.registry.peek(container).snapshot.last_start if known else None
        with background(self.tracer, "exit", container, run, start) as span:
            span.set_attributes(
                {"moorage.exit.code": exit.code, "moorage.exit.origin": exit.origin}
            )
            yield

    async def settle(self, claim: Claim, run: int, exit: Exit) -> None:
        """Record the exit of ``run`` under ``claim``, and what follows from it.

        An exit of a run that has ended already, or that is not the current one, is a late or
        a foreign one, and changes nothing.
        """
        alive = isinstance(claim.snapshot.state, Running | Frozen | Stopping)
        if claim.snapshot.run == run and alive:
            exit = await self._put_on_record(claim, exit)
            logger.bind(container=claim.snapshot.id, run=run).info(
                "exited with {} ({})", exit.code, exit.origin
            )
            await self.output.unwatch(claim.snapshot.id, run)
            if not claim.preempted:  # a cleanup waits for this, and releases it itself
                await self.release(claim)

    async def _put_on_record(self, claim: Claim, seen: Exit) -> Exit:
        """Commit the exit, with what the kernel had to do with it and what shall follow it."""
        before = claim.snapshot
        killed = await self.memory.news(before)
        kills = killed[-1].kills if killed else before.oom_kills
        news: tuple[Event, ...] = killed
        exit = out_of_memory(seen) if kills and self._killed_by_others(claim, seen) else seen
        end = TaskExited(before.run, exit)
        told = (end,) if claim.restarting else with_follow_up(before, end, self.clock.now())
        if exit.origin is Origin.RUNTIME:
            news = (*news, interference(before, "its task is gone, and nobody saw it exit"))
        await claim.apply(*news, *told)
        return exit

    def _killed_by_others(self, claim: Claim, exit: Exit) -> bool:
        """Whether a SIGKILL ended the run that was not ours.

        What a moored before this one may have sent to a run that was to be stopped counts as ours.
        """
        if exit.signal != SIGKILL or self.tasks.killed(claim.run_id):
            return False
        return claim.run_id in self._waits or claim.snapshot.intent.action is Action.RUN

    async def release(self, claim: Claim) -> None:
        """Let go of what an ended run still holds; with auto_remove, of the container.

        The wait for the run that its policy asks for begins after that.
        """
        if claim.snapshot.spec.auto_remove and not claim.restarting:
            intent = Intent(Action.REMOVE, Asker.AUTO_REMOVE)
            await remove(claim, intent, releaser=self.releaser, clock=self.clock, volumes=True)
            return
        rows = await self.releaser.release_all(r for r in claim.snapshot.resources if not r.kept)
        if rows:
            await claim.apply(*self.releaser.events(claim.snapshot, rows))
        self.timers.arm(claim.snapshot)
