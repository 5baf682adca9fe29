"""Containers share ipc, pid and uts namespaces with others and with the host, as they were told.

Looked at from inside by the containers' own programs, and from outside by /proc.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import kernel
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

ALWAYS = container_pb2.RestartPolicy(condition=container_pb2.RESTART_CONDITION_ALWAYS)
EXITED = container_pb2.CONTAINER_STATE_EXITED
RUNNING = container_pb2.CONTAINER_STATE_RUNNING
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def trusting(site: Site) -> Moored:
    """A moored whose policy allows the host's namespaces to everybody."""
    policy = site.directory / "trusting.toml"
    policy.write_text("[roles.local]\nhost_ipc = true\nhost_pid = true\nhost_uts = true\n")
    return site.start_moored({"policy": str(policy)})


@pytest.fixture
async def trusted(trusting: Moored) -> AsyncIterator[Wire]:
    async with Wire(trusting.address) as connected:
        yield connected


def namespace(container: Container, kind: str) -> str:
    """Return what the kernel calls the namespace that a container's first process is in."""
    return os.readlink(f"/proc/{container.status.pid}/ns/{kind}")


def inside(container: Container, path: str) -> Path:
    """Return a file as the container sees it."""
    return Path(f"/proc/{container.status.pid}/root{path}")


def shared_memory(moored: Moored) -> set[str]:
    """Return the runs whose /dev/shm is mounted on the host."""
    return {Path(point).name for point in kernel.mounts(moored.state / "shm")}


async def until(wire: Wire, container: str, met: Callable[[Container], object]) -> Container:
    """Return the container as it is told of once it ``met`` what is waited for."""
    request = container_service_pb2.WatchRequest(since_revision=0)
    call = wire.containers.Watch(request, timeout=CALL_WITHIN)
    try:
        async for _ in call:
            if met(seen := await wire.inspect(container)):
                return seen
    finally:
        call.cancel()
    raise AssertionError("the watch ended")


async def test_a_container_without_a_wish_shares_nothing(wire: Wire) -> None:
    async with wire.running(sleeper()) as one, wire.running(sleeper()) as other:
        for kind in ("ipc", "pid", "uts"):
            assert namespace(one, kind) != os.readlink(f"/proc/self/ns/{kind}")
            assert namespace(one, kind) != namespace(other, kind)


async def test_s43_shared_memory_is_shared_and_unmounted_by_each_by_itself(
    wire: Wire, moored: Moored
) -> None:
    async with (
        wire.running(sleeper(name="owner", ipc="shareable", shm_size=4 * MIB)) as first,
        wire.running(sleeper(ipc="container:owner")) as second,
    ):
        assert namespace(first, "ipc") == namespace(second, "ipc")
        assert shared_memory(moored) == {f"{first.id}.1", f"{second.id}.1"}
        inside(first, "/dev/shm/said").write_text("by the first")
        assert inside(second, "/dev/shm/said").read_text() == "by the first"
        size = os.statvfs(inside(second, "/dev/shm"))
        assert size.f_blocks * size.f_frsize == 4 * MIB
        answer = await wire.cleanup("owner")
        assert answer.complete
        rows = {row.kind: row.outcome for row in answer.resources}
        assert rows["shm"] == container_service_pb2.RELEASE_OUTCOME_RELEASED
        assert shared_memory(moored) == {f"{second.id}.1"}
        assert inside(second, "/dev/shm/said").read_text() == "by the first"
    assert shared_memory(moored) == set()


async def test_message_queues_are_shared_with_the_ipc_namespace(wire: Wire) -> None:
    async with (
        wire.running(sleeper(name="owner", ipc="shareable")) as first,
        wire.running(sleeper(ipc="container:owner")) as second,
    ):
        inside(first, "/dev/mqueue/q").touch()
        assert inside(second, "/dev/mqueue/q").exists()


async def test_an_owner_that_is_started_again_shares_anew(wire: Wire) -> None:
    async with wire.running(shell(OBEYS, name="owner", ipc="shareable")) as first:
        await wire.until_printed("owner", "ready")
        async with wire.running(sleeper(name="user", ipc="container:owner")) as user:
            old = namespace(user, "ipc")
            await wire.stop("owner")
            again = (await wire.start("owner")).container
            assert namespace(again, "ipc") != old
            assert (await wire.inspect("user")).status.state == RUNNING
            await wire.stop("user", grace=0)
            user = (await wire.start("user")).container
            assert namespace(user, "ipc") == namespace(again, "ipc")
            assert first.id == again.id


async def test_processes_are_seen_by_whoever_shares_their_namespace(wire: Wire) -> None:
    async with (
        wire.running(sleeper(name="owner")) as first,
        wire.running(shell("readlink /proc/1/exe; echo $$; sleep 100000", pid="container:owner")),
    ):
        assert namespace(first, "pid") != os.readlink("/proc/self/ns/pid")
        seen = [c for c in await wire.list() if c.id != first.id]
        await wire.until_printed(seen[0].id, "/bin/busybox")
        assert namespace(seen[0], "pid") == namespace(first, "pid")


async def test_the_end_of_its_owner_kills_whoever_shares_a_pid_namespace(wire: Wire) -> None:
    async with (
        wire.running(sleeper(name="owner")),
        wire.running(sleeper(name="user", pid="container:owner")),
    ):
        await wire.cleanup("owner")
        ended = await wire.wait("user")
        assert (ended.status.exit.code, ended.status.exit.signal) == (137, 9)
        assert ended.status.exit.origin == container_pb2.EXIT_ORIGIN_SIGNAL


async def test_a_host_name_is_shared_and_known_to_programs(wire: Wire) -> None:
    script = "hostname; echo $HOSTNAME; cat /etc/hostname; sleep 100000"
    async with (
        wire.running(sleeper(name="owner", hostname="of-the-owner")) as first,
        wire.running(shell(script, uts="container:owner", name="user")) as user,
    ):
        assert namespace(first, "uts") == namespace(user, "uts")
        request = container_service_pb2.LogsRequest(
            container="user", follow=True, format=container_service_pb2.LOG_FORMAT_LINES
        )
        lines: list[str] = []
        async for part in wire.logs(request):
            lines += [part.line] if part.line else []
            if len(lines) == 3:
                break
        assert lines == ["of-the-owner"] * 3


@pytest.mark.parametrize("kind", ["ipc", "pid", "uts"])
async def test_the_hosts_are_for_those_whom_the_policy_allows_them(
    wire: Wire, trusted: Wire, kind: str
) -> None:
    spec = sleeper(**{kind: "host"})
    refusal = await refused(wire.run(spec))
    assert refusal.code is grpc.StatusCode.PERMISSION_DENIED
    assert refusal.fields == (f"spec.{kind}",)
    assert refusal.metadata["rule"] == f"host_{kind}"
    async with trusted.running(spec) as container:
        assert namespace(container, kind) == os.readlink(f"/proc/self/ns/{kind}")
        if kind == "ipc":
            shown, own = os.stat(inside(container, "/dev/shm")), os.stat("/dev/shm")
            assert (shown.st_dev, shown.st_ino) == (own.st_dev, own.st_ino)


async def test_an_owner_that_does_not_run_is_told_and_nothing_is_left(wire: Wire) -> None:
    async with wire.created(sleeper(name="owner", ipc="shareable")) as owner:
        refusal = await refused(wire.run(sleeper(name="user", ipc="container:owner")))
        assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
        assert refusal.reason == "NAMESPACE_OWNER_NOT_RUNNING"
        assert refusal.metadata["owner"] == owner.id
        assert refusal.metadata["step"] == "join"
        failed = await wire.inspect("user")
        assert (failed.status.state, failed.status.error.retriable) == (EXITED, True)
        await wire.start("owner")
        await wire.start("user")
        await wire.remove("user")


async def test_a_restart_policy_waits_for_the_owner(wire: Wire) -> None:
    async with (
        wire.running(sleeper(name="owner")),
        wire.running(sleeper(name="user", pid="container:owner", restart_policy=ALWAYS)) as user,
    ):
        await wire.stop("owner", grace=0)
        failed = await until(wire, user.id, lambda seen: seen.status.error.reason)
        assert failed.status.error.reason == "NAMESPACE_OWNER_NOT_RUNNING"
        await wire.start("owner")
        again = await wire.wait("user", container_service_pb2.WAIT_CONDITION_RUNNING)
        assert namespace(again, "pid") == namespace(await wire.inspect("owner"), "pid")


@pytest.mark.parametrize(
    ("owner", "kind", "words"),
    [
        ({}, "ipc", "not 'shareable'"),
        ({"ipc": "private"}, "ipc", "not 'shareable'"),
        ({"pid": "container:other"}, "pid", "name that one"),
    ],
)
async def test_only_an_owner_that_shares_is_joined(
    wire: Wire, owner: dict[str, str], kind: str, words: str
) -> None:
    async with (
        wire.created(sleeper(name="other")),
        wire.created(sleeper(name="owner", **owner)),
    ):
        refusal = await refused(wire.run(sleeper(name="user", **{kind: "container:owner"})))
        assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
        assert refusal.reason == "NAMESPACE_NOT_JOINABLE"
        assert words in refusal.message
        missing = await refused(wire.inspect("user"))
        assert missing.reason == "CONTAINER_NOT_FOUND"


async def test_a_container_that_is_not_there_is_told_before_anything_happens(wire: Wire) -> None:
    refusal = await refused(wire.create(sleeper(name="user", pid="container:nobody")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CONTAINER_NOT_FOUND")
    assert refusal.metadata["reference"] == "nobody"
    assert (await refused(wire.inspect("user"))).reason == "CONTAINER_NOT_FOUND"


async def test_no_circle_can_be_closed(wire: Wire) -> None:
    """Only a name that moves on lets a container name itself, and then it owns nothing."""
    async with (
        wire.created(sleeper(name="other")) as other,
        wire.created(sleeper(name="user", pid="container:other")) as user,
    ):
        await wire.remove(other.id)
        rename = container_service_pb2.RenameRequest(container=user.id, new_name="other")
        await wire.containers.Rename(rename)
        refusal = await refused(wire.start("other"))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.pid",))


async def test_shared_memory_is_as_large_as_asked(wire: Wire) -> None:
    async with wire.running(sleeper(shm_size=2 * MIB)) as container:
        size = os.statvfs(inside(container, "/dev/shm"))
        assert size.f_blocks * size.f_frsize == 2 * MIB


async def test_a_read_only_root_filesystem_cannot_be_written_but_for_its_mounts(
    wire: Wire,
) -> None:
    script = "touch /x 2>/dev/null && echo wrote; touch /dev/shm/x && echo may; cat /etc/hostname"
    spec = shell(script, read_only_rootfs=True, hostname="still-here")
    async with wire.running(spec) as container:
        assert await wire.printed(container.id) == b"may\nstill-here\n"


async def test_a_plan_mounts_nothing_and_marks_what_only_a_start_knows(
    wire: Wire, moored: Moored
) -> None:
    async with wire.created(sleeper(name="owner", ipc="shareable")):
        request = container_service_pb2.StartRequest(
            spec=sleeper(ipc="container:owner"), validate_only=True
        )
        plan = (await wire.containers.Start(request)).plan
        assert "(that of owner)" in plan.runtime_spec
        steps = {step.name: list(step.acquires) for step in plan.steps}
        assert steps["join"] == []
        assert [thing.split()[0] for thing in steps["mounts"]] == ["shm"]
        assert shared_memory(moored) == set()


async def test_killed_in_mid_start_moored_leaves_neither_mount_nor_directory(
    own_moored: Moored, own_wire: Wire, gate: GatedRuntime
) -> None:
    owner = sleeper(name="owner", ipc="shareable")
    async with own_wire.running(owner):
        with gate.holding("create"):
            spec = sleeper(name="user", ipc="container:owner", runtime="gated")
            call = own_wire.containers.Start(container_service_pb2.StartRequest(spec=spec))
            await gate.arrival()
            assert len(shared_memory(own_moored)) == 2
            own_moored.kill()
            call.cancel()
        own_moored.start()
        await own_wire.wait("user")
        assert len(shared_memory(own_moored)) == 1
        await own_wire.start("user")  # its owner is known by the ledger alone
        await own_wire.remove("user")
