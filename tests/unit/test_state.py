"""The state machine: what may happen in which state, and that nothing else can."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from moored.errors import IllegalTransition
from moored.model import state as states
from moored.model.events import (
    Event,
    Interfered,
    OutOfMemory,
    Paused,
    RemoveRequested,
    Renamed,
    ResourcesReleased,
    RestartCancelled,
    RestartScheduled,
    Resumed,
    SpecUpdated,
    Started,
    StartFailure,
    StartRequested,
    StartUndone,
    StopRequested,
    TaskExited,
)
from moored.model.exits import Exit, Origin, of_process, unseen
from moored.model.identity import ContainerId
from moored.model.intent import Action, Asker, Intent
from moored.model.resources import Hold, Kind, Leftover, Resource, blocked
from moored.model.spec import Image, Spec
from moored.model.state import Snapshot, advance

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = Intent(Action.RUN)
RUN_AGAIN = Intent(Action.RUN, Asker.RESTART_POLICY)
STOP = Intent(Action.STOP)
REMOVE = Intent(Action.REMOVE)
EXIT = Exit(3, Origin.PROCESS, AT)
FAILURE = StartFailure("RUNTIME_REFUSED", "cannot create task", "task", retriable=False, at=AT)
LAYER = Resource(Kind.LAYER, "c", run=1, kept=True)
TASK = Resource(Kind.TASK, "c.1", run=1)
LEFT = Leftover(TASK, "containerd does not answer", AT)

STATES: dict[str, states.State] = {
    "created": states.Created(),
    "starting": states.Starting(AT),
    "running": states.Running(7, 70, AT),
    "frozen": states.Frozen(7, 70, AT),
    "stopping": states.Stopping(7, 70, AT),
    "exited": states.Exited(EXIT),
    "restarting": states.Restarting(EXIT, AT, 3),
    "stranded": states.Stranded(EXIT),
    "removing": states.Removing(EXIT),
}
EVENTS: dict[str, Event] = {
    "start requested": StartRequested(2, (), RUN, AT),
    "started": Started(8, 80, AT, None),
    "start undone": StartUndone(EXIT, FAILURE, (), None),
    "stop requested": StopRequested(STOP, AT),
    "paused": Paused(AT),
    "resumed": Resumed(AT),
    "task exited": TaskExited(1, EXIT),
    "remove requested": RemoveRequested(REMOVE, AT),
    "resources released": ResourcesReleased(()),
    "restart scheduled": RestartScheduled(AT, 3),
    "restart cancelled": RestartCancelled(),
    "out of memory": OutOfMemory(1, AT),
    "interfered": Interfered(1, "it was paused"),
    "spec updated": SpecUpdated(Spec(image="busybox", labels={"a": "b"})),
    "renamed": Renamed("web"),
}
TABLE = {
    ("created", "start requested"): states.Starting,
    ("exited", "start requested"): states.Starting,
    ("restarting", "start requested"): states.Starting,
    ("starting", "started"): states.Running,
    ("starting", "start undone"): states.Exited,
    ("created", "stop requested"): states.Created,
    ("running", "stop requested"): states.Stopping,
    ("stopping", "stop requested"): states.Stopping,
    ("frozen", "stop requested"): states.Frozen,
    ("exited", "stop requested"): states.Exited,
    ("restarting", "stop requested"): states.Exited,
    ("stranded", "stop requested"): states.Stranded,
    ("running", "paused"): states.Frozen,
    ("stopping", "paused"): states.Frozen,
    ("frozen", "resumed"): states.Running,
    ("running", "task exited"): states.Exited,
    ("frozen", "task exited"): states.Exited,
    ("stopping", "task exited"): states.Exited,
    ("running", "out of memory"): states.Running,
    ("frozen", "out of memory"): states.Frozen,
    ("stopping", "out of memory"): states.Stopping,
    ("exited", "restart scheduled"): states.Restarting,
    ("restarting", "restart cancelled"): states.Exited,
    ("created", "remove requested"): states.Removing,
    ("exited", "remove requested"): states.Removing,
    ("restarting", "remove requested"): states.Removing,
    ("stranded", "remove requested"): states.Removing,
    ("removing", "remove requested"): states.Removing,
    ("created", "resources released"): states.Created,
    ("exited", "resources released"): states.Exited,
    ("restarting", "resources released"): states.Restarting,
    ("stranded", "resources released"): states.Exited,
    ("removing", "resources released"): states.Removing,
    **{(state, "interfered"): type(STATES[state]) for state in STATES},
    **{
        (state, event): type(STATES[state])
        for state in STATES
        if state != "removing"
        for event in ("spec updated", "renamed")
    },
}


def snapshot(state: states.State, run: int = 1) -> Snapshot:
    return Snapshot(
        id=ContainerId("c" * 32),
        spec=Spec(image="busybox"),
        image=Image("busybox", "sha256:1", "sha256:2"),
        runtime="runc",
        created=AT,
        state=state,
        run=run,
    )


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_the_table_says_what_may_follow_and_nothing_else_can(state: str, event: str) -> None:
    before = snapshot(STATES[state])
    expected = TABLE.get((state, event))
    if expected is None:
        with pytest.raises(IllegalTransition):
            advance(before, EVENTS[event])
    else:
        assert type(advance(before, EVENTS[event]).state) is expected


def test_an_exit_of_another_run_is_refused() -> None:
    with pytest.raises(IllegalTransition):
        advance(snapshot(STATES["running"], run=2), TaskExited(1, EXIT))


def test_an_out_of_memory_of_another_run_is_refused() -> None:
    with pytest.raises(IllegalTransition):
        advance(snapshot(STATES["running"], run=2), OutOfMemory(1, AT))


def test_a_start_by_the_policy_counts_and_one_by_hand_begins_anew() -> None:
    before = replace(snapshot(STATES["restarting"]), attempts=2, restarts=5)
    again = advance(before, StartRequested(2, (), RUN_AGAIN, AT))
    assert (again.attempts, again.restarts) == (3, 6)
    by_hand = advance(before, StartRequested(2, (), RUN, AT))
    assert (by_hand.attempts, by_hand.restarts) == (0, 0)


@pytest.mark.parametrize("state", ["created", "exited", "restarting", "stranded", "running"])
def test_a_stop_is_remembered_in_every_state_that_can_be_stopped(state: str) -> None:
    before = replace(snapshot(STATES[state]), intent=RUN)
    assert advance(before, StopRequested(STOP, AT)).intent == STOP


@pytest.mark.parametrize("state", ["exited", "restarting"])
def test_what_waits_for_a_restart_or_does_not_shows_the_exit_of_its_last_run(state: str) -> None:
    assert snapshot(STATES[state]).exit == EXIT


def test_a_change_of_the_spec_counts_and_touches_no_status() -> None:
    before = replace(snapshot(STATES["running"]), intent=RUN, started=AT)
    for event in (EVENTS["spec updated"], EVENTS["renamed"]):
        after = advance(before, event)
        assert after.generation == before.generation + 1
        assert replace(after, spec=before.spec, generation=1, revision=0) == before


def test_a_leftover_strands_a_container_that_waits_for_its_restart() -> None:
    before = replace(snapshot(STATES["restarting"]), resources=(TASK,))
    after = advance(before, ResourcesReleased((), (LEFT,)))
    assert after.state == states.Stranded(EXIT)


def test_a_run_cannot_be_started_twice() -> None:
    with pytest.raises(IllegalTransition):
        advance(snapshot(STATES["exited"], run=2), StartRequested(2, (), RUN, AT))


def test_what_a_start_wants_is_on_record_before_it_is_there() -> None:
    begun = advance(snapshot(states.Created(), run=0), StartRequested(1, (LAYER, TASK), RUN, AT))
    assert begun.resources == (LAYER, TASK)
    assert {resource.hold for resource in begun.resources} == {Hold.WANTED}
    running = advance(begun, Started(7, 70, AT, None))
    assert {resource.hold for resource in running.resources} == {Hold.HELD}


def test_a_new_run_shows_no_exit_of_an_old_one() -> None:
    begun = advance(snapshot(states.Exited(EXIT)), StartRequested(2, (), RUN, AT))
    assert begun.exit is None
    assert begun.started is None


def test_an_undone_start_forgets_what_its_run_acquired_and_keeps_the_rest() -> None:
    old = replace(LAYER, hold=Hold.HELD)
    task = replace(TASK, run=2, key="c.2")
    before = replace(snapshot(states.Starting(AT), run=2), resources=(old, task))
    after = advance(before, StartUndone(EXIT, FAILURE, (), None))
    assert after.resources == (old,)
    assert after.failure == FAILURE


def test_an_undo_that_failed_strands_the_container_until_the_last_leftover_is_gone() -> None:
    before = replace(snapshot(states.Starting(AT)), resources=(LAYER, TASK))
    stranded = advance(before, StartUndone(EXIT, FAILURE, (LEFT,), None))
    assert stranded.state == states.Stranded(EXIT)
    assert stranded.resources == (TASK,)
    again = advance(stranded, ResourcesReleased((), (LEFT,)))
    assert again.state == states.Stranded(EXIT)
    assert again.leftovers == (LEFT,)
    gone = advance(again, ResourcesReleased((TASK,)))
    assert gone.state == states.Exited(EXIT)
    assert gone.leftovers == ()
    assert gone.resources == ()


def test_a_start_that_succeeds_clears_the_failure_of_the_one_before() -> None:
    before = replace(snapshot(states.Starting(AT)), failure=FAILURE)
    assert advance(before, Started(7, 70, AT, None)).failure is None


@pytest.mark.parametrize(
    ("status", "origin", "signal"),
    [
        (0, Origin.PROCESS, 0),
        (7, Origin.PROCESS, 0),
        (137, Origin.SIGNAL, 9),
        (255, Origin.PROCESS, 0),
    ],
)
def test_a_wait_status_says_whether_a_signal_ended_it(
    status: int, origin: Origin, signal: int
) -> None:
    assert of_process(status, AT) == Exit(status, origin, AT, signal)


def test_an_exit_that_nobody_saw_is_never_zero() -> None:
    assert unseen(Origin.UNKNOWN, AT).code != 0


def test_nothing_is_touched_while_the_task_is_left() -> None:
    assert blocked(LAYER, [TASK])
    assert not blocked(TASK, [TASK])
    assert not blocked(LAYER, [LAYER])
