"""Pause, kill, restart, rename, update, prune, filters: what they say is so, on real containerd."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as service
from moorage.v1.container_pb2 import (
    CONTAINER_STATE_CREATED,
    CONTAINER_STATE_EXITED,
    CONTAINER_STATE_PAUSED,
    CONTAINER_STATE_RUNNING,
    INTENT_ACTION_RUN,
    INTENT_ACTION_STOP,
    RESTART_CONDITION_ON_FAILURE,
    ContainerSpec,
    RestartPolicy,
)
from tests.outside import containerd as seen
from tests.outside import processes
from tests.real.specs import DEAF, OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

COUNTS = "trap 'echo hup' HUP; echo ready; while true; do sleep 0.05; done"


def labelled(**labels: str) -> service.ContainerFilter:
    return service.ContainerFilter(labels=[f"{key}={value}" for key, value in labels.items()])


async def pause(wire: Wire, container: str) -> container_pb2.Container:
    request = service.PauseRequest(container=container)
    return (await wire.containers.Pause(request, timeout=CALL_WITHIN)).container


async def resume(wire: Wire, container: str) -> container_pb2.Container:
    request = service.ResumeRequest(container=container)
    return (await wire.containers.Resume(request, timeout=CALL_WITHIN)).container


async def kill(wire: Wire, container: str, name: str = "") -> container_pb2.Container:
    request = service.KillRequest(container=container, signal=name)
    return (await wire.containers.Kill(request, timeout=CALL_WITHIN)).container


async def restart(wire: Wire, container: str) -> container_pb2.Container:
    request = service.RestartRequest(container=container)
    return (await wire.containers.Restart(request, timeout=CALL_WITHIN)).container


async def rename(wire: Wire, container: str, name: str) -> container_pb2.Container:
    request = service.RenameRequest(container=container, new_name=name)
    return (await wire.containers.Rename(request, timeout=CALL_WITHIN)).container


async def update(
    wire: Wire, container: str, spec: ContainerSpec, *fields: str, etag: str = ""
) -> container_pb2.Container:
    request = service.UpdateRequest(container=container, spec=spec, etag=etag)
    request.update_mask.paths.extend(fields)
    return (await wire.containers.Update(request, timeout=CALL_WITHIN)).container


async def listed(wire: Wire, chosen: service.ContainerFilter) -> list[str]:
    request = service.ListRequest(filter=chosen)
    page = await wire.containers.List(request, timeout=CALL_WITHIN)
    return [container.id for container in page.containers]


async def until(
    wire: Wire, container: str, state: container_pb2.ContainerState, *, run: int
) -> None:
    """Return once a run of the container has come to ``state``."""
    async with asyncio.timeout(CALL_WITHIN):
        while True:
            status = (await wire.inspect(container)).status
            if (status.run, status.state) == (run, state):
                return
            await asyncio.sleep(0.01)


async def test_pause_freezes_the_process_and_resume_lets_it_go_on(
    site: Site, moored: Moored, wire: Wire
) -> None:
    async with wire.running(shell("while true; do echo tick; sleep 0.01; done")) as container:
        await wire.until_printed(container.id, "tick")
        paused = await pause(wire, container.id)
        tasks = seen.task_list(site.containerd.address, moored.instance)
        assert paused.status.state == CONTAINER_STATE_PAUSED
        assert paused.status.pid == container.status.pid
        frozen = seen.SeenTask(f"{container.id}.1", container.status.pid, "PAUSED")
        assert frozen in tasks
        before = await wire.printed(container.id, follow=False)
        assert await pause(wire, container.id) == paused
        assert await wire.printed(container.id, follow=False) == before
        resumed = await resume(wire, container.id)
        assert resumed.status.state == CONTAINER_STATE_RUNNING
        assert await resume(wire, container.id) == resumed
        stopped = await wire.stop(container.id, grace=0)
    assert stopped.container.status.exit.signal == 9


async def test_a_paused_container_is_neither_started_nor_stopped_and_can_be_cleaned_up(
    wire: Wire,
) -> None:
    container = await wire.run(sleeper())
    await pause(wire, container.id)
    for call in (wire.start(container.id), wire.stop(container.id), restart(wire, container.id)):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "CONTAINER_PAUSED",
        )
    assert (await wire.cleanup(container.id)).complete
    assert not processes.is_alive(container.status.pid)


async def test_a_paused_container_can_be_killed(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        await pause(wire, container.id)
        await kill(wire, container.id)
        exit_ = (await wire.wait(container.id)).status.exit
        assert (exit_.code, exit_.signal) == (137, 9)


async def test_what_does_not_run_is_neither_paused_nor_killed(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        for verb in (pause, resume, kill):
            refusal = await refused(verb(wire, container.id))
            assert (refusal.code, refusal.reason) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "CONTAINER_NOT_RUNNING",
            )


@pytest.mark.parametrize("name", ["SIGHUP", "hup", "1"])
async def test_kill_sends_any_signal_by_name_or_number(wire: Wire, name: str) -> None:
    async with wire.running(shell(COUNTS)) as container:
        await wire.until_printed(container.id, "ready")
        signalled = await kill(wire, container.id, name)
        assert signalled.status.state == CONTAINER_STATE_RUNNING
        assert signalled.intent.action == INTENT_ACTION_RUN
        await wire.until_printed(container.id, "hup")


async def test_kill_ends_the_process_unless_told_otherwise(wire: Wire) -> None:
    async with wire.running(shell(DEAF)) as container:
        await wire.until_printed(container.id, "ready")
        await kill(wire, container.id)
        ended = await wire.wait(container.id)
        assert ended.status.exit.signal == 9
        assert ended.intent.action == INTENT_ACTION_STOP


async def test_what_is_no_signal_is_refused(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        refusal = await refused(kill(wire, container.id, "SIGNONE"))
        assert refusal.reason == "INVALID_FIELD"
        assert refusal.fields == ("signal",)


async def test_restart_ends_one_run_and_begins_the_next(wire: Wire) -> None:
    async with wire.running(shell(OBEYS)) as container:
        await wire.until_printed(container.id, "ready")
        again = await restart(wire, container.id)
        assert (again.status.state, again.status.run) == (CONTAINER_STATE_RUNNING, 2)
        assert again.intent.action == INTENT_ACTION_RUN
        assert again.status.restart_count == 0
        assert not processes.is_alive(container.status.pid)
        assert processes.is_alive(again.status.pid)


async def test_restart_of_what_does_not_run_is_a_start(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        assert (await restart(wire, container.id)).status.run == 1


async def test_auto_remove_waits_for_the_run_after_a_restart(wire: Wire) -> None:
    container = await wire.run(shell(OBEYS, auto_remove=True))
    await wire.until_printed(container.id, "ready")
    assert (await restart(wire, container.id)).status.run == 2
    await wire.until_printed(container.id, "ready")
    assert (await wire.stop(container.id)).container.status.exit.code == 7
    assert (await refused(wire.inspect(container.id))).reason == "CONTAINER_NOT_FOUND"


async def test_rename_takes_the_new_name_and_frees_the_old_one(wire: Wire) -> None:
    async with wire.running(sleeper(name="before")) as container:
        renamed = await rename(wire, "before", "after")
        assert (renamed.name, renamed.spec.name) == ("after", "after")
        assert renamed.generation == container.generation + 1
        assert await rename(wire, "after", "after") == renamed
        assert (await refused(wire.inspect("before"))).reason == "CONTAINER_NOT_FOUND"
        async with wire.created(sleeper(name="before")) as other:
            refusal = await refused(rename(wire, other.id, "after"))
            assert (refusal.code, refusal.reason) == (
                grpc.StatusCode.ALREADY_EXISTS,
                "NAME_TAKEN",
            )
            assert refusal.metadata["container"] == container.id


async def test_update_changes_the_spec_and_not_the_status(wire: Wire) -> None:
    async with wire.running(sleeper(labels={"a": "b"})) as container:
        spec = ContainerSpec(labels={"c": "d"}, stop_signal="INT")
        updated = await update(wire, container.id, spec, "labels", "stop_signal")
        assert dict(updated.spec.labels) == {"c": "d"}
        assert updated.spec.stop_signal == "INT"
        assert updated.generation == 2
        assert updated.status == container.status
        assert await update(wire, container.id, spec, "labels", "stop_signal") == updated


async def test_update_refuses_what_cannot_change_and_what_is_no_field(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        spec = ContainerSpec(image="other")
        refusal = await refused(update(wire, container.id, spec, "image"))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.image",))
        refusal = await refused(update(wire, container.id, spec, "colour"))
        assert refusal.fields == ("update_mask.paths[0]",)
        refusal = await refused(update(wire, container.id, spec))
        assert refusal.fields == ("update_mask",)


async def test_a_stale_etag_is_refused_and_tells_the_new_one(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        spec = ContainerSpec(labels={"a": "b"})
        await update(wire, container.id, spec, "labels", etag=str(container.generation))
        refusal = await refused(update(wire, container.id, ContainerSpec(), "labels", etag="1"))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
        assert refusal.metadata["etag"] == "2"
        refusal = await refused(update(wire, container.id, spec, "labels", etag="two"))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("etag",))


async def test_an_update_calls_off_a_restart_that_it_does_not_ask_for(wire: Wire) -> None:
    policy = RestartPolicy(condition=RESTART_CONDITION_ON_FAILURE)
    async with wire.running(shell("exit 3", restart_policy=policy)) as container:
        await wire.wait(container.id, service.WAIT_CONDITION_NEXT_EXIT)
        await update(wire, container.id, ContainerSpec(), "restart_policy")
        ended = await wire.wait(container.id)
        assert ended.status.state == CONTAINER_STATE_EXITED
        assert not ended.status.HasField("restart")


async def test_a_list_can_be_filtered_by_all_that_a_container_is(wire: Wire) -> None:
    async with (
        wire.running(sleeper(name="listed-1", labels={"set": "listed", "n": "1"})) as one,
        wire.created(sleeper(name="listed-2", labels={"set": "listed", "n": "2"})) as two,
    ):
        ours = labelled(set="listed")
        assert await listed(wire, ours) == [one.id, two.id]
        by_state = service.ContainerFilter(
            states=[CONTAINER_STATE_CREATED, CONTAINER_STATE_EXITED], labels=["set=listed"]
        )
        assert await listed(wire, by_state) == [two.id]
        assert await listed(wire, labelled(set="listed", n="1")) == [one.id]
        names = service.ContainerFilter(names=["listed-2", "nobody"])
        assert await listed(wire, names) == [two.id]
        images = service.ContainerFilter(images=["busybox"], labels=["n"])
        assert await listed(wire, images) == [one.id, two.id]
        digest = service.ContainerFilter(images=[one.status.image_digest], labels=["n"])
        assert await listed(wire, digest) == [one.id, two.id]
        news = service.ContainerFilter(since_revision=two.revision)
        assert not {one.id, two.id} & set(await listed(wire, news))
        await update(wire, one.id, ContainerSpec(labels=one.spec.labels, stop_signal="INT"),
                     "stop_signal")  # fmt: skip
        assert await listed(wire, news) == [one.id]


async def test_a_filtered_list_goes_from_page_to_page(wire: Wire) -> None:
    containers = [
        await wire.create(sleeper(labels={"set": "paged", "odd": str(number % 2)}))
        for number in range(7)
    ]
    found: list[str] = []
    request = service.ListRequest(page_size=2, filter=labelled(set="paged", odd="1"))
    while True:
        page = await wire.containers.List(request, timeout=CALL_WITHIN)
        found += [container.id for container in page.containers]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    for container in containers:
        await wire.remove(container.id)
    assert found == [container.id for container in containers[1::2]]


async def test_a_filter_that_is_none_is_refused_by_its_field(wire: Wire) -> None:
    for chosen, field in (
        (service.ContainerFilter(labels=["=x"]), "filter.labels[0]"),
        (service.ContainerFilter(names=[""]), "filter.names[0]"),
        (service.ContainerFilter(images=["NOT A NAME"]), "filter.images[0]"),
    ):
        assert (await refused(listed(wire, chosen))).fields == (field,)


async def test_wait_for_the_next_exit_passes_over_the_last_one(wire: Wire) -> None:
    async with wire.running(shell("exit 3")) as container:
        await wire.wait(container.id)
        request = service.WaitRequest(
            container=container.id, condition=service.WAIT_CONDITION_NEXT_EXIT
        )
        request.timeout.FromMilliseconds(50)
        assert not (await wire.containers.Wait(request, timeout=CALL_WITHIN)).reached


async def test_each_wait_for_the_next_exit_meets_another_one(wire: Wire) -> None:
    policy = RestartPolicy(condition=RESTART_CONDITION_ON_FAILURE)
    async with wire.running(shell("exit 3", restart_policy=policy)) as container:
        runs = [
            (await wire.wait(container.id, service.WAIT_CONDITION_NEXT_EXIT)).status.run
            for _ in range(3)
        ]
        assert sorted(set(runs)) == runs
        assert (await wire.stop(container.id)).container.status.state == CONTAINER_STATE_EXITED


async def test_prune_removes_what_has_no_process_and_fits(wire: Wire) -> None:
    label = {"set": "pruned"}
    created = await wire.create(sleeper(labels=label))
    ended = await wire.run(shell("exit 0", labels=label))
    other = await wire.create(sleeper(labels={"set": "kept"}))
    await wire.wait(ended.id)
    async with wire.running(sleeper(labels=label)) as running:
        request = service.PruneRequest(filter=labelled(set="pruned"))
        answer = await wire.containers.Prune(request, timeout=CALL_WITHIN)
        assert list(answer.removed) == [created.id, ended.id]
        assert list(answer.incomplete) == []
        again = await wire.containers.Prune(request, timeout=CALL_WITHIN)
        assert list(again.removed) == []
        assert await listed(wire, labelled(set="pruned")) == [running.id]
    assert (await wire.inspect(other.id)).id == other.id
    await wire.remove(other.id)


async def test_a_restart_goes_on_in_the_moored_that_comes_after(
    own_moored: Moored, own_wire: Wire
) -> None:
    spec = shell(DEAF)
    spec.stop_timeout.FromSeconds(600)
    container = await own_wire.run(spec)
    await own_wire.until_printed(container.id, "ready")
    request = service.RestartRequest(container=container.id)
    call = own_wire.containers.Restart(request, timeout=CALL_WITHIN)
    await until(own_wire, container.id, container_pb2.CONTAINER_STATE_STOPPING, run=1)
    own_moored.kill()
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    own_moored.start()
    processes.end(container.status.pid, signal.SIGKILL)
    await until(own_wire, container.id, CONTAINER_STATE_RUNNING, run=2)
    await own_wire.remove(container.id)
