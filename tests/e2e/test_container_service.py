"""Every method of ContainerService does what its comment says, on the real thing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import containerd as seen
from tests.outside import processes
from tests.real.deadlines import eventually
from tests.real.specs import DEAF, IMAGE, OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

KINDS = {"streams", "task", "bundle", "cgroup", "files", "layer", "container", "output"}


async def test_create_records_a_container_and_acquires_nothing(site: Site, wire: Wire) -> None:
    before = site.look()
    async with wire.created(sleeper(name="recorded")) as container:
        assert re.fullmatch(r"[0-9a-f]{32}", container.id)
        assert (container.name, container.generation) == ("recorded", 1)
        assert container.status.state == container_pb2.CONTAINER_STATE_CREATED
        assert container.status.run == 0
        assert container.status.image_digest.startswith("sha256:")
        assert await wire.inspect("recorded") == container
        assert site.changes_since(before) == []


async def test_a_name_can_be_taken_once_and_is_free_after_removal(wire: Wire) -> None:
    async with wire.created(sleeper(name="taken")) as holder:
        refusal = await refused(wire.create(sleeper(name="taken")))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")
        assert refusal.metadata["container"] == holder.id
    async with wire.created(sleeper(name="taken")) as successor:
        assert successor.id != holder.id


async def test_start_answers_with_a_container_whose_process_runs(
    site: Site, moored: Moored, wire: Wire
) -> None:
    async with wire.created(sleeper()) as created:
        answer = await wire.start(created.id)
        started = answer.container
        tasks = seen.task_list(site.containerd.address, moored.instance)
        assert not answer.already_running
        assert started.status.state == container_pb2.CONTAINER_STATE_RUNNING
        assert started.status.run == 1
        assert started.revision > created.revision
        assert processes.is_alive(started.status.pid)
        assert seen.SeenTask(f"{created.id}.1", started.status.pid, "RUNNING") in tasks


async def test_start_with_a_spec_creates_and_starts_in_one_call(wire: Wire) -> None:
    async with wire.running(sleeper(name="inline", labels={"of": "mine"})) as container:
        assert container.status.state == container_pb2.CONTAINER_STATE_RUNNING
        assert container.spec.labels["of"] == "mine"
        assert container.intent.action == container_pb2.INTENT_ACTION_RUN
        assert (await wire.inspect("inline")).status.pid == container.status.pid


async def test_a_start_tells_its_steps_and_their_times(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        timeline = container.status.last_start
        names = [step.name for step in timeline.steps]
        assert {"rootfs", "files", "spec", "container", "task", "run"} <= set(names)
        assert names.index("container") < names.index("task") < names.index("run")
        assert {step.outcome for step in timeline.steps} == {container_pb2.STEP_OUTCOME_DONE}
        assert all(step.duration.ToNanoseconds() > 0 for step in timeline.steps)
        assert timeline.run == 1
        assert re.fullmatch(r"[0-9a-f]{32}", timeline.trace_id)


async def test_a_wrong_image_name_is_not_found_and_leaves_no_record(wire: Wire) -> None:
    before = len(await wire.list())
    spec = container_pb2.ContainerSpec(image="no/such:image", name="imageless")
    for refusal in (await refused(wire.run(spec)), await refused(wire.create(spec))):
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "IMAGE_NOT_FOUND")
        assert refusal.domain == "moorage"
        assert "no/such:image" in refusal.message
    assert len(await wire.list()) == before


async def test_the_process_gets_what_the_spec_says(wire: Wire) -> None:
    spec = shell(
        'echo "$GREETING|$(pwd)|$(id -u):$(id -g)|$(hostname)|$0|$1"',
        args=["zeroth", "first"],
        env=["GREETING=hello there"],
        working_dir="/tmp",
        user="1000:1001",
        hostname="berth",
    )
    async with wire.running(spec) as container:
        printed = await wire.printed(container.id)
    assert printed == b"hello there|/tmp|1000:1001|berth|zeroth|first\n"


async def test_a_host_name_of_its_own_is_the_beginning_of_the_id(wire: Wire) -> None:
    async with wire.running(shell("hostname")) as container:
        assert await wire.printed(container.id) == f"{container.id[:12]}\n".encode()


async def test_network_none_has_a_loopback_and_nothing_else(wire: Wire) -> None:
    async with wire.running(shell("ls /sys/class/net", network="none")) as container:
        assert await wire.printed(container.id) == b"lo\n"


async def test_the_writable_layer_survives_runs_and_goes_with_the_container(
    wire: Wire,
) -> None:
    script = "cat /mark 2>/dev/null || echo none; echo kept >/mark"
    async with wire.running(shell(script)) as container:
        first = await wire.printed(container.id)
        await wire.wait(container.id)
        again = (await wire.start(container.id)).container
        assert again.status.run == 2
        assert (first, await wire.printed(container.id)) == (b"none\n", b"kept\n")


@pytest.mark.parametrize("code", [0, 3, 255])
async def test_an_exit_is_shown_as_the_process_gave_it(wire: Wire, code: int) -> None:
    async with wire.running(shell(f"exit {code}")) as container:
        exited = (await wire.wait(container.id)).status
        assert exited.state == container_pb2.CONTAINER_STATE_EXITED
        assert (exited.exit.code, exited.exit.origin) == (
            code,
            container_pb2.EXIT_ORIGIN_PROCESS,
        )
        assert exited.pid == 0
        assert exited.finish_time.ToNanoseconds() >= exited.start_time.ToNanoseconds() > 0


async def test_auto_remove_takes_the_container_with_its_exit(wire: Wire) -> None:
    container = await wire.run(shell("exit 4", auto_remove=True, name="passing"))
    await wire.wait(container.id, container_service_pb2.WAIT_CONDITION_REMOVED)
    refusal = await refused(wire.inspect(container.id))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CONTAINER_NOT_FOUND")


async def test_list_goes_from_page_to_page_by_age(wire: Wire) -> None:
    containers = [await wire.create(sleeper()) for _ in range(5)]
    found: list[str] = []
    request = container_service_pb2.ListRequest(page_size=2)
    while True:
        page = await wire.containers.List(request, timeout=CALL_WITHIN)
        assert len(page.containers) <= 2
        found += [container.id for container in page.containers]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    for container in containers:
        await wire.remove(container.id)
    ours = {container.id for container in containers}
    assert [id_ for id_ in found if id_ in ours] == [container.id for container in containers]


async def test_stop_lets_the_process_end_by_itself(wire: Wire) -> None:
    async with wire.running(shell(OBEYS)) as container:
        await wire.until_printed(container.id, "ready")
        first = await wire.stop(container.id)
        second = await wire.stop(container.id)
        assert (first.already_stopped, second.already_stopped) == (False, True)
        assert first.container.status.state == container_pb2.CONTAINER_STATE_EXITED
        assert first.container.status.exit.code == 7
        assert first.container.intent.action == container_pb2.INTENT_ACTION_STOP
        assert second.container.status == first.container.status


async def test_stop_kills_whoever_does_not_listen(wire: Wire) -> None:
    async with wire.running(shell(DEAF)) as container:
        await wire.until_printed(container.id, "ready")
        exit_ = (await wire.stop(container.id, grace=0.2)).container.status.exit
        assert (exit_.code, exit_.origin, exit_.signal) == (
            137,
            container_pb2.EXIT_ORIGIN_SIGNAL,
            9,
        )


async def test_stop_sends_the_signal_that_spec_or_call_name(wire: Wire) -> None:
    script = "trap 'exit 11' USR1; trap 'exit 12' USR2; echo ready; sleep 100000 & wait"
    async with wire.running(shell(script, stop_signal="SIGUSR1")) as container:
        await wire.until_printed(container.id, "ready")
        by_spec = (await wire.stop(container.id)).container.status.exit.code
        await wire.start(container.id)
        await wire.until_printed(container.id, "ready")
        by_call = (await wire.stop(container.id, signal="USR2")).container.status.exit.code
        assert (by_spec, by_call) == (11, 12)


async def test_stop_goes_on_when_its_caller_goes_away(wire: Wire) -> None:
    async with wire.running(shell(DEAF)) as container:
        await wire.until_printed(container.id, "ready")
        request = container_service_pb2.StopRequest(container=container.id)
        request.timeout.FromMilliseconds(300)
        call = wire.containers.Stop(request, timeout=0.1)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await wire.wait(container.id)).status.exit.code == 137


async def test_wait_answers_not_reached_when_its_time_is_over(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        request = container_service_pb2.WaitRequest(container=container.id)
        request.timeout.FromMilliseconds(50)
        answer = await wire.containers.Wait(request, timeout=CALL_WITHIN)
        assert not answer.reached
        assert answer.container.status.pid == container.status.pid


async def test_wait_for_running_holds_for_a_run_that_has_ended_meanwhile(wire: Wire) -> None:
    running = container_service_pb2.WAIT_CONDITION_RUNNING
    async with wire.created(shell("exit 0")) as container:
        await wire.start(container.id)
        assert (await wire.wait(container.id, running)).status.run == 1


async def test_cleanup_refuses_to_end_a_process_unless_forced(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        refusal = await refused(wire.cleanup(container.id, force=False))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "CONTAINER_RUNNING",
        )
        assert processes.is_alive(container.status.pid)


async def test_cleanup_without_remove_keeps_record_layer_and_output(wire: Wire) -> None:
    async with wire.running(shell("echo said; sleep 100000")) as container:
        await wire.until_printed(container.id, "said")
        answer = await wire.cleanup(container.id, remove=False)
        assert answer.complete
        assert answer.container.status.state == container_pb2.CONTAINER_STATE_EXITED
        assert {row.kind for row in answer.resources} >= {"task", "bundle", "cgroup"}
        assert await wire.printed(container.id) == b"said\n"
        assert (await wire.start(container.id)).container.status.run == 2


async def test_cleanup_reports_every_resource_and_frees_the_name(wire: Wire) -> None:
    container = await wire.run(sleeper(name="berthed"))
    answer = await wire.cleanup("berthed")
    assert answer.complete
    assert {row.kind for row in answer.resources} == KINDS
    assert {row.outcome for row in answer.resources} <= {
        container_service_pb2.RELEASE_OUTCOME_RELEASED,
        container_service_pb2.RELEASE_OUTCOME_ALREADY_GONE,
    }
    assert answer.container.id == container.id
    refusal = await refused(wire.cleanup("berthed"))
    assert refusal.reason == "CONTAINER_NOT_FOUND"


async def test_cleanup_of_a_container_that_never_ran_is_legal(wire: Wire) -> None:
    container = await wire.create(sleeper())
    assert (await wire.cleanup(container.id, force=False)).complete
    assert (await refused(wire.inspect(container.id))).reason == "CONTAINER_NOT_FOUND"


async def test_server_info_tells_what_is_there(moored: Moored, site: Site, wire: Wire) -> None:
    info = await wire.server()
    assert info.instance == moored.instance
    assert info.containerd.address.removeprefix("unix://") == site.containerd.address.socket
    assert info.containerd.reachable
    assert not info.containerd.embedded
    assert info.containerd.version in seen.ctr(site.containerd.address, "default", "version")
    assert info.runtimes[0].name == "runc"
    assert info.runtimes[0].unavailable == ""
    assert "none" in info.networks
    assert any(service.startswith("moorage.v1.ContainerService") for service in info.services)


async def test_an_image_that_is_used_by_a_container_can_be_named_in_short(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        assert container.spec.image in {IMAGE, f"docker.io/library/{IMAGE}:latest"}


async def test_a_process_that_ends_at_once_is_seen_to_have_run(wire: Wire) -> None:
    async with wire.running(shell("exit 5")) as container:
        assert container.status.run == 1
        assert (await wire.wait(container.id)).status.exit.code == 5


async def test_an_exit_releases_what_the_run_held(site: Site, wire: Wire) -> None:
    before = site.look()
    async with wire.running(shell("exit 0")) as container:
        await wire.wait(container.id)

        def only_output_and_layer_are_left() -> bool:
            now = site.look()
            gone = (now.tasks, now.bundles, now.shims, now.cgroups, now.mounts)
            return gone == (
                before.tasks, before.bundles, before.shims, before.cgroups, before.mounts
            )  # fmt: skip

        await eventually(only_output_and_layer_are_left, "the run's resources are released")
