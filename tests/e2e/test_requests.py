"""A retried request happens once, on real parts: while it runs, afterwards, over restarts."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as service
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime

pytestmark = pytest.mark.real

RUNNING = container_pb2.CONTAINER_STATE_RUNNING
COUNTS = "n=0; trap 'echo signal $((n += 1))' USR1; echo ready; while :; do sleep 9 & wait; done"


def start(
    wire: Wire, request: service.StartRequest
) -> grpc.aio.UnaryUnaryCall[service.StartRequest, service.StartResponse]:
    return wire.containers.Start(request, timeout=CALL_WITHIN, wait_for_ready=True)


def of_spec(spec: container_pb2.ContainerSpec, name: str = "one") -> service.StartRequest:
    return service.StartRequest(spec=spec, request_id=name)


async def test_fifty_starts_of_one_request_are_one_run_and_one_answer(
    own_moored: Moored, own_wire: Wire
) -> None:
    request = of_spec(sleeper(name="web"))
    answers = await asyncio.gather(*(start(own_wire, request) for _ in range(50)))
    (first,) = {answer.SerializeToString(deterministic=True) for answer in answers}
    assert [container.name for container in await own_wire.list()] == ["web"]
    own_moored.kill()
    own_moored.start()
    await own_wire.cleanup("web")
    again = await start(own_wire, request)
    assert again.SerializeToString(deterministic=True) == first
    assert await own_wire.list() == []


async def test_fifty_starts_by_fifty_requests_are_one_run(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        requests = [
            service.StartRequest(container=container.id, request_id=f"{container.id}-{number}")
            for number in range(50)
        ]
        answers = await asyncio.gather(*(start(wire, request) for request in requests))
        assert sorted(answer.already_running for answer in answers) == [False] + [True] * 49
        assert {answer.container.status.run for answer in answers} == {1}
        again = await asyncio.gather(*(start(wire, request) for request in requests))
        assert again == answers


async def test_the_name_of_another_request_is_refused(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        await start(wire, service.StartRequest(container=container.id, request_id="theirs"))
        for other in (
            wire.containers.Stop(service.StopRequest(container=container.id, request_id="theirs")),
            start(wire, of_spec(sleeper(), "theirs")),
        ):
            found = await refused(other)
            assert found.code is grpc.StatusCode.ALREADY_EXISTS
            assert found.reason == "REQUEST_ID_REUSED"
            assert found.metadata == {"request_id": "theirs"}


async def test_a_second_caller_gets_the_start_of_one_who_went_away(
    own_wire: Wire, gate: GatedRuntime
) -> None:
    request = of_spec(sleeper(name="web", runtime="gated"))
    with gate.holding("create"):
        first = start(own_wire, request)
        assert await gate.arrival() == "create"
        first.cancel()
        second = start(own_wire, request)
    answer = await second
    assert (answer.container.status.state, answer.container.status.run) == (RUNNING, 1)
    assert len(await own_wire.list()) == 1
    await own_wire.remove("web")


async def test_a_retry_after_a_kill_in_mid_start_goes_on_with_the_same_container(
    own_moored: Moored, own_wire: Wire, gate: GatedRuntime
) -> None:
    request = of_spec(sleeper(name="web", runtime="gated"))
    with gate.holding("create"):
        first = start(own_wire, request)
        assert await gate.arrival() == "create"
        own_moored.kill()
        assert (await refused(first)).code is grpc.StatusCode.UNAVAILABLE
    own_moored.start()
    answer = await start(own_wire, request)
    assert answer.container.status.state == RUNNING
    assert [container.id for container in await own_wire.list()] == [answer.container.id]
    assert await start(own_wire, request) == answer
    await own_wire.remove("web")


async def test_a_start_that_the_runtime_failed_is_tried_again(
    own_wire: Wire, gate: GatedRuntime
) -> None:
    request = of_spec(sleeper(name="web", runtime="gated"))
    with gate.failing("create"):
        assert (await refused(start(own_wire, request))).reason == "RUNTIME_REFUSED"
    answer = await start(own_wire, request)
    assert (answer.container.status.state, answer.container.status.run) == (RUNNING, 2)
    await own_wire.remove("web")


async def test_a_failure_for_good_is_told_again_though_its_reason_has_gone(
    own_moored: Moored, own_wire: Wire
) -> None:
    request = service.CreateRequest(spec=sleeper(name="web"), request_id="one")
    async with own_wire.created(sleeper(name="web")):
        first = await refused(own_wire.containers.Create(request, timeout=CALL_WITHIN))
    assert first.reason == "NAME_TAKEN"
    assert await refused(own_wire.containers.Create(request, timeout=CALL_WITHIN)) == first
    own_moored.restart()
    again = own_wire.containers.Create(request, timeout=CALL_WITHIN, wait_for_ready=True)
    assert await refused(again) == first


async def test_a_signal_that_is_sent_again_by_the_same_request_comes_once(wire: Wire) -> None:
    async with wire.running(shell(COUNTS)) as container:
        await wire.until_printed(container.id, "ready")
        for number in (1, 1, 1, 2):
            name = f"{container.id}-{number}"
            request = service.KillRequest(container=container.id, signal="USR1", request_id=name)
            await wire.containers.Kill(request, timeout=CALL_WITHIN)
            await wire.until_printed(container.id, f"signal {number}")
        await wire.stop(container.id, grace=0)
        assert (await wire.printed(container.id)).count(b"signal") == 2


async def test_every_change_answers_its_retry_as_it_answered_the_first(wire: Wire) -> None:
    async with wire.running(shell(OBEYS)) as container:
        await wire.until_printed(container.id, "ready")
        id_, stub = container.id, wire.containers
        calls: list[tuple[Any, Any]] = [
            (stub.Pause, service.PauseRequest(container=id_)),
            (stub.Resume, service.ResumeRequest(container=id_)),
            (stub.Rename, service.RenameRequest(container=id_, new_name="renamed")),
            (stub.Stop, service.StopRequest(container=id_)),
            (stub.Restart, service.RestartRequest(container=id_)),
            (stub.Cleanup, service.CleanupRequest(container=id_, force=True, remove=True)),
        ]
        for call, request in calls:
            request.request_id = f"{type(request).__name__} {id_}"
            first = await call(request, timeout=CALL_WITHIN)
            assert await call(request, timeout=CALL_WITHIN) == first


async def test_a_plan_is_answered_and_nothing_is_there(wire: Wire) -> None:
    known = await wire.list()
    spec = sleeper(name="web", hostname="planned")
    request = service.StartRequest(spec=spec, validate_only=True, request_id="later")
    answer = await start(wire, request)
    assert answer.container.id == "0" * 32
    assert answer.container.status.state == container_pb2.CONTAINER_STATE_CREATED
    told = json.loads(answer.plan.runtime_spec)
    assert (told["hostname"], told["process"]["args"]) == ("planned", list(spec.command))
    assert [step.name for step in answer.plan.steps][:2] == ["admit", "record"]
    assert f"task {'0' * 32}.1" in [a for step in answer.plan.steps for a in step.acquires]
    assert await wire.list() == known
    created = await wire.containers.Create(
        service.CreateRequest(spec=spec, request_id="later"), timeout=CALL_WITHIN
    )
    by_name = service.StartRequest(container="web", validate_only=True)
    assert len((await start(wire, by_name)).plan.steps) == len(answer.plan.steps)
    assert (await wire.inspect("web")).revision == created.container.revision
    await wire.remove("web")


async def test_a_plan_of_what_would_be_refused_is_refused(wire: Wire) -> None:
    async with wire.running(sleeper(name="web")):
        for request, reason in (
            (service.StartRequest(spec=sleeper(name="web")), "NAME_TAKEN"),
            (service.StartRequest(spec=sleeper(runtime="no")), "RUNTIME_UNKNOWN"),
            (service.StartRequest(container="nobody"), "CONTAINER_NOT_FOUND"),
            (service.StartRequest(container="web", etag="7"), "ETAG_MISMATCH"),
        ):
            request.validate_only = True
            assert (await refused(start(wire, request))).reason == reason
        running = await start(wire, service.StartRequest(container="web", validate_only=True))
        assert running.already_running
        assert not running.plan.steps
