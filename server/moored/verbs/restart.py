"""Restart: a stop and a start that nobody comes between.

No claim is held while the process takes its time to end. Other starts are refused meanwhile, and
a stop, a kill or a cleanup that comes in between has the last word. auto_remove waits for the
end of the run that comes after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.model.intent import Action, Asker, Intent
from moored.model.state import Exited
from moored.verbs.remove import remove
from moored.verbs.stop import START_AGAIN
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from datetime import timedelta

    from opentelemetry.trace import Tracer

    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Registry
    from moored.saga import Clock
    from moored.verbs.release import Releaser
    from moored.verbs.start import Starter
    from moored.verbs.stop import Stopper

_AUTO_REMOVE: Final = Intent(Action.REMOVE, Asker.AUTO_REMOVE)


@dataclass(frozen=True, kw_only=True)
class Restarter:
    registry: Registry
    stopper: Stopper
    starter: Starter
    releaser: Releaser
    owner: Owner
    tracer: Tracer
    clock: Clock

    async def restart(
        self,
        reference: str,
        *,
        signal: int | None = None,
        timeout: timedelta | None = None,
        generation: int | None = None,
    ) -> Snapshot:
        container = self.registry.find(reference).view.snapshot.id
        work = self._restart(container, signal, timeout, generation)
        return await self.owner.join(
            traced(self.tracer, "restart", work), "restart", may_cancel=lambda: False
        )

    async def _restart(
        self,
        container: ContainerId,
        signal: int | None,
        timeout: timedelta | None,
        generation: int | None,
    ) -> Snapshot:
        with self.registry.restarting(self.registry.find(container)):
            stopped = await self.stopper.stop(
                container, signal=signal, timeout=timeout, generation=generation, intent=START_AGAIN
            )
            if not stopped.already_stopped:
                return await self._start_again(container)
        return (await self.starter.start(container)).snapshot

    async def _start_again(self, container: ContainerId) -> Snapshot:
        try:
            return (await self.starter.start(container, again=True)).snapshot
        except errors.MooredError:
            await self._remove_if_asked(container)
            raise

    async def _remove_if_asked(self, container: ContainerId) -> None:
        """Do what the end of its run would have done, had no other been meant to follow."""
        try:
            async with self.registry.claim(container) as claim:
                snapshot = claim.snapshot
                if isinstance(snapshot.state, Exited) and snapshot.spec.auto_remove:
                    await remove(claim, _AUTO_REMOVE, releaser=self.releaser, clock=self.clock)
        except errors.ContainerNotFound:
            return
