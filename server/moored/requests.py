"""A retried request happens once: the second waits for the first, or gets what it got.

Laws: successes and final failures are on record before they are told; what a retry can help
is not kept, and is tried again; a request that has begun goes on when its caller has gone.
Knows nothing of what is asked or answered: answers are bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from loguru import logger

from moored import errors
from moored.ledger.changes import Change, Forget, Settle
from moored.model.requests import Begun, Known, Request, Settled

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from datetime import datetime

    from moored.model.identity import ContainerId
    from moored.owner import Owner

UnderWay: TypeAlias = "tuple[Request, asyncio.Task[bytes]]"


class AnsweredBefore(Exception):
    """The first request of this name failed for good; ``answer`` is what it was told."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("a request of this name has failed before")
        self.answer = answer


class Book(Protocol):
    """The part of the ledger that knows of requests."""

    async def commit(self, change: Change) -> None: ...
    async def request(self, request_id: str, at: datetime) -> Known | None: ...


class Verb(Protocol):
    async def run(self, begun: Begun | None) -> bytes:
        """Do what was asked, or go on with what an earlier try had ``begun``."""
        ...

    def last_word(self, error: errors.MooredError) -> bytes | None:
        """Return what ``error`` is answered with, or None if a retry can help."""
        ...


class Requests:
    def __init__(
        self,
        book: Book,
        *,
        owner: Owner,
        now: Callable[[], datetime],
        knows: Callable[[ContainerId], bool],
    ) -> None:
        self._book = book
        self._owner = owner
        self._now = now
        self._knows = knows
        self._under_way: dict[str, UnderWay] = {}

    async def once(self, request: Request, verb: Verb) -> bytes:
        """Return what ``verb`` answers, or what the first request of this name was answered.

        Raises RequestIdReused if that one asked for something else.
        """
        first = self._under_way.get(request.id)
        if first is None:
            task = self._owner.spawn(self._first(request, verb), f"request {request.id}")
            first = self._under_way[request.id] = (request, task)
            task.add_done_callback(lambda _: self._under_way.pop(request.id))
        elif first[0] != request:
            raise _reused(request)
        return await self._owner.attend(first[1], may_cancel=lambda: False)

    async def _first(self, request: Request, verb: Verb) -> bytes:
        known = await self._book.request(request.id, self._now())
        if known is not None and known.request != request:
            raise _reused(request)
        match known:
            case Known(fate=Settled(ok=True, answer=answer)):
                return answer
            case Known(fate=Settled(answer=answer)):
                raise AnsweredBefore(answer)
            case Known(fate=Begun() as begun):
                return await self._try(request, verb, begun)
            case _:
                return await self._try(request, verb, None)

    async def _try(self, request: Request, verb: Verb, begun: Begun | None) -> bytes:
        try:
            answer = await verb.run(begun)
        except errors.MooredError as error:
            word = verb.last_word(error)
            if word is None:
                await self._forget(request)
            else:
                await self._keep(Settle(request, Settled(ok=False, answer=word), self._now()))
            raise
        await self._keep(Settle(request, Settled(ok=True, answer=answer), self._now()))
        return answer

    async def _forget(self, request: Request) -> None:
        """Let a retry begin anew; a container that this try made, and that is there, stays its."""
        known = await self._book.request(request.id, self._now())
        if known is None or not isinstance(known.fate, Begun):
            return
        keep = self._knows(known.fate.container)
        await self._keep(Forget(request, keep_container=keep))

    async def _keep(self, change: Settle | Forget) -> None:
        try:
            await self._book.commit(change)
        except errors.LedgerFailed as error:  # what was done is done, and is answered
            logger.error("cannot keep the outcome of request {!r}: {}", change.request.id, error)


def _reused(request: Request) -> errors.RequestIdReused:
    return errors.RequestIdReused(
        f"cannot serve request {request.id!r}: this request_id was used for another request",
        request_id=request.id,
    )
