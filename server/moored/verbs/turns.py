"""One change under one claim: how the short verbs get it, and who may still stop them.

Until it has its claim a verb may be cancelled by its caller, and has changed nothing; from then
on it belongs to the service and goes on to its end. What waits for a process is no short verb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from moored import errors
from moored.model.state import Removing
from moored.model.timeline import Stage
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from opentelemetry.trace import Tracer

    from moored.owner import Owner
    from moored.registry import Claim, Registry
    from moored.saga import Clock

T = TypeVar("T")


@dataclass
class _Turn:
    begun: bool = False

    def may_cancel(self) -> bool:
        return not self.begun


@dataclass(frozen=True, kw_only=True)
class Turns:
    registry: Registry
    owner: Owner
    tracer: Tracer
    clock: Clock

    async def take(
        self,
        verb: str,
        reference: str,
        generation: int | None,
        work: Callable[[Claim], Coroutine[Any, Any, T]],
    ) -> T:
        """Do ``work`` under the claim on a container that is not being removed."""
        turn = _Turn()
        whole = self._take(turn, verb, reference, generation, work)
        return await self.owner.join(
            traced(self.tracer, verb, whole), verb, may_cancel=turn.may_cancel
        )

    async def _take(
        self,
        turn: _Turn,
        verb: str,
        reference: str,
        generation: int | None,
        work: Callable[[Claim], Coroutine[Any, Any, T]],
    ) -> T:
        async with self.registry.claim(reference, generation=generation) as claim:
            turn.begun = True
            refuse_removing(claim, verb)
            claim.show(Stage(verb, verb, self.clock.now()))
            return await work(claim)


def refuse_removing(claim: Claim, verb: str) -> None:
    if isinstance(claim.snapshot.state, Removing):
        container = claim.snapshot.id
        raise errors.ContainerRemoving(
            f"cannot {verb} container {container!r}: it is being removed", container=container
        )


def not_running(claim: Claim, verb: str, why: str) -> errors.ContainerNotRunning:
    container = claim.snapshot.id
    return errors.ContainerNotRunning(
        f"cannot {verb} container {container!r}: {why}", container=container
    )
