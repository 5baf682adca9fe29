"""Binds and tmpfs are in a container as they were asked for, and never more than that."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.e2e.conftest import RICH
from tests.real.mounts import bind, tmpfs, volume
from tests.real.specs import shell, sleeper
from tests.real.wire import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.wire import Wire

pytestmark = pytest.mark.real

SHARED = container_pb2.MOUNT_PROPAGATION_SHARED
SLAVE = container_pb2.MOUNT_PROPAGATION_SLAVE
PRIVATE = container_pb2.MOUNT_PROPAGATION_PRIVATE


async def test_data_in_a_volume_survives_its_container(mounts: Wire) -> None:
    for script, said in (("echo hello > /v/f; cat /v/f", b"hello\n"), ("cat /v/f", b"hello\n")):
        async with mounts.running(shell(script, mounts=[volume("survives", "/v")])) as container:
            assert await mounts.printed(container.id) == said
    await mounts.remove_volume("survives")


async def test_a_bind_shows_the_host_and_read_only_it_cannot_be_written(
    mounts: Wire, bind_root: Path
) -> None:
    (bind_root / "plain").mkdir()
    (bind_root / "plain" / "f").write_text("host\n")
    script = "cat /h/f; touch /h/new && echo written; touch /r/new || echo refused"
    asked = [bind(bind_root / "plain", "/h"), bind(bind_root / "plain", "/r", read_only=True)]
    async with mounts.running(shell(script, mounts=asked)) as container:
        assert await mounts.printed(container.id) == b"host\nwritten\nrefused\n"
    assert (bind_root / "plain" / "new").exists()


async def test_a_file_is_bound_onto_a_file(mounts: Wire, bind_root: Path) -> None:
    source = bind_root / "file,with: odd=name ü"
    source.write_text("odd\n")
    spec = shell("cat '/a b/ü,x:y'", mounts=[bind(source, "/a b/ü,x:y", read_only=True)])
    async with mounts.running(spec) as container:
        assert await mounts.printed(container.id) == b"odd\n"


async def test_a_mount_of_ours_gives_way_to_one_that_was_asked_for(
    mounts: Wire, bind_root: Path
) -> None:
    source = bind_root / "hosts"
    source.write_text("10.9.8.7 chosen\n")
    asked = [bind(source, "/etc/hosts"), tmpfs("/etc/sub")]
    async with mounts.running(shell("cat /etc/hosts", mounts=asked)) as container:
        assert await mounts.printed(container.id) == b"10.9.8.7 chosen\n"


async def test_what_is_mounted_below_another_mount_is_not_hidden_by_it(mounts: Wire) -> None:
    asked = [tmpfs("/a/b/c"), volume("under", "/a/b"), tmpfs("/a")]
    script = "grep -o ' /a[^ ]* [a-z0-9]*' /proc/mounts | sort; touch /a/b/c/x && ls /a/b"
    async with mounts.running(shell(script, mounts=asked)) as container:
        printed = (await mounts.printed(container.id)).decode()
        assert printed == " /a tmpfs\n /a/b ext4\n /a/b/c tmpfs\nc\n".replace(
            "ext4", _file_system(Path((await mounts.volume("under")).path))
        )
    await mounts.remove_volume("under")


async def test_a_tmpfs_has_its_size_and_mode(mounts: Wire) -> None:
    asked = [tmpfs("/t", size=2 * 2**20, mode=0o700), tmpfs("/x", exec=True)]
    script = "stat -c %a /t; grep -E ' /[tx] ' /proc/mounts; df -k /t | tail -1 | awk '{print $2}'"
    async with mounts.running(shell(script, mounts=asked)) as container:
        mode, of_t, of_x, size = (await mounts.printed(container.id)).decode().splitlines()
        assert (mode, size) == ("700", "2048")
        assert ("noexec" in of_t, "noexec" in of_x, "nosuid,nodev" in of_x) == (True, False, True)


@pytest.mark.parametrize(
    ("propagation", "seen", "users"),
    [
        (SLAVE, True, "host"),
        (SLAVE, True, "auto"),
        (SHARED, True, "host"),
        (PRIVATE, False, "host"),
    ],
)
async def test_what_the_host_mounts_later_shows_if_it_was_asked_for(
    mounts: Wire,
    bind_root: Path,
    propagation: container_pb2.MountPropagation,
    seen: bool,
    users: str,
) -> None:
    with _shared_mount(bind_root / "prop") as place:
        (place / "late").mkdir()
        asked = [bind(place, "/p", propagation=propagation)]
        async with mounts.running(sleeper(mounts=asked, user_namespace=users)) as container:
            with _mounted("tmpfs", place / "late"):
                assert _sees(container.status.pid, "/p/late") is seen


@pytest.mark.parametrize(("propagation", "seen"), [(SHARED, True), (SLAVE, False)])
async def test_what_the_container_mounts_shows_on_the_host_only_if_shared(
    mounts: Wire, bind_root: Path, propagation: container_pb2.MountPropagation, seen: bool
) -> None:
    with _shared_mount(bind_root / "back") as place:
        (place / "inner").mkdir()
        spec = sleeper(mounts=[bind(place, "/p", propagation=propagation)])
        async with mounts.running(spec) as container:
            words = ["nsenter", "-t", str(container.status.pid), "-m", "/bin/busybox", "mount"]
            subprocess.run([*words, "-t", "tmpfs", "t", "/p/inner"], check=True, timeout=10)
            assert (place / "inner").is_mount() is seen
        if seen:
            _umount(place / "inner")


async def test_a_propagation_that_the_host_cannot_give_is_refused(
    mounts: Wire, bind_root: Path
) -> None:
    place = bind_root / "alone"
    place.mkdir()
    with _mounted("tmpfs", place):
        subprocess.run(["mount", "--make-private", place], check=True, timeout=10)
        refusal = await refused(
            mounts.create(sleeper(mounts=[bind(place, "/p", propagation=SHARED)]))
        )
    assert (refusal.reason, refusal.fields) == (
        "INVALID_FIELD",
        ("spec.mounts[0].bind.propagation",),
    )


@pytest.mark.parametrize("users", ["host", "auto"])
async def test_read_only_holds_for_what_is_mounted_below_too(
    mounts: Wire, bind_root: Path, users: str
) -> None:
    place = bind_root / f"tree-{users}"
    (place / "sub").mkdir(parents=True)
    with _mounted("tmpfs", place / "sub"):
        (place / "sub").chmod(0o777)
        script = "touch /r/sub/x || echo refused; ls /n/sub; touch /w/sub/y && echo written"
        asked = [
            bind(place, "/r", read_only=True),
            bind(place, "/n", read_only=True, non_recursive=users == "host"),
            bind(place, "/w"),
        ]
        spec = shell(script, mounts=asked, user_namespace=users)
        async with mounts.running(spec) as container:
            assert await mounts.printed(container.id) == b"refused\nwritten\n"
        assert os.listdir(place / "sub") == ["y"]


@pytest.mark.parametrize(
    "source",
    [
        "/etc",
        "/",
        "{root}-beside",
        "{root}/link-out",
        "{root}/link-out/shadow",
        "{root}/missing-out/x",
        "/proc/self/root{root}",
        "{root}/to-proc",
    ],
)
async def test_a_source_outside_of_the_roots_is_not_allowed_however_it_is_written(
    mounts: Wire, bind_root: Path, source: str
) -> None:
    for name, leads in (
        ("link-out", "/etc"),
        ("missing-out", "/nowhere"),
        ("to-proc", "/proc/1/root"),
    ):
        if not (bind_root / name).is_symlink():
            (bind_root / name).symlink_to(leads)
    path = source.format(root=bind_root)
    Path(f"{bind_root}-beside").mkdir(exist_ok=True)
    for create in (False, True):
        if "missing" in source and not create:
            continue  # says that it does not exist
        spec = sleeper(mounts=[tmpfs("/t"), bind(path, "/h", create_source=create)])
        refusal = await refused(mounts.run(spec))
        assert refusal.reason in ("BIND_NOT_ALLOWED", "INVALID_FIELD"), refusal
        assert refusal.fields == ("spec.mounts[1].source",)
        if "missing" not in source:
            assert refusal.code is grpc.StatusCode.PERMISSION_DENIED
    assert not Path("/nowhere").exists()


async def test_without_a_policy_no_bind_is_allowed(wire: Wire, bind_root: Path) -> None:
    refusal = await refused(wire.create(sleeper(mounts=[bind(bind_root, "/h")])))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "BIND_NOT_ALLOWED",
    )
    assert refusal.metadata["rule"] == "bind_roots"


async def test_a_link_inside_the_roots_is_followed(mounts: Wire, bind_root: Path) -> None:
    (bind_root / "real").mkdir()
    (bind_root / "real" / "f").write_text("real\n")
    (bind_root / "alias").symlink_to(bind_root / "real")
    async with mounts.running(
        shell("cat /h/f", mounts=[bind(bind_root / "alias", "/h")])
    ) as container:
        assert await mounts.printed(container.id) == b"real\n"


async def test_a_source_that_is_exchanged_all_the_time_never_leads_out(
    mounts: Wire, bind_root: Path
) -> None:
    """Somebody on the host swaps a directory for a link to /etc and back as fast as it goes."""
    name, bad = bind_root / "swapped", bind_root / "bad"
    name.mkdir()
    bad.symlink_to("/etc")
    over = threading.Event()

    def exchange() -> None:
        while not over.is_set():
            _exchange(bad, name)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        outcomes = set()
        for _ in range(12):
            spec = shell("ls /h/passwd 2>/dev/null || echo none", mounts=[bind(name, "/h")])
            try:
                container = await mounts.run(spec)
            except grpc.aio.AioRpcError as error:
                outcomes.add(error.code())
                continue
            assert await mounts.printed(container.id) == b"none\n"
            await mounts.remove(container.id)
    finally:
        over.set()
        thread.join()
    assert outcomes <= {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INTERNAL,
    }
    for left in await mounts.list():
        await mounts.remove(left.id)


async def test_a_missing_source_is_refused_or_made_if_that_is_asked_for(
    mounts: Wire, bind_root: Path
) -> None:
    missing = bind_root / "made" / "for" / "it"
    refusal = await refused(mounts.create(sleeper(mounts=[bind(missing, "/h")])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.mounts[0].source",))
    assert "does not exist" in refusal.message
    spec = shell("touch /h/x", mounts=[bind(missing, "/h", create_source=True)])
    async with mounts.running(spec) as container:
        assert (await mounts.wait(container.id)).status.exit.code == 0
    assert (missing / "x").exists()


@pytest.mark.parametrize(
    "destination",
    ["", "relative", "/", "/a/../b", "/proc", "/proc/sys", "/sys/fs/cgroup", "/dev", "/dev/shm/x"],
)
async def test_a_destination_that_cannot_be_is_refused_by_its_field(
    mounts: Wire, destination: str
) -> None:
    refusal = await refused(mounts.create(sleeper(mounts=[tmpfs("/ok"), tmpfs(destination)])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.mounts[1].destination",))


async def test_two_mounts_at_one_place_are_refused(mounts: Wire) -> None:
    refusal = await refused(mounts.create(sleeper(mounts=[tmpfs("/a/b"), tmpfs("/a//b/.")])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.mounts[1].destination",))


async def test_ten_thousand_mounts_are_refused_at_once(mounts: Wire) -> None:
    many = [tmpfs(f"/m/{number}") for number in range(10_000)]
    refusal = await refused(mounts.create(sleeper(mounts=many)))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.mounts",))


async def test_as_many_mounts_as_may_be_are_mounted(mounts: Wire) -> None:
    many = [tmpfs(f"/m/{number}", size=4096) for number in range(128)]
    async with mounts.running(shell("grep -c ' /m/' /proc/mounts", mounts=many)) as container:
        assert await mounts.printed(container.id) == b"128\n"
        assert len((await mounts.inspect(container.id)).spec.mounts) == 128


async def test_options_of_another_type_are_refused(mounts: Wire) -> None:
    mixed = volume("v", "/v")
    mixed.tmpfs.size = 1
    unknown = container_pb2.Mount(destination="/x")
    for asked, field in ((mixed, "spec.mounts[0].tmpfs"), (unknown, "spec.mounts[0].type")):
        refusal = await refused(mounts.create(sleeper(mounts=[asked])))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", (field,))


async def test_inspect_tells_the_mounts_of_what_runs(mounts: Wire, bind_root: Path) -> None:
    asked = [volume("told", "/v", read_only=True), tmpfs("/t", size=4096), bind(bind_root, "/b")]
    async with mounts.running(sleeper(mounts=asked)) as container:
        told = {one.destination: one for one in container.status.mounts}
        assert {d: (one.type, one.source) for d, one in told.items()} == {
            "/v": ("volume", "told"),
            "/t": ("tmpfs", ""),
            "/b": ("bind", str(bind_root)),
        }
        assert list(told["/v"].options) == ["bind", "rprivate", "ro"]
        await mounts.stop(container.id, grace=0)
        assert not (await mounts.inspect(container.id)).status.mounts
    await mounts.remove_volume("told")


async def test_a_plan_shows_the_mounts_and_makes_nothing(mounts: Wire, bind_root: Path) -> None:
    asked = [volume("planned", "/v"), bind(bind_root / "p", "/b", create_source=True)]
    request = container_service_pb2.StartRequest(spec=sleeper(mounts=asked), validate_only=True)
    plan = (await mounts.containers.Start(request, timeout=30)).plan
    [step] = [step for step in plan.steps if step.name == "mounts"]
    assert list(step.acquires) == ["volume planned", f"source {'0' * 32}:{bind_root / 'p'}"]
    assert "volumes/planned/data" in plan.runtime_spec
    assert await mounts.list_volumes() == []
    assert not (bind_root / "p").exists()


async def test_a_program_may_be_in_what_is_mounted(mounts: Wire) -> None:
    spec = container_pb2.ContainerSpec(
        image=RICH, command=["/tools/program"], mounts=[volume("tools", "/tools")]
    )
    made = await mounts.create_volume("tools")
    program = Path(made.path) / "program"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    async with mounts.running(spec) as container:
        assert await mounts.printed(container.id) == b"ran\n"
    await mounts.remove_volume("tools")


@contextmanager
def _shared_mount(place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    with _mounted("tmpfs", place):
        subprocess.run(["mount", "--make-shared", place], check=True, timeout=10)
        yield place


@contextmanager
def _mounted(kind: str, place: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", kind, "test", place], check=True, timeout=10)
    try:
        yield
    finally:
        _umount(place)


def _umount(place: Path) -> None:
    subprocess.run(["umount", place], check=True, timeout=10)


def _sees(pid: int, place: str) -> bool:
    return any(
        line.split()[4] == place for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    )


def _file_system(path: Path) -> str:
    words = ["stat", "-f", "-c", "%T", str(path)]
    told = subprocess.run(words, check=True, capture_output=True, text=True, timeout=10).stdout
    return {"ext2/ext3": "ext4"}.get(told.strip(), told.strip())


def _exchange(one: Path, other: Path) -> None:
    """Let two names change places, in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")
