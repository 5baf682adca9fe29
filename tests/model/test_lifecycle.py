"""No order of verbs, exits, faults and deaths of moored or containerd breaks the promises.

After each step: what a container's state says is what is there; its revision never goes back;
the exit of a run never changes; no verb answers with a defect; nothing is there that is on
nobody's record. After the clean-up of all: nothing is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from moorage.v1 import container_service_pb2 as wire
from tests.model.program import BREAKABLE, CALLS, NAMES, POLICIES, Program

if TYPE_CHECKING:
    from collections.abc import Callable

names = st.sampled_from(NAMES)
policies = st.sampled_from(POLICIES)


class Lifecycle(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.program = Program()

    @initialize(first=policies, second=policies)
    def begin(self, first: int, second: int) -> None:
        self.program.create(NAMES[0], first, auto_remove=False)
        self.program.create(NAMES[1], second, auto_remove=False)

    @rule(name=names, condition=policies, auto_remove=st.booleans())
    def create(self, name: str, condition: int, *, auto_remove: bool) -> None:
        self.program.create(name, condition, auto_remove=auto_remove)

    @rule(name=names)
    def start(self, name: str) -> None:
        self.program.ask("Start", wire.StartRequest(container=name))

    @rule(name=names)
    def stop(self, name: str) -> None:
        self.program.stop(name)

    @rule(name=names, signal=st.sampled_from(["KILL", "TERM", "CONT"]))
    def kill(self, name: str, signal: str) -> None:
        self.program.ask("Kill", wire.KillRequest(container=name, signal=signal))

    @rule(name=names)
    def pause(self, name: str) -> None:
        self.program.ask("Pause", wire.PauseRequest(container=name))

    @rule(name=names)
    def resume(self, name: str) -> None:
        self.program.ask("Resume", wire.ResumeRequest(container=name))

    @rule(name=names)
    def restart(self, name: str) -> None:
        self.program.restart(name)

    @rule(name=names, other=names)
    def rename(self, name: str, other: str) -> None:
        self.program.ask("Rename", wire.RenameRequest(container=name, new_name=other))

    @rule(name=names, condition=policies)
    def update(self, name: str, condition: int) -> None:
        self.program.update(name, condition)

    @rule()
    def prune(self) -> None:
        self.program.ask("Prune", wire.PruneRequest())

    @rule(name=names, force=st.booleans(), remove=st.booleans())
    def cleanup(self, name: str, *, force: bool, remove: bool) -> None:
        request = wire.CleanupRequest(container=name, force=force, remove=remove)
        self.program.ask("Cleanup", request)

    @rule(name=names, status=st.sampled_from([0, 1, 137, 255]))
    def exit(self, name: str, status: int) -> None:
        self.program.exit(name, status)

    @rule(name=names)
    def lose_shim(self, name: str) -> None:
        self.program.lose_shim(name)

    @rule(call=st.sampled_from(BREAKABLE), how=st.sampled_from(["request", "reply", "refused"]))
    def break_call(self, call: str, how: Literal["request", "reply", "refused"]) -> None:
        self.program.break_call(call, how)

    @rule()
    def restart_containerd(self) -> None:
        self.program.restart_containerd()

    @rule()
    def reopen(self) -> None:
        self.program.reopen()

    @rule(name=names, call=st.sampled_from(CALLS), after=st.booleans())
    def kill_in_mid_start(self, name: str, call: str, *, after: bool) -> None:
        self.program.kill_in_mid_start(name, call, after=after)

    @rule()
    def sweep(self) -> None:
        self.program.sweep()

    @invariant()
    def holds(self) -> None:
        self.program.check()

    def teardown(self) -> None:
        self.program.finish()


def programs(number: int, steps: int, *, derandomize: bool) -> settings:
    return settings(
        max_examples=number,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        database=None,
        phases=(Phase.generate,),  # what goes on beside a program does not shrink with it
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(lambda: programs(20, 30, derandomize=True), id="a few"),
        pytest.param(
            lambda: programs(400, 60, derandomize=False),
            id="many",
            marks=[pytest.mark.soak, pytest.mark.timeout(1800)],
        ),
    ],
)
def test_no_program_breaks_the_promises(chosen: Callable[[], settings]) -> None:
    run_state_machine_as_test(Lifecycle, settings=chosen())
