"""A request with a name happens once; what a retry can help is tried again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.feed import Feed
from moored.ledger.changes import Forget, Settle
from moored.ledger.store import Ledger
from moored.model.events import StartRequested
from moored.model.intent import Action, Intent
from moored.model.requests import KEPT, Begun, Known, Request, Settled
from moored.owner import Owner
from moored.registry import Registry
from moored.requests import AnsweredBefore, Requests
from tests.fakes.measures import UNMEASURED
from tests.unit.samples import AT, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ONE = Request("one", b"print")
OTHER = Request("one", b"another print")


@dataclass
class Verb:
    """Answers "done", or fails with ``error``, as often as it is run."""

    error: Exception | None = None
    final: bool = True
    runs: int = 0
    begun: Begun | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def run(self, begun: Begun | None) -> bytes:
        self.runs += 1
        self.begun = begun
        self.reached.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return b"done %d" % self.runs

    def last_word(self, error: errors.MooredError) -> bytes | None:
        return error.message.encode() if self.final else None


class Desk:
    """Requests on a real ledger, with a clock that a test sets and containers that it names."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = AT
        self.known: set[str] = set()
        self.owner = Owner()
        self.again()

    def again(self) -> None:
        """Forget all but the ledger, as a restart does."""
        self.requests = Requests(
            self.ledger, owner=self.owner, now=lambda: self.now, knows=self.known.__contains__
        )

    async def begin(self, run: int = 1) -> None:
        """Put a container on record for ``ONE``, as a start of it does."""
        feed = Feed(self.ledger, revision=0)
        registry = Registry(self.ledger, now=lambda: self.now, feed=feed)
        requested = StartRequested(run, (), Intent(Action.RUN), AT)
        async with registry.enrol(replace(snapshot(1), run=run - 1)) as claim:
            await claim.apply(requested, request=ONE)
        self.known.add(snapshot(1).id)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    ledger = await Ledger.open(tmp_path / "ledger.db", measures=UNMEASURED, boot_id="b")
    built = Desk(ledger)
    yield built
    await built.owner.drain(5, undone_within=5)
    await ledger.close()


async def test_a_second_request_gets_the_answer_of_the_first(desk: Desk) -> None:
    verb = Verb()
    assert await desk.requests.once(ONE, verb) == b"done 1"
    assert await desk.requests.once(ONE, verb) == b"done 1"
    desk.again()
    assert await desk.requests.once(ONE, verb) == b"done 1"
    assert verb.runs == 1


async def test_a_failure_for_good_is_told_again(desk: Desk) -> None:
    verb = Verb(errors.NameTaken("cannot create: taken"))
    with pytest.raises(errors.NameTaken):
        await desk.requests.once(ONE, verb)
    desk.again()
    with pytest.raises(AnsweredBefore) as caught:
        await desk.requests.once(ONE, verb)
    assert caught.value.answer == b"cannot create: taken"
    assert verb.runs == 1


async def test_a_failure_that_a_retry_can_help_is_tried_again(desk: Desk) -> None:
    verb = Verb(errors.RuntimeUnreachable("cannot reach"), final=False)
    with pytest.raises(errors.RuntimeUnreachable):
        await desk.requests.once(ONE, verb)
    verb.error = None
    assert await desk.requests.once(ONE, verb) == b"done 2"


async def test_a_defect_is_not_kept(desk: Desk) -> None:
    verb = Verb(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await desk.requests.once(ONE, verb)
    verb.error = None
    assert await desk.requests.once(ONE, verb) == b"done 2"


async def test_the_name_of_another_request_is_refused_while_it_runs_and_afterwards(
    desk: Desk,
) -> None:
    verb = Verb()
    verb.gate.clear()
    first = asyncio.create_task(desk.requests.once(ONE, verb))
    await verb.reached.wait()
    with pytest.raises(errors.RequestIdReused, match="'one'"):
        await desk.requests.once(OTHER, Verb())
    verb.gate.set()
    await first
    with pytest.raises(errors.RequestIdReused):
        await desk.requests.once(OTHER, Verb())
    assert await desk.requests.once(ONE, verb) == b"done 1"


@pytest.mark.parametrize("error", [None, errors.NameTaken("cannot create: taken")])
async def test_all_who_ask_while_it_runs_get_one_outcome(
    desk: Desk, error: Exception | None
) -> None:
    verb = Verb(error)
    verb.gate.clear()
    callers = [asyncio.create_task(desk.requests.once(ONE, verb)) for _ in range(20)]
    await verb.reached.wait()
    verb.gate.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert outcomes == [error or b"done 1"] * 20
    assert verb.runs == 1


async def test_it_goes_on_when_its_first_caller_goes_away(desk: Desk) -> None:
    verb = Verb()
    verb.gate.clear()
    first = asyncio.create_task(desk.requests.once(ONE, verb))
    await verb.reached.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(desk.requests.once(ONE, verb))
    verb.gate.set()
    assert await second == b"done 1"
    assert verb.runs == 1


async def test_a_request_is_known_for_a_day(desk: Desk) -> None:
    verb = Verb()
    await desk.requests.once(ONE, verb)
    desk.now = AT + KEPT - timedelta(seconds=1)
    assert await desk.requests.once(ONE, verb) == b"done 1"
    desk.now = AT + KEPT
    assert await desk.requests.once(OTHER, verb) == b"done 2"
    desk.now += timedelta(hours=1)
    assert await desk.ledger.request("one", desk.now) == Known(
        OTHER, Settled(ok=True, answer=b"done 2")
    )


async def test_what_has_expired_is_removed_with_the_next_that_is_kept(desk: Desk) -> None:
    await desk.requests.once(ONE, Verb())
    desk.now = AT + KEPT
    await desk.requests.once(Request("two", b""), Verb())
    assert await desk.ledger.request("one", AT) is None


async def test_a_retry_goes_on_with_the_container_that_was_begun(desk: Desk) -> None:
    await desk.begin(run=3)
    verb = Verb()
    assert await desk.requests.once(ONE, verb) == b"done 1"
    assert verb.begun == Begun(snapshot(1).id, 3)
    assert await desk.requests.once(ONE, verb) == b"done 1"


async def test_what_was_begun_for_another_request_is_refused(desk: Desk) -> None:
    await desk.begin()
    verb = Verb()
    with pytest.raises(errors.RequestIdReused):
        await desk.requests.once(OTHER, verb)
    assert verb.runs == 0


@pytest.mark.parametrize("there", [True, False], ids=["that is there", "that is gone"])
async def test_after_a_failure_a_retry_has_the_container_only_if_it_is_there(
    desk: Desk, there: bool
) -> None:
    await desk.begin()
    if not there:
        desk.known.clear()
    verb = Verb(errors.RuntimeUnreachable("cannot reach"), final=False)
    with pytest.raises(errors.RuntimeUnreachable):
        await desk.requests.once(ONE, verb)
    verb.error = None
    assert await desk.requests.once(ONE, verb) == b"done 2"
    assert verb.begun == (Begun(snapshot(1).id, 0) if there else None)


async def test_an_answer_that_cannot_be_kept_is_given(tmp_path: Path) -> None:
    class Full(Ledger):
        async def commit(self, change: object) -> None:
            assert isinstance(change, Settle | Forget)
            raise errors.LedgerFailed("cannot write the ledger: full")

    ledger = await Full.open(tmp_path / "ledger.db", measures=UNMEASURED, boot_id="b")
    verb = Verb()
    requests = Desk(ledger).requests
    assert await requests.once(ONE, verb) == b"done 1"
    assert await requests.once(ONE, verb) == b"done 2"
    await ledger.close()
