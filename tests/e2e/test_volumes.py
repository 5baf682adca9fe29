"""Volumes outlive containers, are filled from an image once, and go when nobody uses them."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2, volume_service_pb2
from tests.e2e.conftest import RICH, WANTING
from tests.real.mounts import bind, volume
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, refused

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.wire import Wire

pytestmark = pytest.mark.real


async def test_a_new_volume_gets_what_the_image_has_there(mounts: Wire) -> None:
    """Owners, modes, links, devices and attributes included, and nothing from outside of it."""
    spec = sleeper(mounts=[volume("filled", "/data")])
    spec.image = RICH
    async with mounts.running(spec):
        data = Path((await mounts.volume("filled")).path)
        found = {path.name: path.lstat() for path in data.rglob("*")}
        assert set(found) == {"plain", "twin", "program", "pipe", "null", "out", "deep", "file"}
        assert _owner(data.lstat()) == (1000, 2000, 0o750)
        assert _owner(found["plain"]) == (1, 2, 0o640)
        assert found["plain"].st_ino == found["twin"].st_ino
        assert os.getxattr(data / "plain", "user.note") == b"kept"
        assert stat.S_IMODE(found["program"].st_mode) == 0o4755
        assert stat.S_ISFIFO(found["pipe"].st_mode)
        assert os.major(found["null"].st_rdev) == 1
        assert str((data / "out").readlink()) == "/../../../../etc/passwd"
        assert _owner(found["deep"]) == (3, 3, 0o700)
        assert (data / "deep" / "file").read_text() == "deep"
    await mounts.remove_volume("filled")


async def test_the_destination_may_be_a_link_in_the_image(mounts: Wire) -> None:
    for link, seen in (("/link", b"plain"), ("/escape", b"")):
        spec = shell(f"cat {link}/plain; touch {link}/mine", mounts=[volume("linked", link)])
        spec.image = RICH
        async with mounts.running(spec) as container:
            assert await mounts.printed(container.id) == seen
            assert (Path((await mounts.volume("linked")).path) / "mine").exists()
        await mounts.remove_volume("linked")
    assert not Path("/tmp/mine").exists()


async def test_a_volume_that_is_not_empty_is_left_as_it_is(mounts: Wire) -> None:
    made = await mounts.create_volume("kept", labels={"of": "mine"})
    (Path(made.path) / "own").write_text("own")
    spec = shell("ls /data", mounts=[volume("kept", "/data")])
    spec.image = RICH
    async with mounts.running(spec) as container:
        assert await mounts.printed(container.id) == b"own\n"
    assert (await mounts.volume("kept")).labels == {"of": "mine"}
    await mounts.remove_volume("kept")


async def test_no_copy_leaves_an_empty_volume_empty(mounts: Wire) -> None:
    spec = shell("ls -a /data", mounts=[volume("bare", "/data", no_copy=True)])
    spec.image = RICH
    async with mounts.running(spec) as container:
        assert await mounts.printed(container.id) == b".\n..\n"
    await mounts.remove_volume("bare")


async def test_what_a_container_emptied_stays_empty_in_its_next_run(mounts: Wire) -> None:
    spec = shell("ls /data | wc -l; rm -rf /data/*", mounts=[volume("emptied", "/data")])
    spec.image = RICH
    async with mounts.created(spec) as container:
        for run, said in ((1, b"7\n"), (2, b"0\n")):
            await mounts.start(container.id)
            assert await mounts.printed(container.id, run=run) == said
            await mounts.wait(container.id)
    await mounts.remove_volume("emptied")


async def test_the_volumes_of_an_image_are_anonymous_and_go_if_that_is_asked_for(
    mounts: Wire,
) -> None:
    spec = shell("cat /wanted/seed; grep -c ' /wanted ' /proc/mounts")
    spec.image = WANTING
    for keep in (False, True):
        container = await mounts.run(spec)
        assert await mounts.printed(container.id) == b"seed1\n"
        [own] = await _anonymous(mounts, container)
        await _cleanup(mounts, container.id, volumes=not keep)
        assert [v.name for v in await mounts.list_volumes()] == ([own] if keep else [])
    pruned = await mounts.prune_volumes()
    assert list(pruned.removed) == [own]
    assert not pruned.incomplete


async def test_auto_remove_takes_anonymous_volumes_along_and_no_others(mounts: Wire) -> None:
    asked = [volume("", "/a"), volume("stays", "/b")]
    spec = shell("exit 0", mounts=asked, auto_remove=True)
    spec.image = WANTING
    container = await mounts.run(spec)
    await mounts.wait(container.id, container_service_pb2.WAIT_CONDITION_REMOVED)
    assert [v.name for v in await mounts.list_volumes()] == ["stays"]
    await mounts.remove_volume("stays")


async def test_two_containers_share_a_volume_one_of_them_read_only(mounts: Wire) -> None:
    write = shell("echo one > /v/f; sleep 1000", mounts=[volume("shared", "/v")])
    read = shell(
        "until cat /r/f 2>/dev/null; do sleep 0.05; done; touch /r/x || echo refused",
        mounts=[volume("shared", "/r", read_only=True)],
    )
    async with mounts.running(write) as writer, mounts.running(read) as reader:
        assert await mounts.printed(reader.id) == b"one\nrefused\n"
        assert set((await mounts.volume("shared")).containers) == {writer.id, reader.id}
    await mounts.remove_volume("shared")


async def test_a_volume_in_use_is_not_removed_and_names_its_users(mounts: Wire) -> None:
    async with mounts.running(shell("exit 0", mounts=[volume("used", "/v")])) as container:
        await mounts.wait(container.id)
        refusal = await refused(mounts.remove_volume("used"))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "VOLUME_IN_USE",
        )
        assert refusal.metadata == {"volume": "used", "containers": container.id}
        assert not (await mounts.prune_volumes(all=True)).removed
    await mounts.remove_volume("used")
    refusal = await refused(mounts.remove_volume("used"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "VOLUME_NOT_FOUND")


async def test_of_many_starts_with_one_new_volume_each_finds_it_whole(mounts: Wire) -> None:
    spec = shell("ls /data | wc -l", mounts=[volume("raced", "/data")])
    spec.image = RICH
    started = await asyncio.gather(*(mounts.run(spec) for _ in range(6)))
    for container in started:
        assert await mounts.printed(container.id) == b"7\n"
        await mounts.remove(container.id)
    await mounts.remove_volume("raced")


async def test_a_volume_is_deleted_whatever_is_in_it(mounts: Wire) -> None:
    """Deeper than paths are long, without permissions, full of links that lead elsewhere."""
    script = (
        "cd /v; ln -s /proc/1/root/etc out; mknod null c 1 3; mkfifo pipe; chmod 000 .;"
        " i=0; while [ $i -lt 3000 ]; do mkdir d && cd d; i=$((i+1)); done; touch end"
    )
    async with mounts.running(shell(script, mounts=[volume("hostile", "/v")])) as container:
        assert (await mounts.wait(container.id)).status.exit.code == 0
        home = Path((await mounts.volume("hostile")).path).parent
    await mounts.remove_volume("hostile")
    assert not home.exists()


async def test_create_is_idempotent_by_request_and_refuses_a_name_that_is_taken(
    mounts: Wire,
) -> None:
    first = await mounts.create_volume("once", request_id="volume-once")
    assert await mounts.create_volume("once", request_id="volume-once") == first
    refusal = await refused(mounts.create_volume("once"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")
    await mounts.remove_volume("once")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "-v", "ü", "a b", "x" * 129, "a\nb"])
async def test_names_that_are_no_names_are_refused(mounts: Wire, name: str) -> None:
    refusal = await refused(mounts.create_volume(name))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("name",))
    refusal = await refused(mounts.create(sleeper(mounts=[volume(name, "/v")])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.mounts[0].source",))


async def test_list_turns_pages_and_filters(mounts: Wire) -> None:
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        await mounts.create_volume(name, labels={"half": str(int(name[-1]) % 2)})
    request = volume_service_pb2.VolumeServiceListRequest(page_size=2)
    seen: list[str] = []
    while True:
        page = await mounts.volumes.List(request, timeout=CALL_WITHIN)
        seen += [one.name for one in page.volumes]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == names
    wanted = volume_service_pb2.VolumeFilter(labels=["half=1"])
    assert [v.name for v in await mounts.list_volumes(wanted)] == ["page-1", "page-3"]
    request.page_token = "nonsense"
    assert (await refused(mounts.volumes.List(request))).reason == "INVALID_PAGE_TOKEN"
    assert list((await mounts.prune_volumes(all=True)).removed) == names


async def test_volumes_are_there_after_a_restart_of_moored(mounting: Moored, mounts: Wire) -> None:
    async with mounts.running(sleeper(mounts=[volume("lasting", "/v")])) as container:
        mounting.restart()
        assert list((await mounts.volume("lasting")).containers) == [container.id]
        assert (await mounts.inspect(container.id)).status.mounts[0].source == "lasting"
    await mounts.remove_volume("lasting")


async def test_a_failed_start_takes_back_the_volumes_and_sources_that_it_made(
    mounts: Wire, bind_root: Path
) -> None:
    made = bind_root / "new" / "deeper"
    asked = [volume("undone", "/v"), volume("", "/w"), bind(made, "/b", create_source=True)]
    spec = sleeper(mounts=asked)
    spec.command[:] = ["/no/such/program"]
    refusal = await refused(mounts.run(spec))
    assert refusal.reason == "COMMAND_NOT_FOUND"
    assert await mounts.list_volumes() == []
    assert not (bind_root / "new").exists()
    await mounts.remove(refusal.metadata["container"])


async def _anonymous(mounts: Wire, container: Container) -> list[str]:
    wanted = volume_service_pb2.VolumeFilter(anonymous=True)
    found = await mounts.list_volumes(wanted)
    return [one.name for one in found if container.id in one.containers]


async def _cleanup(mounts: Wire, container: str, *, volumes: bool) -> None:
    request = container_service_pb2.CleanupRequest(
        container=container, force=True, remove=True, remove_volumes=volumes
    )
    answer = await mounts.containers.Cleanup(request, timeout=CALL_WITHIN)
    assert answer.complete, str(answer)


def _owner(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
