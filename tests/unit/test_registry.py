"""Claims: one at a time per container; applied means committed, published and told."""

from __future__ import annotations

import asyncio

import pytest

from moored import errors
from moored.feed import Feed
from moored.ledger.changes import Drop, Put
from moored.model.events import RemoveRequested, Started, StartRequested, TaskExited
from moored.model.exits import Exit, Origin
from moored.model.identity import ContainerId
from moored.model.intent import Action, Intent
from moored.model.resources import Kind, Resource
from moored.model.state import Created, Exited, Running, Snapshot, Starting
from moored.model.timeline import Stage
from moored.registry import Registry
from tests.unit.samples import AT, Journal, now, snapshot

REMOVE = RemoveRequested(Intent(Action.REMOVE), AT)


def start_requested(run: int = 1) -> StartRequested:
    return StartRequested(run, (), Intent(Action.RUN), AT)


def registry(*known: Snapshot, journal: Journal | None = None) -> Registry:
    journal = journal or Journal()
    return Registry(journal, now=now, feed=Feed(journal), known=known)


async def test_a_container_is_found_by_id_by_name_and_by_unique_prefix() -> None:
    one = snapshot(0xA1 << 120, "web")
    table = registry(one, snapshot(2))
    for reference in (one.id, "web", "a1", "a"):
        assert table.peek(reference).snapshot.id == one.id


async def test_a_prefix_of_several_names_the_candidates() -> None:
    table = registry(snapshot(1), snapshot(2))
    with pytest.raises(errors.AmbiguousReference) as caught:
        table.peek("0000")
    assert set(caught.value.facts["candidates"].split(",")) == {snapshot(1).id, snapshot(2).id}


@pytest.mark.parametrize("reference", ["", "nobody", "../etc", "g", "\0", "ü", "f" * 33])
async def test_what_names_nothing_is_not_found(reference: str) -> None:
    with pytest.raises(errors.ContainerNotFound):
        registry(snapshot(1)).peek(reference)


async def test_a_name_wins_over_a_prefix() -> None:
    named = snapshot(5, "0000")
    table = registry(snapshot(1), snapshot(2), named)
    assert table.peek("0000").snapshot.id == named.id


async def test_an_applied_event_is_committed_then_published_with_a_higher_revision() -> None:
    journal = Journal()
    table = registry(snapshot(1), journal=journal)
    async with table.claim(snapshot(1).id) as claim:
        journal.open.clear()
        applying = asyncio.create_task(claim.apply(start_requested()))
        await journal.reached.wait()
        assert table.peek(claim.snapshot.id).snapshot.state == Created()
        journal.open.set()
        after = await applying
    assert isinstance(after.state, Starting)
    assert table.peek(after.id).snapshot == after
    assert after.revision == 1
    assert isinstance(journal.changes[0], Put)


async def test_an_event_that_cannot_be_committed_has_not_happened() -> None:
    journal = Journal()
    table = registry(snapshot(1), journal=journal)
    journal.fails = True
    async with table.claim(snapshot(1).id) as claim:
        with pytest.raises(errors.LedgerFailed):
            await claim.apply(start_requested())
        assert claim.snapshot.state == Created()
    assert table.peek(snapshot(1).id).snapshot.state == Created()


async def test_a_cancel_in_mid_commit_loses_nothing_that_was_committed() -> None:
    journal = Journal()
    table = registry(snapshot(1), journal=journal)
    journal.open.clear()

    async def change() -> None:
        async with table.claim(snapshot(1).id) as claim:
            await claim.apply(start_requested())

    changing = asyncio.create_task(change())
    await journal.reached.wait()
    changing.cancel()
    journal.open.set()
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert isinstance(table.peek(snapshot(1).id).snapshot.state, Starting)


async def test_several_events_are_one_commit() -> None:
    journal = Journal()
    table = registry(snapshot(1), journal=journal)
    async with table.claim(snapshot(1).id) as claim:
        await claim.apply(start_requested(), Started(7, 70, AT, None))
    assert len(journal.changes) == 1
    assert isinstance(journal.changes[0], Put)
    assert [h.kind for h in journal.changes[0].happenings] == ["StartRequested", "Started"]
    assert isinstance(table.peek(snapshot(1).id).snapshot.state, Running)


async def test_two_claims_of_one_container_take_turns() -> None:
    table = registry(snapshot(1))
    order: list[str] = []
    async with table.claim(snapshot(1).id):
        waiting = asyncio.create_task(_note(table, order))
        await asyncio.sleep(0)
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_a_wait_for_a_claim_that_is_given_up_changes_nothing() -> None:
    table = registry(snapshot(1))
    async with table.claim(snapshot(1).id):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), table.claim(snapshot(1).id):
                raise AssertionError("two claims at once")
    async with table.claim(snapshot(1).id):
        pass


async def test_different_containers_do_not_wait_for_each_other() -> None:
    table = registry(snapshot(1), snapshot(2))
    async with table.claim(snapshot(1).id), table.claim(snapshot(2).id):
        pass


async def test_whoever_waited_for_a_claim_learns_that_the_container_is_gone() -> None:
    table = registry(snapshot(1))
    async with table.claim(snapshot(1).id) as claim:
        waiting = asyncio.create_task(_note(table, []))
        await asyncio.sleep(0)
        await claim.apply(REMOVE)
        await claim.remove()
    with pytest.raises(errors.ContainerNotFound):
        await waiting


async def test_a_new_container_is_seen_with_its_first_commit_and_its_name_is_taken_before() -> None:
    table = registry()
    async with table.enrol(snapshot(1, "web")) as claim:
        with pytest.raises(errors.ContainerNotFound):
            table.peek("web")
        with pytest.raises(errors.NameTaken) as caught:
            async with table.enrol(snapshot(2, "web")):
                pass
        assert caught.value.facts["container"] == snapshot(1).id
        await claim.apply()
        assert table.peek("web").snapshot.id == snapshot(1).id


async def test_a_container_that_was_never_recorded_leaves_its_name_free() -> None:
    journal = Journal()
    table = registry(journal=journal)
    journal.fails = True
    with pytest.raises(errors.LedgerFailed):
        async with table.enrol(snapshot(1, "web")) as claim:
            await claim.apply(start_requested())
    journal.fails = False
    async with table.enrol(snapshot(2, "web")) as claim:
        await claim.apply()
    assert table.peek("web").snapshot.id == snapshot(2).id


async def test_a_removed_container_is_gone_from_every_list_and_its_name_is_free() -> None:
    journal = Journal()
    table = registry(snapshot(1, "web"), journal=journal)
    subject = table.find("web")
    async with table.claim("web") as claim:
        await claim.apply(REMOVE)
        await claim.remove()
    assert subject.view.gone
    assert table.all() == []
    assert table.page(None, 10) == []
    assert isinstance(journal.changes[-1], Drop)
    async with table.enrol(snapshot(2, "web")) as claim:
        await claim.apply()


async def test_a_container_that_holds_something_cannot_be_forgotten() -> None:
    table = registry(snapshot(1))
    async with table.claim(snapshot(1).id) as claim:
        layer = Resource(Kind.LAYER, "x", 1, kept=True)
        exit = TaskExited(1, Exit(0, Origin.PROCESS, AT))
        await claim.apply(StartRequested(1, (layer,), Intent(Action.RUN), AT))
        await claim.apply(Started(7, 70, AT, None), exit, REMOVE)
        with pytest.raises(errors.IllegalTransition):
            await claim.remove()


async def test_whoever_waits_for_a_change_is_woken_by_it() -> None:
    table = registry(snapshot(1))
    subject = table.find(snapshot(1).id)
    waiting = asyncio.create_task(subject.until(lambda v: isinstance(v.snapshot.state, Exited)))
    async with table.claim(snapshot(1).id) as claim:
        await claim.apply(start_requested())
        await claim.apply(Started(7, 70, AT, None))
        await claim.apply(TaskExited(1, Exit(3, Origin.PROCESS, AT)))
    view = await asyncio.wait_for(waiting, 5)
    assert view.snapshot.exit == Exit(3, Origin.PROCESS, AT)


async def test_a_stage_is_published_without_a_revision_and_ends_with_the_claim() -> None:
    journal = Journal()
    table = registry(snapshot(1), journal=journal)
    async with table.claim(snapshot(1).id) as claim:
        claim.show(Stage("start", "task", AT))
        assert table.peek(snapshot(1).id).stage == Stage("start", "task", AT)
    assert table.peek(snapshot(1).id).stage is None
    assert journal.changes == []


async def test_pages_go_from_old_to_young_and_survive_a_removal() -> None:
    table = registry(*(snapshot(number) for number in range(1, 6)))
    first = table.page(None, 2)
    assert [view.snapshot.id for view in first] == [snapshot(1).id, snapshot(2).id]
    last = first[-1].snapshot
    async with table.claim(last.id) as claim:
        await claim.apply(REMOVE)
        await claim.remove()
    rest = table.page((last.created, ContainerId(last.id)), 10)
    assert [view.snapshot.id for view in rest] == [snapshot(n).id for n in (3, 4, 5)]


async def _note(table: Registry, order: list[str]) -> None:
    async with table.claim(snapshot(1).id):
        order.append("second")


async def test_a_new_name_is_nobodys_until_it_is_committed() -> None:
    journal = Journal()
    table = registry(snapshot(1, "web"), snapshot(2), journal=journal)
    async with table.claim("web") as claim:
        journal.open.clear()
        renaming = asyncio.create_task(claim.rename("site"))
        await journal.reached.wait()
        assert table.peek("web").snapshot.id == snapshot(1).id
        with pytest.raises(errors.ContainerNotFound):
            table.peek("site")
        async with table.claim(snapshot(2).id) as other:
            with pytest.raises(errors.NameTaken):
                await other.rename("site")
        journal.open.set()
        await renaming
    assert table.peek("site").snapshot.id == snapshot(1).id
    with pytest.raises(errors.ContainerNotFound):
        table.peek("web")


async def test_a_rename_that_cannot_be_committed_leaves_both_names_as_they_were() -> None:
    journal = Journal()
    table = registry(snapshot(1, "web"), journal=journal)
    async with table.claim("web") as claim:
        journal.fails = True
        with pytest.raises(errors.LedgerFailed):
            await claim.rename("site")
        journal.fails = False
        assert table.peek("web").snapshot.spec.name == "web"
        assert (await claim.rename("site")).spec.name == "site"


async def test_a_claim_by_who_knows_another_spec_is_refused() -> None:
    table = registry(snapshot(1, "web"))
    with pytest.raises(errors.EtagMismatch):
        async with table.claim("web", generation=2):
            pass
    async with table.claim("web", generation=1) as claim:
        assert claim.snapshot.generation == 1
