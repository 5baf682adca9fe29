"""A container with a user namespace of its own: root inside, and nobody on the host.

Seen from inside by the container's own programs, and from outside by /proc, the owners of files
and the host's mounts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage.v1.container_pb2 import MOUNT_PROPAGATION_SHARED, Resources, Secret
from moorage.v1.container_service_pb2 import WAIT_CONDITION_HEALTHY, StartRequest
from moorage.v1.health_pb2 import ExecProbe, HealthCheck, TcpProbe
from moorage.v1.resources_pb2 import Rlimit
from moorage.v1.security_pb2 import Device, IdMapping
from tests.e2e.conftest import RICH
from tests.e2e.test_exec import run_in
from tests.outside import kernel
from tests.real.command import Command
from tests.real.mounts import bind, tmpfs, volume
from tests.real.networking import PORT, address, ask, client, server
from tests.real.specs import shell, sleeper
from tests.real.terminals import terminal
from tests.real.wire import CALL_WITHIN, Wire, duration, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moorage.v1.container_pb2 import Container, ContainerSpec
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

FIRST = 1879048192
"""Of the ids that a server gives by default."""
BLOCK = 65536
GIVEN = IdMapping(inside=0, host=300000, size=1000)


@pytest.fixture(scope="module")
def mapping(site: Site, bind_root: Path, rich_archives: tuple[Path, ...]) -> Moored:
    """A moored whose policy allows some of the host's ids to be mapped, and one directory."""
    policy = site.directory / "mapping.toml"
    policy.write_text(
        f'[roles.local]\nid_ranges = ["300000:100000"]\nbind_roots = ["{bind_root}"]\n'
    )
    daemon = site.start_moored({"policy": str(policy)})
    daemon.import_image(rich_archives[0])
    return daemon


@pytest.fixture
async def wire(mapping: Moored) -> AsyncIterator[Wire]:
    async with Wire(mapping.address) as connected:
        yield connected


def mapped(container: Container, kind: str = "uid") -> list[list[int]]:
    lines = Path(f"/proc/{container.status.pid}/{kind}_map").read_text().splitlines()
    return [list(map(int, line.split())) for line in lines]


def owner(path: object) -> tuple[int, int]:
    status = os.stat(str(path))
    return status.st_uid, status.st_gid


def inside(container: Container, path: str) -> str:
    """Return where the host finds what a container sees."""
    return f"/proc/{container.status.pid}/root{path}"


async def test_root_inside_is_nobody_on_the_host(wire: Wire, mapping: Moored) -> None:
    async with wire.running(sleeper(user_namespace="auto")) as container:
        [told] = container.status.uid_mappings
        first = told.host
        assert (told.inside, told.size) == (0, BLOCK)
        assert first >= FIRST
        assert not first % BLOCK
        assert mapped(container) == mapped(container, "gid") == [[0, first, BLOCK]]
        assert owner(f"/proc/{container.status.pid}/status") == (first, first)
        assert owner(inside(container, "/bin/busybox")) == (first, first)
        assert not kernel.mounts(mapping.state / "idmaps")
        groups = kernel.grouped_processes([mapping.instance])
        assert container.status.pid in groups


async def test_inside_it_is_as_in_any_container(wire: Wire) -> None:
    script = """
        stat -c %u:%g / /bin/busybox /etc/hosts /dev/pts /tmp /t
        cat /proc/sys/net/ipv4/ping_group_range; ls /sys/class/net; ls -d /sys/fs/cgroup/*
        grep CapEff /proc/self/status | cut -f2
        echo more >>/etc/hosts && tail -1 /etc/hosts
        echo x >/made && chown 1000:1000 /made && stat -c %u /made
        head -c 1 /dev/urandom >/dev/null && echo y >/t/f && ping -c 1 -W 2 127.0.0.1 >/dev/null &&
        echo went
        mknod /node c 1 3 2>/dev/null || mount -t tmpfs none /mnt 2>/dev/null || echo kept in
    """
    plain = await _printed(wire, shell(script, mounts=[tmpfs("/t")]))
    own = await _printed(wire, shell(script, mounts=[tmpfs("/t")], user_namespace="auto"))
    # A node is made by root alone, and by no root of a user namespace.
    assert own == plain.replace(b"0\t2147483647", b"0\t65535") + b"kept in\n"


def rich(script: str, **more: Any) -> ContainerSpec:
    """A container of an image with several layers and owners."""
    spec = shell(script, **more)
    spec.image = RICH
    return spec


async def _printed(wire: Wire, spec: ContainerSpec) -> bytes:
    async with wire.running(spec) as container:
        return await wire.printed(container.id)


async def test_an_image_with_owners_and_layers_keeps_them(wire: Wire) -> None:
    script = (
        "stat -c %u:%g:%a /data /data/plain /data/deep /data/program; ls /data; cat /data/plain"
    )
    plain = await _printed(wire, rich(script))
    assert plain.startswith(b"1000:2000:750\n1:2:640\n3:3:700\n0:0:4755\n")
    assert await _printed(wire, rich(script, user_namespace="auto")) == plain


async def test_what_it_writes_is_its_own_over_all_its_runs(wire: Wire) -> None:
    spec = shell("stat -c %u /made; id -u >/made; sleep 100000", user_namespace="auto")
    async with wire.running(spec) as container:
        before = list(container.status.uid_mappings)
        await wire.stop(container.id, grace=0)
        assert list((await wire.inspect(container.id)).status.uid_mappings) == before
        again = (await wire.start(container.id)).container
        assert list(again.status.uid_mappings) == before
        assert owner(inside(again, "/made")) == (before[0].host, before[0].host)


async def test_no_two_have_the_same_ids_and_who_is_removed_gives_them_back(site: Site) -> None:
    daemon = site.start_moored({"user_namespace_ids": f"{FIRST}:{2 * BLOCK}"})
    async with Wire(daemon.address) as wire:
        spec = sleeper(user_namespace="auto")
        one, two = await wire.run(spec), await wire.run(spec)
        firsts = [each.status.uid_mappings[0].host for each in (one, two)]
        assert sorted(firsts) == [FIRST, FIRST + BLOCK]
        refusal = await refused(wire.run(spec))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "IDS_EXHAUSTED",
        )
        await wire.remove(one.id)
        three = await wire.run(spec)
        assert three.status.uid_mappings[0].host == firsts[0]
        for each in (two, three):
            await wire.remove(each.id)
        assert len(await wire.list()) <= 1  # the one that got none may be there, and holds nothing
        for left in await wire.list():
            await wire.remove(left.id)
    daemon.stop()


async def test_volumes_have_the_same_owners_with_and_without(wire: Wire, mapping: Moored) -> None:
    script = "stat -c %u /v/f; echo x >/v/by && chown 7:8 /v/by"
    async with wire.running(
        shell("echo x >/v/f", user_namespace="auto", mounts=[volume("shared", "/v")])
    ) as container:
        await wire.wait(container.id)
    place = mapping.root / "volumes" / "shared"
    [written] = [path for path in place.rglob("f") if path.is_file()]
    assert owner(written) == (0, 0)
    for more in ({}, {"user_namespace": "auto"}):
        assert (
            await _printed(wire, shell(script, mounts=[volume("shared", "/v")], **more)) == b"0\n"
        )
        assert owner(written.with_name("by")) == (7, 8)
    await wire.remove_volume("shared")


async def test_a_new_volume_is_filled_as_the_image_has_it(wire: Wire) -> None:
    script = "stat -c %u:%g:%a /data /data/plain; cat /data/plain; touch /data/mine && echo wrote"
    spec = rich(script, user_namespace="auto", mounts=[volume("filled", "/data")])
    assert await _printed(wire, spec) == b"1000:2000:750\n1:2:640\nplainwrote\n"
    await wire.remove_volume("filled")


async def test_a_bind_shows_the_hosts_ids_as_they_are(wire: Wire, bind_root: Path) -> None:
    place = bind_root / "mapped"
    place.mkdir()
    (place / "roots").write_text("plain")
    (place / "roots").chmod(0o600)
    (place / "anybodys").mkdir(mode=0o777)
    (place / "anybodys").chmod(0o777)
    script = """
        stat -c %u:%g /b/roots; cat /b/roots 2>/dev/null || echo kept out
        touch /b/new 2>/dev/null || echo no entry
        echo x >/b/anybodys/f && stat -c %u /b/anybodys/f
    """
    spec = shell(script, user_namespace="private", uid_mappings=[GIVEN], mounts=[bind(place, "/b")])
    assert await _printed(wire, spec) == b"65534:65534\nkept out\nno entry\n0\n"
    assert owner(place / "anybodys" / "f") == (GIVEN.host, GIVEN.host)


async def test_the_maps_are_those_of_the_spec(wire: Wire) -> None:
    uids = [GIVEN, IdMapping(inside=5000, host=310000, size=2)]
    few = [IdMapping(inside=0, host=320000, size=4)]  # without tty's
    gids = few + [IdMapping(inside=100 + n, host=330000 + 2 * n, size=1) for n in range(290)]
    spec = sleeper(
        user_namespace="private", uid_mappings=uids, gid_mappings=gids, user="5001:3", tty=True
    )
    async with wire.running(spec) as container:
        assert mapped(container) == [[0, 300000, 1000], [5000, 310000, 2]]
        assert mapped(container, "gid") == [[m.inside, m.host, m.size] for m in gids]
        assert owner(f"/proc/{container.status.pid}") == (310001, 320003)
        assert list(container.status.uid_mappings) == uids
        assert list(container.status.gid_mappings) == gids


async def test_secrets_belong_to_whom_they_are_for(wire: Wire) -> None:
    secret = Secret(name="key", value=b"hush", uid=100, gid=200, mode=0o400)
    script = "stat -c %u:%g:%a /run/secrets/key; cat /run/secrets/key"
    spec = shell(script, user_namespace="auto", user="100:200", secrets=[secret])
    assert await _printed(wire, spec) == b"100:200:400\nhush"


async def test_commands_and_pipes_are_its_own(wire: Wire) -> None:
    async with wire.running(sleeper(user_namespace="auto")) as container:
        script = "id -u; cat /proc/self/uid_map; cat; echo again >/dev/stdout; touch /made"
        done = await run_in(wire, container.id, "sh", "-c", script, stdin=b"in\n")
        first = container.status.uid_mappings[0].host
        assert done.stdout.split() == [b"0", b"0", b"%d" % first, b"65536", b"in", b"again"]
        assert owner(inside(container, "/made")) == (first, first)
        done = await run_in(wire, container.id, "sh", "-c", "id -u >/dev/stdout", user="12")
        assert done.stdout == b"12\n"
        refusal = await refused(run_in(wire, container.id, "id", user="70000"))
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT, refusal


async def test_a_first_process_that_opens_its_own_output_may(wire: Wire) -> None:
    spec = shell("echo one >/dev/stdout; echo two >>/proc/self/fd/1", user_namespace="auto")
    assert await _printed(wire, spec) == b"one\ntwo\n"


async def test_a_shell_has_a_terminal_of_its_own(mapping: Moored) -> None:
    words = ("run", "-it", "--rm", "--userns", "auto", "busybox", "sh")
    async with terminal(mapping.address, *words, width=91, height=33) as here:
        await here.shows("# ")
        here.type("stty size; stat -c %u:%g $(tty); cat /proc/self/uid_map\n")
        await here.shows("33 91\r\n0:5\r\n")
        await here.shows("65536")
        here.type("exit 42\n")
        assert await here.ended() == 42


async def test_settings_and_limits_of_its_namespaces_are_its_own(wire: Wire) -> None:
    spec = shell(
        "cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax; ulimit -n; cat ../self/oom_score_adj",
        user_namespace="auto",
        sysctls={"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"},
        rlimits=[Rlimit(name="nofile", soft=77, hard=88)],
        oom_score_adjust=300,
        resources=Resources(memory_limit=64 * 2**20, pids_limit=50),
    )
    assert await _printed(wire, spec) == b"1\n4096\n77\n300\n"


async def test_it_can_be_locked_up_further_and_has_an_init(wire: Wire, bind_root: Path) -> None:
    place = bind_root / "locked"
    (place / "below").mkdir(parents=True)
    (place / "below" / "f").write_text("read\n")
    script = """
        cat /proc/1/comm; cat /b/below/f; touch /b/below/f 2>/dev/null || echo read-only
        touch /new 2>/dev/null || echo read-only; touch /t/new && echo wrote
        (echo 1 >/proc/sys/kernel/core_uses_pid) 2>/dev/null || echo read-only
        cat /proc/kcore | wc -c; ls /sys/firmware | wc -l
        grep -E 'NoNewPrivs|CapBnd|Seccomp:' /proc/self/status | tr -d ' \t'
    """
    spec = shell(
        script,
        user_namespace="auto",
        init=True,
        read_only_rootfs=True,
        no_new_privileges=True,
        capabilities_drop=["ALL"],
        mounts=[
            tmpfs("/t"),
            bind(place, "/b", read_only=True),
        ],
    )
    said = (await _printed(wire, spec)).decode().split()
    init, *rest = said
    assert init in ("catatonit", "tini", "docker-init", "init")
    assert rest == [
        *("read", "read-only", "read-only", "wrote", "read-only", "0", "0"),
        *("CapBnd:0000000000000000", "NoNewPrivs:1", "Seccomp:2"),
    ]


async def test_on_the_bridge_it_is_reached_probed_and_counted(wire: Wire) -> None:
    every = {"interval": duration(0.2), "retries": 1}
    probes = {
        "by port": {"tcp": TcpProbe(port=PORT)},
        "by command": {"exec": ExecProbe(args=["id"])},
    }
    for name, probe in probes.items():
        check = HealthCheck(**probe, **every)  # type: ignore[arg-type]
        spec = server(name.replace(" ", "-"), user_namespace="auto", network="bridge")
        spec.health_check.CopyFrom(check)
        async with wire.running(spec) as container:
            await wire.wait(container.id, WAIT_CONDITION_HEALTHY)
            assert await ask(address(container)) == name.replace(" ", "-")
            owner_of_links = os.stat(f"/proc/{container.status.pid}/ns/net").st_ino
            assert owner_of_links != os.stat("/proc/self/ns/net").st_ino
            async with wire.running(client(address(container), network="bridge")) as other:
                assert (await wire.printed(other.id)).decode().split() == [name.replace(" ", "-")]


async def test_what_goes_in_by_a_pipe_comes_out(mapping: Moored) -> None:
    done = Command(mapping.address)(
        "run", "-i", "--rm", "--userns", "auto", "busybox", "cat", stdin=b"x" * 99
    )
    assert (done.code, done.out) == (0, "x" * 99)
    done = Command(mapping.address)("run", "--rm", "--userns", "0:1:1", "busybox", "id")
    assert done.code
    assert "id_ranges" in done.err


async def test_a_plan_says_what_would_be_and_gives_nothing(wire: Wire) -> None:
    spec = sleeper(user_namespace="auto", network="bridge")
    request = StartRequest(spec=spec, validate_only=True)
    plans = [(await wire.containers.Start(request, timeout=CALL_WITHIN)).plan for _ in range(2)]
    assert plans[0] == plans[1]
    steps = {step.name: list(step.acquires) for step in plans[0].steps}
    assert "network" not in steps
    [ids] = [text for text in steps["rootfs"] if text.startswith("ids ")]
    [idmaps] = steps["idmap"]
    assert idmaps.startswith("idmaps ")
    assert steps["attach"][0].startswith("sandbox ")
    linux = json.loads(plans[0].runtime_spec)["linux"]
    first = int(ids.removeprefix("ids "))
    maps = [{"containerID": 0, "hostID": first, "size": BLOCK}]
    assert linux["uidMappings"] == linux["gidMappings"] == maps
    kinds = {each["type"]: each.get("path") for each in linux["namespaces"]}
    assert {"user": None, "network": None}.items() <= kinds.items()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"privileged": True}, "privileged"),
        ({"network": "host"}, "network"),
        ({"network": "container:other"}, "network"),
        ({"ipc": "shareable"}, "ipc"),
        ({"ipc": "host"}, "ipc"),
        ({"pid": "container:other"}, "pid"),
        ({"uts": "host"}, "uts"),
        ({"domain_name": "example.org"}, "domain_name"),
        ({"devices": [Device(source="/dev/null")]}, "devices"),
        ({"mounts": [bind("/x", "/x", non_recursive=True)]}, "mounts[0].bind.non_recursive"),
        (
            {"mounts": [bind("/x", "/x", propagation=MOUNT_PROPAGATION_SHARED)]},
            "mounts[0].bind.propagation",
        ),
        ({"cdi_devices": ["vendor.com/gpu=0"]}, "cdi_devices"),
        ({"user": "65536"}, "user"),
        ({"user": "1:65536"}, "user"),
        ({"supplementary_groups": ["70000"]}, "supplementary_groups[0]"),
        ({"secrets": [Secret(name="s", value=b"", uid=65536)]}, "secrets[0].uid"),
        ({"uid_mappings": [GIVEN]}, "uid_mappings"),
    ],
)
async def test_what_does_not_go_with_it_is_refused_by_its_field(
    wire: Wire, fields: dict[str, Any], field: str
) -> None:
    refusal = await refused(wire.create(sleeper(user_namespace="auto", **fields)))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.fields == (f"spec.{field}",), refusal


@pytest.mark.parametrize(
    ("mappings", "field", "says"),
    [
        ([(0, 300000, 0)], "uid_mappings[0].size", "at least 1"),
        ([(0, 300000, 9), (8, 300100, 9)], "uid_mappings[1].inside", "overlaps with mapping 0"),
        ([(0, 300000, 9), (9, 300008, 9)], "uid_mappings[1].host", "overlaps with mapping 0"),
        ([(0, 300000, 2**32 - 1)], "uid_mappings[0].host", "beyond the last id"),
        ([(2**32 - 2, 300000, 2), (0, 301000, 1)], "uid_mappings[0].inside", "beyond the last"),
        ([(1, 300000, 9)], "uid_mappings", "must map id 0"),
        ([(0, 0, 9)], "uid_mappings[0].host", "the host's root"),
        ([(n, 300000 + n, 1) for n in range(341)], "uid_mappings", "more than 340"),
        ([(n, 300000 + n, 1) for n in range(330)], "uid_mappings", "4096 bytes"),
        ([], "uid_mappings", "is required"),
    ],
)
async def test_maps_that_make_no_sense_are_refused_by_their_field(
    wire: Wire, mappings: list[tuple[int, int, int]], field: str, says: str
) -> None:
    asked = [IdMapping(inside=i, host=h, size=s) for i, h, s in mappings]
    spec = sleeper(user_namespace="private", uid_mappings=asked)
    refusal = await refused(wire.create(spec))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert f"spec.{field}" in refusal.fields
    assert says in refusal.message


@pytest.mark.parametrize("host", [1000, 299999, 399999, 400000])
async def test_ids_that_the_policy_does_not_give_are_refused(wire: Wire, host: int) -> None:
    asked = [IdMapping(inside=0, host=host, size=2)]
    refusal = await refused(
        wire.create(sleeper(user_namespace="private", uid_mappings=[GIVEN], gid_mappings=asked))
    )
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "NOT_ALLOWED_BY_POLICY",
    )
    assert (refusal.fields, refusal.metadata["rule"]) == (
        ("spec.gid_mappings[0].host",),
        "id_ranges",
    )


async def test_nobody_joins_its_namespaces(wire: Wire) -> None:
    async with wire.running(sleeper(name="own", user_namespace="auto")):
        refusal = await refused(wire.run(sleeper(network="container:own")))
        assert refusal.reason == "NAMESPACE_NOT_JOINABLE"
        assert "user namespace" in refusal.message


async def test_a_user_of_the_image_whom_the_maps_do_not_have_is_refused(wire: Wire) -> None:
    few = [IdMapping(inside=0, host=300000, size=1)]
    spec = sleeper(user_namespace="private", uid_mappings=few, user="daemon")
    refusal = await refused(wire.run(spec))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT, refusal
    assert refusal.fields == ("spec.user",)


async def test_a_containerd_that_keeps_bundles_to_root_is_told(wire: Wire, site: Site) -> None:
    site.directory.chmod(0o700)
    try:
        refusal = await refused(wire.create(sleeper(user_namespace="auto")))
    finally:
        site.directory.chmod(0o711)
    assert refusal.fields == ("spec.user_namespace",)
    assert str(site.directory) in refusal.message
