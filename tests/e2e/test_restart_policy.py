"""A restart policy is kept on real containers: when it starts again, how often, and when not.

Rows S19 and S37 of what these behaviours descend from.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moorage.v1.container_pb2 import Container
    from moorage.v1.event_pb2 import Event
    from tests.real.moored import Moored
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

CREATED = container_pb2.CONTAINER_STATE_CREATED
RUNNING = container_pb2.CONTAINER_STATE_RUNNING
EXITED = container_pb2.CONTAINER_STATE_EXITED
RESTARTING = container_pb2.CONTAINER_STATE_RESTARTING
WITHIN = 60.0

NEVER = container_pb2.RestartPolicy(condition=container_pb2.RESTART_CONDITION_NEVER)
ON_FAILURE = container_pb2.RestartPolicy(condition=container_pb2.RESTART_CONDITION_ON_FAILURE)
ALWAYS = container_pb2.RestartPolicy(condition=container_pb2.RESTART_CONDITION_ALWAYS)
UNLESS_STOPPED = container_pb2.RestartPolicy(
    condition=container_pb2.RESTART_CONDITION_UNLESS_STOPPED
)


def at_most(times: int) -> container_pb2.RestartPolicy:
    condition = container_pb2.RESTART_CONDITION_ON_FAILURE
    return container_pb2.RestartPolicy(condition=condition, max_retries=times)


async def events(wire: Wire, container: Container) -> AsyncIterator[Event]:
    """Yield what happens to a container, from its creation on."""
    filter_ = container_service_pb2.ContainerFilter(names=[container.name])
    request = container_service_pb2.WatchRequest(since_revision=0, filter=filter_)
    call = wire.containers.Watch(request, timeout=WITHIN)
    try:
        async for answer in call:
            if answer.HasField("event"):
                yield answer.event
    finally:
        call.cancel()


async def runs(wire: Wire, reference: str, run: int) -> Container:
    """Return the container once this run, or a later one, has a process."""
    found: list[Container] = []

    async def there() -> bool:
        found.append(await wire.inspect(reference))
        return found[-1].status.run >= run and found[-1].status.state == RUNNING

    await eventually(there, f"run {run} of {reference}", within=WITHIN)
    return found[-1]


async def until_waiting(wire: Wire, container: Container, *, attempt: int) -> None:
    """Return once the container waits for this attempt, or a later one."""

    async def waits() -> bool:
        status = (await wire.inspect(container.id)).status
        return status.state == RESTARTING and status.restart.attempt >= attempt

    await eventually(waits, f"it waits for attempt {attempt}", within=WITHIN)


async def test_s37_an_end_that_is_no_failure_is_followed_by_nothing(wire: Wire) -> None:
    for policy, script in ((NEVER, "exit 3"), (ON_FAILURE, "exit 0")):
        async with wire.running(shell(script, restart_policy=policy)) as container:
            ended = (await wire.wait(container.id)).status
            assert (ended.state, ended.run, ended.restart_count) == (EXITED, 1, 0)
            assert ended.exit.origin == container_pb2.EXIT_ORIGIN_PROCESS


async def test_s37_on_failure_starts_again_as_often_as_it_may(wire: Wire) -> None:
    spec = shell("echo run; exit 3", name="s37-max", restart_policy=at_most(3))
    async with wire.running(spec) as container:
        ended = (await wire.wait(container.id, within=WITHIN)).status
        assert (ended.state, ended.run, ended.restart_count) == (EXITED, 4, 3)
        assert ended.exit.code == 3
        assert [await wire.printed(container.id, run=run) for run in (1, 2, 3, 4)] == [b"run\n"] * 4


async def test_s37_the_wait_doubles_and_is_visible(wire: Wire) -> None:
    spec = shell("exit 3", name="s37-waits", restart_policy=at_most(4))
    due: list[tuple[int, float]] = []
    async with wire.running(spec) as container:
        async for event in events(wire, container):
            if event.HasField("restart"):
                left = event.restart.due_time.ToNanoseconds() - event.time.ToNanoseconds()
                due.append((event.restart.attempt, left / 1e9))
                assert event.state == RESTARTING
            if event.run == 5 and event.state == EXITED:
                break
        last = (await wire.inspect(container.id)).status
    assert [attempt for attempt, _ in due] == [1, 2, 3, 4]
    for number, (_, wait) in enumerate(due):
        assert 0.05 * 2**number < wait <= 0.1 * 2**number  # less what it took to tell
    assert (last.run, last.restart_count) == (5, 4)


async def test_s37_a_steady_run_begins_the_waits_anew(wire: Wire) -> None:
    script = "if [ -e /third ]; then sleep 10.3; elif [ -e /second ]; then touch /third; "
    script += "else touch /second; fi; exit 3"
    spec = shell(script, name="s37-steady", restart_policy=ON_FAILURE)
    attempts: list[int] = []
    async with wire.running(spec) as container:
        async for event in events(wire, container):
            if event.HasField("restart"):
                attempts.append(event.restart.attempt)
            if len(attempts) == 3:
                break
        shown = (await wire.inspect(container.id)).status
    assert attempts == [1, 2, 1]
    assert shown.restart_count >= 2


async def test_s37_a_stop_ends_it_while_it_runs_and_while_it_waits(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    spec = shell("sleep 100000", restart_policy=ALWAYS, stop_signal="SIGKILL")
    async with own_wire.running(spec) as container:
        stopped = (await own_wire.stop(container.id)).container
        assert (stopped.status.state, stopped.status.run) == (EXITED, 1)
        assert not assert_agreement(stopped, own_moored, site.containerd)
    async with own_wire.running(shell("exit 3", restart_policy=ALWAYS)) as container:
        await until_waiting(own_wire, container, attempt=4)
        stopped = (await own_wire.stop(container.id)).container
        assert stopped.status.state == EXITED
        assert not stopped.status.HasField("restart")
        async with own_wire.running(shell("sleep 1.6")) as other:
            await own_wire.wait(other.id)  # longer than it would have waited
        assert (await own_wire.inspect(container.id)).status.run == stopped.status.run


async def test_s19_a_start_by_hand_ends_the_wait_and_counts_from_nothing(wire: Wire) -> None:
    async with wire.running(shell("exit 3", restart_policy=ALWAYS)) as container:
        await until_waiting(wire, container, attempt=4)
        by_hand = (await wire.start(container.id)).container
        assert by_hand.status.restart_count == 0
        assert by_hand.intent.origin == container_pb2.INTENT_ORIGIN_CALLER
        await until_waiting(wire, container, attempt=1)


async def test_a_restart_is_a_run_of_its_own_with_the_same_layer(wire: Wire) -> None:
    script = "cat /kept; echo kept >/kept; exit 3"
    async with wire.running(shell(script, restart_policy=at_most(1))) as container:
        ended = (await wire.wait(container.id, within=WITHIN)).status
        assert ended.run == 2
        assert await wire.printed(container.id, run=2) == b"kept\n"


async def test_a_failed_start_that_no_retry_can_help_is_not_tried_again(wire: Wire) -> None:
    spec = container_pb2.ContainerSpec(
        image="busybox", command=["/no/such/program"], restart_policy=ALWAYS
    )
    async with wire.created(spec) as container:
        assert (await refused(wire.start(container.id))).reason == "COMMAND_NOT_FOUND"
        failed = (await wire.inspect(container.id)).status
        assert (failed.state, failed.run) == (EXITED, 1)
        assert failed.error.reason == "COMMAND_NOT_FOUND"


@pytest.mark.parametrize("killed", [False, True])
async def test_after_a_stop_only_always_comes_back_with_the_server(
    own_moored: Moored, own_wire: Wire, *, killed: bool
) -> None:
    specs = {
        "always": sleeper(name="always", restart_policy=ALWAYS, stop_signal="KILL"),
        "unless": sleeper(name="unless", restart_policy=UNLESS_STOPPED, stop_signal="KILL"),
    }
    for spec in specs.values():
        await own_wire.run(spec)
        await own_wire.stop(spec.name)
    if killed:
        own_moored.kill()
    else:
        own_moored.stop()
    own_moored.start()
    always = await runs(own_wire, "always", 2)
    unless = await own_wire.inspect("unless")
    assert (always.status.restart_count, always.status.run) == (1, 2)
    assert always.intent.origin == container_pb2.INTENT_ORIGIN_RESTART_POLICY
    assert (unless.status.state, unless.status.run) == (EXITED, 1)
    for name in specs:
        await own_wire.remove(name)


async def test_what_ended_while_no_server_ran_is_started_again(
    own_moored: Moored, own_wire: Wire
) -> None:
    policies = {"always": ALWAYS, "unless": UNLESS_STOPPED, "failing": ON_FAILURE, "never": NEVER}
    pids = []
    for name, policy in policies.items():
        container = await own_wire.run(sleeper(name=name, restart_policy=policy))
        pids.append(container.status.pid)
    created = await own_wire.create(sleeper(name="created", restart_policy=ALWAYS))
    own_moored.kill()
    for pid in pids:
        processes.end(pid, signal.SIGKILL)
    own_moored.start()
    for name in ("always", "unless", "failing"):
        assert (await runs(own_wire, name, 2)).status.restart_count == 1
    assert (await own_wire.wait("never")).status.run == 1
    assert (await own_wire.inspect(created.id)).status.state == CREATED
    for name in (*policies, "created"):
        await own_wire.remove(name)


async def test_a_wait_goes_on_over_an_end_of_the_server(own_moored: Moored, own_wire: Wire) -> None:
    async with own_wire.running(shell("exit 3", restart_policy=ALWAYS)) as container:
        await until_waiting(own_wire, container, attempt=4)
        own_moored.stop()
        own_moored.start()
        shown = await own_wire.inspect(container.id)
        assert shown.status.run >= 4

        async def goes_on() -> bool:
            return (await own_wire.inspect(container.id)).status.run > shown.status.run

        await eventually(goes_on, "it is started again")
