"""The law: what a restart policy asks for follows from how a run ended, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from moored.model.events import StartFailure, StartUndone, TaskExited
from moored.model.exits import Exit, Origin, of_process, out_of_memory, unseen
from moored.model.follow_up import at_server_start, ended, follow_up, with_follow_up
from moored.model.identity import ContainerId
from moored.model.intent import Action, Asker, Intent
from moored.model.resources import Kind, Leftover, Resource
from moored.model.restart import (
    FIRST_WAIT,
    LONGEST_WAIT,
    STEADY,
    Again,
    Ended,
    RestartCondition,
    RestartPolicy,
    decide,
    wait,
)
from moored.model.spec import Image, Spec
from moored.model.state import Created, Exited, Restarting, Running, Snapshot, Starting, advance

if TYPE_CHECKING:
    from moored.model.state import State

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = Intent(Action.RUN)
STOP = Intent(Action.STOP)
WELL, BADLY = of_process(0, AT), of_process(3, AT)
KILLED, OOM = of_process(137, AT), out_of_memory(of_process(137, AT))
LOST, REBOOT = unseen(Origin.UNKNOWN, AT), unseen(Origin.HOST_REBOOT, AT)
FAILED = Exit(128, Origin.START_FAILURE, AT)

NEVER = RestartPolicy()
ON_FAILURE = RestartPolicy(RestartCondition.ON_FAILURE)
THRICE = RestartPolicy(RestartCondition.ON_FAILURE, 3)
ALWAYS = RestartPolicy(RestartCondition.ALWAYS)
UNLESS_STOPPED = RestartPolicy(RestartCondition.UNLESS_STOPPED)


def an_end(exit: Exit, **more: object) -> Ended:
    usual = Ended(exit=exit, intent=RUN, lasted=timedelta(seconds=1), attempts=0)
    return replace(usual, **more)  # type: ignore[arg-type]  # each test says which field


@pytest.mark.parametrize(
    ("policy", "exit", "again"),
    [
        (NEVER, WELL, False),
        (NEVER, BADLY, False),
        (NEVER, OOM, False),
        (ON_FAILURE, WELL, False),
        (ON_FAILURE, BADLY, True),
        (ON_FAILURE, KILLED, True),
        (ON_FAILURE, OOM, True),
        (ON_FAILURE, LOST, True),
        (ON_FAILURE, REBOOT, True),
        (ON_FAILURE, FAILED, True),
        (ALWAYS, WELL, True),
        (ALWAYS, BADLY, True),
        (ALWAYS, FAILED, True),
        (ALWAYS, REBOOT, True),
        (UNLESS_STOPPED, WELL, True),
        (UNLESS_STOPPED, BADLY, True),
        (UNLESS_STOPPED, FAILED, True),
    ],
)
def test_the_condition_says_after_which_exits(
    policy: RestartPolicy, exit: Exit, *, again: bool
) -> None:
    expected = Again(FIRST_WAIT, 1) if again else None
    assert decide(policy, an_end(exit)) == expected


@pytest.mark.parametrize("policy", [NEVER, ON_FAILURE, THRICE, ALWAYS, UNLESS_STOPPED])
@pytest.mark.parametrize("action", [Action.STOP, Action.REMOVE])
def test_nothing_follows_a_run_that_was_not_to_go_on(policy: RestartPolicy, action: Action) -> None:
    assert decide(policy, an_end(BADLY, intent=Intent(action))) is None


@pytest.mark.parametrize("policy", [ON_FAILURE, THRICE, ALWAYS, UNLESS_STOPPED])
def test_a_start_that_no_retry_can_help_is_not_tried_again(policy: RestartPolicy) -> None:
    assert decide(policy, an_end(FAILED, retriable=False)) is None


def test_waits_double_up_to_a_minute() -> None:
    waits = [wait(attempts).total_seconds() for attempts in range(12)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]
    assert wait(10_000) == LONGEST_WAIT


def test_attempts_are_counted_and_limited_in_a_row() -> None:
    attempts = [decide(THRICE, an_end(BADLY, attempts=n)) for n in range(4)]
    assert attempts == [Again(wait(0), 1), Again(wait(1), 2), Again(wait(2), 3), None]


def test_a_steady_run_begins_anew() -> None:
    late = an_end(BADLY, attempts=9, lasted=STEADY)
    assert decide(THRICE, late) == Again(FIRST_WAIT, 1)
    assert decide(ALWAYS, replace(late, lasted=STEADY - timedelta.resolution)) == Again(wait(9), 10)


def container(state: State, policy: RestartPolicy = ALWAYS, **more: object) -> Snapshot:
    plain = Snapshot(
        id=ContainerId("c" * 32),
        spec=Spec(image="busybox", restart_policy=policy),
        image=Image("busybox", "sha256:1", "sha256:2"),
        runtime="runc",
        created=AT,
        intent=RUN,
        state=state,
        run=1,
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # each test says which field


def test_the_end_of_a_run_and_the_wish_for_the_next_are_one_change() -> None:
    before = container(Running(7, 70, AT), started=AT)
    [end, again] = with_follow_up(before, TaskExited(1, BADLY), AT)
    after = advance(advance(before, end), again)
    assert after.state == Restarting(BADLY, AT + FIRST_WAIT, 1)


def test_a_failed_start_is_followed_by_its_own_verdict_and_not_by_an_older_one() -> None:
    old = StartFailure("SPEC_FAILED", "no", "spec", retriable=False, at=AT)
    new = StartFailure("RUNTIME_UNREACHABLE", "gone", "task", retriable=True, at=AT)
    before = container(Starting(AT), failure=old)
    assert len(with_follow_up(before, StartUndone(FAILED, new, (), None), AT)) == 2
    before = container(Starting(AT), failure=new)
    assert len(with_follow_up(before, StartUndone(FAILED, old, (), None), AT)) == 1


def test_an_old_failure_does_not_keep_a_process_from_being_started_again() -> None:
    old = StartFailure("SPEC_FAILED", "no", "spec", retriable=False, at=AT)
    assert ended(container(Exited(BADLY), failure=old), BADLY).retriable


def test_what_is_stranded_has_to_be_released_before_anything_follows() -> None:
    left = Leftover(Resource(Kind.TASK, "c.1", 1), "it hangs", AT)
    failure = StartFailure("RUNTIME_UNREACHABLE", "gone", "task", retriable=True, at=AT)
    undone = StartUndone(FAILED, failure, (left,), None)
    before = container(Starting(AT), resources=(left.resource,))
    assert with_follow_up(before, undone, AT) == (undone,)


def test_a_run_lasts_from_its_start_to_its_exit_and_never_less_than_nothing() -> None:
    snapshot = container(Exited(BADLY), started=AT - timedelta(seconds=4))
    assert ended(snapshot, BADLY).lasted == timedelta(seconds=4)
    snapshot = container(Exited(BADLY), started=AT + timedelta(seconds=4))
    assert ended(snapshot, BADLY).lasted == timedelta()
    assert ended(container(Exited(FAILED)), FAILED).lasted == timedelta()


@pytest.mark.parametrize(
    ("policy", "intent", "exit", "starts"),
    [
        (NEVER, RUN, BADLY, False),
        (NEVER, STOP, BADLY, False),
        (ON_FAILURE, RUN, WELL, False),
        (ON_FAILURE, RUN, BADLY, True),
        (ON_FAILURE, STOP, BADLY, False),
        (ALWAYS, RUN, WELL, True),
        (ALWAYS, STOP, WELL, True),
        (ALWAYS, STOP, FAILED, True),
        (UNLESS_STOPPED, RUN, WELL, True),
        (UNLESS_STOPPED, Intent(Action.RUN, Asker.RESTART_POLICY), WELL, True),
        (UNLESS_STOPPED, STOP, WELL, False),
    ],
)
def test_a_server_that_comes_back_starts_what_its_policy_says(
    policy: RestartPolicy, intent: Intent, exit: Exit, *, starts: bool
) -> None:
    found = container(Exited(exit), policy, intent=intent)
    assert bool(at_server_start(found, AT)) is starts


@pytest.mark.parametrize("policy", [ON_FAILURE, ALWAYS, UNLESS_STOPPED])
def test_a_start_that_no_retry_could_help_gets_another_one_from_a_new_server(
    policy: RestartPolicy,
) -> None:
    failure = StartFailure("SPEC_FAILED", "no", "spec", retriable=False, at=AT)
    found = container(Exited(FAILED), policy, failure=failure)
    assert bool(at_server_start(found, AT)) is (policy is not ON_FAILURE)
    assert follow_up(found, AT) == ()


@pytest.mark.parametrize(
    "state", [Created(), Starting(AT), Running(7, 70, AT), Restarting(BADLY, AT, 2)]
)
def test_what_is_not_at_rest_is_asked_for_nothing(state: State) -> None:
    assert follow_up(container(state), AT) == ()
    assert at_server_start(container(state), AT) == ()
