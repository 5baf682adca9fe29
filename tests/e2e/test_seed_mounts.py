"""Mounts keep what they descend from: their part of the rows S17, S44, S46, S48 and S50."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2, event_pb2
from tests.outside import kernel
from tests.real.mounts import bind, tmpfs, volume
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, refused

if TYPE_CHECKING:
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

FAILED = container_service_pb2.RELEASE_OUTCOME_FAILED


async def test_s17_mounts_are_set_up_and_taken_back_if_the_start_fails(
    mounts: Wire, bind_root: Path, gate: GatedRuntime
) -> None:
    made = bind_root / "s17"
    asked = [volume("s17", "/v"), volume("", "/w"), bind(made, "/b", create_source=True)]
    async with mounts.created(sleeper(runtime="gated", mounts=asked)) as container:
        with gate.failing("start"):
            await refused(mounts.start(container.id))
        assert not await mounts.list_volumes()
        assert not made.exists()
        started = (await mounts.start(container.id)).container
        assert {one.destination for one in started.status.mounts} == {"/v", "/w", "/b"}
        assert len(await mounts.list_volumes()) == 2
        assert made.is_dir()
    assert len((await mounts.prune_volumes(all=True)).removed) == 2


async def test_s44_s46_nothing_is_mounted_on_the_host_but_the_root_filesystem(
    mounts: Wire, site: Site, bind_root: Path
) -> None:
    before = kernel.mounts(site.directory)
    asked = [volume("s46", "/v"), tmpfs("/v/t"), bind(bind_root, "/b"), tmpfs("/b2")]
    async with mounts.running(sleeper(mounts=asked)) as container:
        added = kernel.mounts(site.directory) - before
        assert [point.endswith("/rootfs") for point in added] == [True]
        assert container.id in next(iter(added))
    assert kernel.mounts(site.directory) == before
    await mounts.remove_volume("s46")


async def test_s46_what_was_mounted_in_a_container_is_gone_with_it(
    mounts: Wire, bind_root: Path
) -> None:
    """Also what was mounted there later, and though somebody has a file open in it."""
    async with mounts.running(sleeper(mounts=[volume("busy", "/v")])) as container:
        data = Path((await mounts.volume("busy")).path)
        (data / "inner").mkdir()
        words = ["nsenter", "-t", str(container.status.pid), "-m", "/bin/busybox", "mount"]
        subprocess.run([*words, "-t", "tmpfs", "t", "/v/inner"], check=True, timeout=10)
        (data / "open").touch()
        with (data / "open").open():
            answer = await mounts.cleanup(container.id)
            assert answer.complete
        assert not (data / "inner").is_mount()
    await mounts.remove_volume("busy")


async def test_s48_each_volume_is_told_as_it_is_mounted_and_unmounted(mounts: Wire) -> None:
    asked = [volume("s48", "/v"), volume("", "/w", read_only=True), tmpfs("/t")]
    told: list[tuple[str, str, str, bool]] = []
    watch = mounts.containers.Watch(
        container_service_pb2.WatchRequest(), timeout=CALL_WITHIN, wait_for_ready=True
    )
    await watch.read()  # the heartbeat that it begins with
    container = await mounts.run(shell("exit 0", mounts=asked))
    while len(told) < 4:
        answer = await watch.read()
        assert isinstance(answer, container_service_pb2.WatchResponse)
        event = answer.event
        if event.container == container.id and event.HasField("volume"):
            it = event.volume
            kind = event_pb2.EventKind.Name(event.kind).removeprefix("EVENT_KIND_VOLUME_")
            name = it.name if it.destination == "/v" else ""
            told.append((kind, name, it.destination, it.read_only))
    watch.cancel()
    assert told == [
        ("MOUNTED", "s48", "/v", False),
        ("MOUNTED", "", "/w", True),
        ("UNMOUNTED", "s48", "/v", False),
        ("UNMOUNTED", "", "/w", True),
    ]
    await mounts.remove(container.id)
    await mounts.prune_volumes(all=True)


async def test_s50_a_volume_that_cannot_be_removed_is_told_and_tried_again(mounts: Wire) -> None:
    """Somebody has mounted something in it: that is not ours to take away."""
    container = await mounts.run(sleeper(mounts=[volume("", "/v")]))
    [own] = await mounts.list_volumes()
    place = Path(own.path) / "foreign"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "foreign", place], check=True, timeout=10)
    request = container_service_pb2.CleanupRequest(
        container=container.id, force=True, remove=True, remove_volumes=True
    )
    answer = await mounts.containers.Cleanup(request, timeout=CALL_WITHIN)
    failed = [row for row in answer.resources if row.outcome == FAILED]
    assert not answer.complete
    assert [(row.kind, row.key) for row in failed] == [("volume", own.name)]
    assert str(place) in failed[0].reason
    left = await mounts.inspect(container.id)
    assert left.status.state == container_pb2.CONTAINER_STATE_REMOVING
    assert [leftover.key for leftover in left.status.leftovers] == [own.name]
    refusal = await refused(mounts.remove_volume(own.name))
    assert refusal.reason == "VOLUME_IN_USE"
    subprocess.run(["umount", place], check=True, timeout=10)
    await mounts.wait(container.id, container_service_pb2.WAIT_CONDITION_REMOVED)
    assert not await mounts.list_volumes()


async def test_a_source_that_is_exchanged_before_it_is_mounted_starts_nothing(
    mounts: Wire, bind_root: Path, gate: GatedRuntime
) -> None:
    """Between the look at it and the runtime's mount: the program has not run when it is seen."""
    source, ran = bind_root / "exchanged", bind_root / "ran"
    source.mkdir()
    ran.mkdir()
    spec = shell("touch /ran/it", runtime="gated", mounts=[bind(source, "/h"), bind(ran, "/ran")])
    async with mounts.created(spec) as container:
        with gate.holding("create"):
            start = mounts.containers.Start(
                container_service_pb2.StartRequest(container=container.id), timeout=CALL_WITHIN
            )
            await gate.arrival()
            source.rmdir()
            source.symlink_to("/etc")
        refusal = await refused(start)
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "BIND_NOT_ALLOWED",
        )
        assert refusal.metadata["step"] == "compare"
        assert not (ran / "it").exists()
