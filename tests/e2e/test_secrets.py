"""Secrets and configs are seen by their container alone, as asked for; none is kept in the clear.

Looked at from inside by /proc/PID/root, and from outside by searching all that there is.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
import pytest
from google.protobuf import json_format

from moorage.v1 import container_pb2, container_service_pb2, event_pb2
from moorage.v1.container_pb2 import Config, Secret
from tests.outside import kernel
from tests.real.collector import collecting
from tests.real.command import Command
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

ALWAYS = container_pb2.RestartPolicy(condition=container_pb2.RESTART_CONDITION_ALWAYS)
RUNNING = container_pb2.CONTAINER_STATE_RUNNING
_TMPFS: Final = "tmpfs"


@pytest.fixture
def word() -> bytes:
    """What nobody but the container may ever see."""
    return f"word-{secrets.token_hex(16)}".encode()


@pytest.fixture(scope="module")
def roots(site: Site) -> Path:
    """Below which the moored of ``rooted`` reads files."""
    place = site.directory / "given"
    place.mkdir()
    return place


@pytest.fixture(scope="module")
def rooted(site: Site, roots: Path) -> Moored:
    policy = site.directory / "rooted.toml"
    policy.write_text(f'[roles.local]\nsecret_roots = ["{roots}"]\n')
    return site.start_moored({"policy": str(policy)})


@pytest.fixture
async def reader(rooted: Moored) -> AsyncIterator[Wire]:
    async with Wire(rooted.address) as connected:
        yield connected


def inside(container: Container, path: str) -> Path:
    return Path(f"/proc/{container.status.pid}/root{path}")


def mount_at(table: str, point: str) -> tuple[str, set[str]]:
    """Return the file system's type and the options of what is mounted at a point."""
    for line in Path(table).read_text().splitlines():
        fields = line.split()
        if fields[4] == point:
            return fields[fields.index("-") + 1], set(fields[5].split(","))
    raise AssertionError(f"nothing is mounted at {point}")


def on_host(moored: Moored) -> set[str]:
    """Return the runs whose secrets are mounted on the host."""
    return {Path(point).name for point in kernel.mounts(moored.state / "secrets")}


async def test_a_secret_has_its_content_its_place_its_mode_and_its_owner(
    wire: Wire, word: bytes
) -> None:
    spec = sleeper(
        secrets=[
            Secret(name="plain", value=word),
            Secret(name="mine", value=b"", target="deep/er", mode=0o400, uid=1000, gid=1001),
        ],
        configs=[Config(name="app.toml", value=b"a = 1\n", target="/etc/app/app.toml", mode=0)],
    )
    async with wire.running(spec) as container:
        plain = inside(container, "/run/secrets/plain")
        assert plain.read_bytes() == word
        seen = plain.stat()
        assert (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid) == (0o444, 0, 0)
        seen = inside(container, "/run/secrets/deep/er").stat()
        assert (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid) == (0o400, 1000, 1001)
        assert seen.st_size == 0
        config = inside(container, "/etc/app/app.toml")
        assert config.read_bytes() == b"a = 1\n"
        assert stat.S_IMODE(config.stat().st_mode) == 0


async def test_only_who_may_read_it_does(wire: Wire, word: bytes) -> None:
    spec = shell(
        "cat /run/secrets/mine; cat /run/secrets/roots 2>/dev/null || echo no",
        user="1000:1000",
        secrets=[
            Secret(name="mine", value=word, mode=0o400, uid=1000),
            Secret(name="roots", value=word, mode=0o400),
        ],
    )
    async with wire.running(spec) as container:
        assert await wire.printed(container.id) == word + b"no\n"


async def test_a_secret_is_in_memory_alone_and_cannot_be_written(
    wire: Wire, moored: Moored, word: bytes
) -> None:
    script = (
        "echo x > /run/secrets/s; chmod 777 /run/secrets/s; rm -f /run/secrets/s; cat /etc/mtab"
    )
    spec = shell(
        f"({script}) >/dev/null 2>&1; sleep 100000", secrets=[Secret(name="s", value=word)]
    )
    async with wire.running(spec) as container:
        kind, options = mount_at(f"/proc/{container.status.pid}/mountinfo", "/run/secrets/s")
        assert kind == _TMPFS
        assert {"ro", "nosuid", "nodev", "noexec"} <= options
        assert inside(container, "/run/secrets/s").read_bytes() == word
        place = moored.state / "secrets" / f"{container.id}.1"
        assert on_host(moored) == {place.name}
        for directory in (place, place.parent):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        kind, options = mount_at("/proc/self/mountinfo", str(place))
        assert kind == _TMPFS
        assert {"nosuid", "nodev", "noexec"} <= options


async def test_s45_it_is_gone_with_the_run_and_back_with_the_next(
    wire: Wire, moored: Moored, word: bytes
) -> None:
    async with wire.running(sleeper(secrets=[Secret(name="s", value=word)])) as container:
        await wire.stop(container.id, grace=0)
        await eventually(lambda: on_host(moored) == set(), "the secrets are unmounted")
        again = (await wire.start(container.id)).container
        assert inside(again, "/run/secrets/s").read_bytes() == word
        answer = await wire.cleanup(container.id)
        rows = {row.kind: row.outcome for row in answer.resources}
        assert rows["secrets"] == container_service_pb2.RELEASE_OUTCOME_RELEASED
        assert on_host(moored) == set()


def _writings(word: bytes) -> tuple[bytes, ...]:
    return (word, word.hex().encode(), base64.b64encode(word)[:-4])


def _told(files: Iterator[Path], word: bytes) -> list[str]:
    """Return which of ``files`` hold ``word`` in some writing."""
    found = []
    for path in files:
        with suppress(OSError):
            content = path.read_bytes()
            found += [str(path) for writing in _writings(word) if writing in content]
    return found


def _all_files(site: Site, moored: Moored) -> Iterator[Path]:
    """Yield all that moored and containerd keep, and what every process shows of itself."""
    for place, directories, names in os.walk(site.directory):
        if Path(place) == moored.state:
            directories.remove("secrets")
        yield from (Path(place, name) for name in names if stat.S_ISREG(_mode(Path(place, name))))
    for process in Path("/proc").glob("[0-9]*"):
        yield from (process / "environ", process / "cmdline")


def _mode(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_mode
    return 0


async def test_a_value_is_told_nowhere(site: Site, archive: Path, word: bytes) -> None:
    with collecting() as collector:
        moored = site.moored({"log_level": "trace"})
        moored.spans_to = collector.address
        moored.start()
        moored.import_image(archive)
        async with Wire(moored.address) as wire:
            answers = await _life(wire, word)
        assert _told(_all_files(site, moored), word) == []
        moored.kill()
        moored.start()
        async with Wire(moored.address) as wire:
            answers.append(await wire.inspect("teller"))
            await wire.remove("teller")
        assert _told(_all_files(site, moored), word) == []
        moored.stop()
        assert _told(_all_files(site, moored), word) == []
        assert collector.spans
        answers += collector.spans
    assert [a for a in answers if any(w in a.SerializeToString() for w in _writings(word))] == []


async def _life(wire: Wire, word: bytes) -> list[Any]:
    """Return every answer that there is about a container with a secret."""
    spec = sleeper(name="teller", secrets=[Secret(name="s", value=word)])
    bad = sleeper(secrets=[Secret(name="s", value=word, target="/proc/x")])
    request = container_service_pb2.StartRequest(spec=spec, request_id=secrets.token_hex(8))
    plan = container_service_pb2.StartRequest(spec=spec, validate_only=True)
    answers: list[Any] = [await wire.containers.Start(plan)]
    answers.append(await wire.containers.Start(request))
    answers.append(await wire.containers.Start(request))
    assert inside(answers[-1].container, "/run/secrets/s").read_bytes() == word
    answers += [await wire.inspect("teller"), *await wire.list()]
    taken = await refused(wire.run(spec))
    wrong = await refused(wire.run(bad))
    assert wrong.fields == ("spec.secrets[0].target",)
    assert word.decode() not in str((taken, wrong))
    watch = container_service_pb2.WatchRequest(since_revision=0, snapshot=False)
    call = wire.containers.Watch(watch, timeout=10)
    async for answer in call:
        answers.append(answer)
        if answer.event.kind == event_pb2.EVENT_KIND_STARTED:
            break
    call.cancel()
    return answers


async def test_inspect_shows_that_there_is_a_value_and_not_which(wire: Wire, word: bytes) -> None:
    async with wire.created(sleeper(secrets=[Secret(name="s", value=word, mode=0o400)])) as made:
        shown = json_format.MessageToDict((await wire.inspect(made.id)).spec.secrets[0])
        assert shown == {"name": "s", "sealed": True, "mode": 0o400}
        again = await refused(wire.create(made.spec))
        assert again.fields == ("spec.secrets[0].sealed",)


async def test_a_retry_is_the_same_request_only_with_the_same_secret(
    wire: Wire, word: bytes
) -> None:
    def request(value: bytes) -> container_service_pb2.CreateRequest:
        spec = sleeper(name="once", secrets=[Secret(name="s", value=value)])
        return container_service_pb2.CreateRequest(spec=spec, request_id=word.decode()[:20])

    first = await wire.containers.Create(request(word))
    assert (await wire.containers.Create(request(word))).container.id == first.container.id
    other = await refused(wire.containers.Create(request(word + b"!")))
    assert other.reason == "REQUEST_ID_REUSED"
    await wire.remove(first.container.id)


async def test_it_survives_whatever_becomes_of_moored(
    own_moored: Moored, own_wire: Wire, word: bytes
) -> None:
    spec = sleeper(name="s", secrets=[Secret(name="s", value=word)], restart_policy=ALWAYS)
    async with own_wire.running(spec) as container:
        own_moored.kill()
        assert inside(container, "/run/secrets/s").read_bytes() == word
        os.kill(container.status.pid, 9)
        own_moored.start()
        again = await own_wire.wait("s", container_service_pb2.WAIT_CONDITION_RUNNING)

        async def restarted() -> bool:
            nonlocal again
            again = await own_wire.inspect("s")
            return again.status.run == 2 and again.status.state == RUNNING

        await eventually(restarted, "its policy started it again")
        assert inside(again, "/run/secrets/s").read_bytes() == word


async def test_without_its_key_a_value_is_not_read_and_nothing_is_left(
    own_moored: Moored, own_wire: Wire, word: bytes
) -> None:
    async with own_wire.created(sleeper(name="s", secrets=[Secret(name="pw", value=word)])):
        own_moored.stop()
        (own_moored.root / "secrets.key").unlink()
        own_moored.start()
        refusal = await refused(own_wire.start("s"))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "SECRET_UNREADABLE",
        )
        assert refusal.metadata["secret"] == "pw"
        assert refusal.metadata["step"] == "mounts"
        assert on_host(own_moored) == set()


async def test_a_file_of_the_hosts_is_read_anew_for_each_run(
    reader: Wire, roots: Path, word: bytes
) -> None:
    given = roots / "given"
    given.write_bytes(word)
    given.chmod(0o600)
    spec = sleeper(name="s", configs=[Config(name="c", file=str(given), mode=0o440)])
    async with reader.running(spec) as container:
        assert inside(container, "/c").read_bytes() == word
        assert container.spec.configs[0].file == str(given)
        given.write_bytes(b"another")
        await reader.stop("s", grace=0)
        again = (await reader.start("s")).container
        assert inside(again, "/c").read_bytes() == b"another"
        given.unlink()
        await reader.stop("s", grace=0)
        refusal = await refused(reader.start("s"))
        assert refusal.reason == "SECRET_UNREADABLE"
        assert "No such file" in refusal.message


@pytest.mark.parametrize("file", ["/etc/passwd", "{roots}/../c/x", "{roots}"])
async def test_a_file_elsewhere_is_refused_before_anything_happens(
    reader: Wire, roots: Path, file: str
) -> None:
    path = file.format(roots=roots)
    refusal = await refused(reader.run(sleeper(name="s", secrets=[Secret(name="s", file=path)])))
    assert refusal.fields == ("spec.secrets[0].file",)
    assert refusal.reason in ("NOT_ALLOWED_BY_POLICY", "INVALID_FIELD")
    assert (await refused(reader.inspect("s"))).reason == "CONTAINER_NOT_FOUND"


async def test_nobody_reads_files_where_the_policy_says_nothing(wire: Wire, tmp_path: Path) -> None:
    spec = sleeper(secrets=[Secret(name="s", file=str(tmp_path / "x"))])
    refusal = await refused(wire.run(spec))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "NOT_ALLOWED_BY_POLICY",
    )
    assert refusal.metadata["rule"] == "secret_roots"


async def test_as_much_as_there_may_be_is_handed_out(wire: Wire) -> None:
    values = [secrets.token_bytes(512 * 1024) for _ in range(6)]
    given = [Secret(name=f"s{number}", value=value) for number, value in enumerate(values)]
    given += [Secret(name=f"e{number}", value=b"") for number in range(122)]
    async with wire.running(sleeper(secrets=given)) as container:
        read = [inside(container, f"/run/secrets/s{n}").read_bytes() for n in range(6)]
        assert read == values
        assert len(list(inside(container, "/run/secrets").iterdir())) == 128
    refusal = await refused(wire.create(sleeper(secrets=[*given, Secret(name="x", value=b"")])))
    assert refusal.fields == ("spec.secrets",)


async def test_a_target_that_is_a_directory_is_told_and_nothing_is_left(
    wire: Wire, moored: Moored, word: bytes
) -> None:
    spec = sleeper(name="s", secrets=[Secret(name="s", value=word, target="/bin")])
    refusal = await refused(wire.run(spec))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "MOUNT_MISMATCH",
    )
    assert on_host(moored) == set()
    await wire.remove("s")


async def test_no_link_of_the_containers_leads_out_of_it(
    wire: Wire, tmp_path: Path, word: bytes
) -> None:
    outside = "/.." * 8 + str(tmp_path)
    spec = shell(f"ln -s {outside} /srv; echo ready; sleep 100000", name="s")
    spec.secrets.add(name="s", value=word, target="/srv/s")
    spec.command[2] = f"rm -rf /srv 2>/dev/null; mv /srv /old; {spec.command[2]}"
    async with wire.running(spec):
        await wire.until_printed("s", "ready")
        await wire.stop("s", grace=0)
        again = (await wire.start("s")).container
        assert inside(again, f"{tmp_path}/s").read_bytes() == word
        assert os.listdir(tmp_path) == []


async def test_a_read_only_root_filesystem_takes_secrets_too(wire: Wire, word: bytes) -> None:
    spec = sleeper(read_only_rootfs=True, secrets=[Secret(name="s", value=word)])
    async with wire.running(spec) as container:
        assert inside(container, "/run/secrets/s").read_bytes() == word


async def test_killed_in_mid_start_moored_leaves_no_secret(
    own_moored: Moored, own_wire: Wire, gate: GatedRuntime, word: bytes
) -> None:
    spec = sleeper(name="s", runtime="gated", secrets=[Secret(name="s", value=word)])
    with gate.holding("create"):
        call = own_wire.containers.Start(container_service_pb2.StartRequest(spec=spec))
        await gate.arrival()
        assert len(on_host(own_moored)) == 1
        own_moored.kill()
        call.cancel()
    own_moored.start()
    await own_wire.wait("s")
    assert on_host(own_moored) == set()
    again = (await own_wire.start("s")).container
    assert inside(again, "/run/secrets/s").read_bytes() == word
    await own_wire.remove("s")


@pytest.mark.parametrize("moment", ["directory", "mount", "file"])
async def test_killed_at_any_moment_of_that_it_leaves_nothing_to_read(
    own_moored: Moored, own_wire: Wire, moment: str
) -> None:
    """The kill comes as soon as the first of it is seen, wherever the start is by then."""
    places = own_moored.state / "secrets"
    given = [Secret(name=f"s{number}", value=bytes(1024)) for number in range(64)]
    spec = sleeper(name="s", ipc="shareable", secrets=given)
    seen: dict[str, Callable[[], object]] = {
        "directory": lambda: list(places.glob("*")),
        "mount": lambda: on_host(own_moored),
        "file": lambda: list(places.glob("*/*")),
    }
    call = own_wire.containers.Start(container_service_pb2.StartRequest(spec=spec))
    starting = asyncio.ensure_future(call)
    await asyncio.to_thread(_kill_once, own_moored, seen[moment])
    with suppress(grpc.aio.AioRpcError):
        await starting
    own_moored.start()
    found = await own_wire.inspect("s")
    if found.status.state != RUNNING:
        await own_wire.wait("s")
        assert on_host(own_moored) == set()
    await own_wire.remove("s")
    assert on_host(own_moored) == set()
    assert os.listdir(places) == []


def _kill_once(moored: Moored, seen: Callable[[], object]) -> None:
    """Look without a pause: what is to be seen lasts for less than a millisecond."""
    deadline = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < deadline
    moored.kill()


async def test_the_command_reads_values_here(moored: Moored, wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"from a file")
    moorage = Command(moored.address)
    ended = await asyncio.to_thread(
        moorage,
        *("run", "--rm", "--secret", f"pw,src={tmp_path / 'password'},mode=0400"),
        *("--config", "app,src=-,target=/etc/app", "--read-only", "--shm-size", "1m"),
        *("busybox", "/bin/sh", "-c", "cat /run/secrets/pw /etc/app; stat -c %a /run/secrets/pw"),
        stdin=b" and stdin ",
    )
    assert (ended.code, ended.out) == (0, "from a file and stdin 400\n")
