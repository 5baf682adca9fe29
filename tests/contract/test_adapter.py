"""The adapter says the same of both: what its callers rely on, by its own methods."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd.bundles import Bundles
from moored.containerd.connection import Connection, Present
from moored.containerd.containers import Containers
from moored.containerd.events import Events, ExitSeen, Following, StartSeen
from moored.containerd.images import Images
from moored.containerd.layers import Layers
from moored.containerd.leases import Leases
from moored.containerd.places import Places
from moored.containerd.tasks import Tasks
from moored.containerd.values import ContainerRecord, LayerKind, Phase, Runtime
from moored.containerd_api import types_pb2
from moored.model.identity import ContainerId, run_id
from tests.contract.subjects import BASE, ROOT_LABEL, SLEEP
from tests.unit import tars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from moored.containerd.values import Mount
    from tests.contract.subjects import Subject

RUN = run_id(ContainerId("c0ffee" + "0" * 26), 1)
RUNC = Runtime("runc", "runc")
NAME = "docker.io/library/adapted:1"
WITHIN = 20.0


@pytest.fixture
async def connection(subject: Subject) -> AsyncIterator[Connection]:
    made = Connection(subject.address, namespace=subject.namespace)
    yield made
    await made.close()


async def test_task_is_followed_from_create_to_delete(
    subject: Subject, connection: Connection
) -> None:
    tasks = Tasks(connection)
    pid = await _create(subject, connection)
    created = await tasks.get(RUN)
    assert created is not None
    assert (created.run, created.phase, created.pid, created.exit) == (
        RUN,
        Phase.CREATED,
        pid,
        None,
    )
    waiting = asyncio.create_task(tasks.wait(RUN))
    assert await tasks.start(RUN, within=WITHIN) == pid
    with pytest.raises(errors.RuntimeRefused, match="it is running, with pid"):
        await tasks.delete(RUN)
    assert await tasks.kill(RUN, signal.SIGKILL)
    exit_ = await waiting
    assert exit_ is not None
    assert exit_.status == 137
    assert not await tasks.kill(RUN, signal.SIGKILL)
    assert [task.exit for task in await tasks.list()] == [exit_]
    assert await tasks.delete(RUN) == exit_


async def test_no_task_is_no_error(subject: Subject, connection: Connection) -> None:
    tasks = Tasks(connection)
    assert await tasks.get(RUN) is None
    assert await tasks.wait(RUN) is None
    assert await tasks.delete(RUN) is None
    assert not await tasks.kill(RUN, signal.SIGTERM)
    assert await tasks.list() == []


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("/bin/none", errors.CommandNotFound),
        ("none", errors.CommandNotFound),
        ("/etc", errors.CommandNotExecutable),
    ],
)
async def test_program_that_cannot_run_has_its_own_error(
    subject: Subject,
    connection: Connection,
    program: str,
    reason: type[errors.MooredError],
) -> None:
    with pytest.raises(reason):
        await _create(subject, connection, [program])
    assert await Tasks(connection).delete(RUN) is None


async def test_delete_cleans_up_after_a_broken_create(
    subject: Subject, connection: Connection
) -> None:
    mounts = await _record(subject, connection)
    await subject.break_mid_create(subject.creation(RUN, [_as_sent(m) for m in mounts]))
    assert await Tasks(connection).get(RUN) is None
    assert await Tasks(connection).delete(RUN) is None
    assert not subject.bundle(RUN).exists()


async def test_bundle_that_containerd_forgot_is_removed(
    subject: Subject, connection: Connection
) -> None:
    bundles = Bundles(_places(subject), namespace=subject.namespace)
    subject.bundle(RUN).mkdir(parents=True)
    assert await bundles.list() == [RUN]
    assert await bundles.remove(RUN)
    assert await bundles.list() == []
    assert not await bundles.remove(RUN)


async def test_death_of_a_shim_is_no_exit(subject: Subject, connection: Connection) -> None:
    pid = await _create(subject, connection)
    tasks = Tasks(connection)
    await tasks.start(RUN, within=WITHIN)
    waiting = asyncio.create_task(tasks.wait(RUN))
    await subject.until_waiting(RUN)
    await subject.kill_shim(RUN, pid)
    with pytest.raises(errors.RuntimeRefused, match="ttrpc: closed"):
        await waiting
    assert await tasks.delete(RUN) is None


async def test_containerd_that_goes_away_is_unreachable(
    subject: Subject, connection: Connection
) -> None:
    await _create(subject, connection)
    tasks = Tasks(connection)
    await tasks.start(RUN, within=WITHIN)
    waiting = asyncio.create_task(tasks.wait(RUN))
    await subject.until_waiting(RUN)
    await subject.go_down()
    with pytest.raises(errors.RuntimeUnreachable):
        await waiting
    await subject.come_back()
    found = await tasks.get(RUN)
    assert found is not None
    assert found.phase is Phase.RUNNING


async def test_record_is_what_was_given(subject: Subject, connection: Connection) -> None:
    containers = Containers(connection)
    given = _wanted(subject, SLEEP)
    await containers.create(given)
    assert await containers.get(RUN) == given
    assert await containers.list() == [given]
    with pytest.raises(Present):
        await containers.create(given)
    assert await containers.delete(RUN)
    assert not await containers.delete(RUN)
    assert await containers.get(RUN) is None


async def test_layer_is_prepared_once(subject: Subject, connection: Connection) -> None:
    layers = Layers(connection)
    made = await layers.prepare("one", parent=BASE, labels=ROOT_LABEL)
    assert await layers.prepare("one", parent=BASE, labels=ROOT_LABEL) == made
    assert await layers.mounts("one") == made
    layer = await layers.stat("one")
    assert layer is not None
    assert (layer.parent, layer.kind) == (BASE, LayerKind.ACTIVE)
    assert {found.name for found in await layers.list()} == {BASE, "one"}
    assert await layers.remove("one")
    assert not await layers.remove("one")
    assert await layers.stat("one") is None
    assert await layers.mounts("one") is None


async def test_commit_to_a_name_that_is_taken_says_so(
    subject: Subject, connection: Connection
) -> None:
    layers = Layers(connection)
    await layers.prepare("late", parent=BASE, labels=ROOT_LABEL)
    with pytest.raises(Present):
        await layers.commit(BASE, "late", {})


async def test_lease_is_deleted_once(subject: Subject, connection: Connection) -> None:
    leases = Leases(connection)
    await leases.create("mine", {"contract/name": "mine"})
    assert [(lease.id, lease.labels) for lease in await leases.list()] == [
        ("mine", {"contract/name": "mine"})
    ]
    assert await leases.delete("mine", sync=True)
    assert not await leases.delete("mine", sync=True)


async def test_exit_is_seen_by_whoever_follows(subject: Subject, connection: Connection) -> None:
    events = Events(connection)
    async with asyncio.timeout(WITHIN), aclosing(events.follow()) as following:
        assert await anext(following) == Following()
        pid = await _create(subject, connection, ["/bin/sh", "-c", "exit 4"])
        await Tasks(connection).start(RUN, within=WITHIN)
        assert await anext(following) == StartSeen(RUN)
        seen = await anext(following)
    assert isinstance(seen, ExitSeen)
    assert (seen.run, seen.pid, seen.exit.status) == (RUN, pid, 4)
    assert await Tasks(connection).wait(RUN) == seen.exit


async def test_limits_of_a_task_that_has_ended_are_given_to_nobody(
    subject: Subject, connection: Connection
) -> None:
    tasks = Tasks(connection)
    limits = b'{"pids": {"limit": 100}}'
    await _create(subject, connection, ["/bin/sh", "-c", "sleep 1000"])
    await tasks.start(RUN, within=WITHIN)
    assert await tasks.update(RUN, limits)
    await tasks.kill(RUN, signal.SIGKILL)
    await tasks.wait(RUN)
    assert not await tasks.update(RUN, limits)
    await tasks.delete(RUN)
    assert not await tasks.update(RUN, limits)


async def test_image_is_imported_used_and_removed(
    subject: Subject, connection: Connection, tmp_path: Path
) -> None:
    layers, leases = Layers(connection), Leases(connection)
    images = Images(connection, layers, leases, spool=tmp_path)
    [imported] = await images.import_(_archive(), limit=1 << 20)
    assert imported.name == NAME
    assert [image.name for image in await images.list()] == [NAME]
    assert await leases.list() == []

    await leases.create("collect", {})
    await leases.delete("collect", sync=True)
    image = await images.get(NAME)
    assert image is not None
    assert await layers.prepare("used", parent=image.layer, labels=ROOT_LABEL)

    await layers.remove("used")
    assert await images.remove(NAME)
    assert not await images.remove(NAME)
    assert await layers.stat(image.layer) is None


async def _archive() -> AsyncIterator[bytes]:
    yield tars.tar_of(tars.docker_files(tags=("adapted:1",)))


def _places(subject: Subject) -> Places:
    return Places(subject.address, subject.root, subject.state)


def _wanted(subject: Subject, args: Sequence[str]) -> ContainerRecord:
    record = subject.wanted(RUN, args)
    return ContainerRecord(
        run=RUN,
        image=record.image,
        layer=RUN,
        spec=record.spec.value,
        runtime=RUNC,
        labels=dict(record.labels),
    )


async def _record(
    subject: Subject, connection: Connection, args: Sequence[str] = SLEEP
) -> list[Mount]:
    mounts = await Layers(connection).prepare(RUN, parent=BASE, labels=ROOT_LABEL)
    await Containers(connection).create(_wanted(subject, args))
    return mounts


async def _create(subject: Subject, connection: Connection, args: Sequence[str] = SLEEP) -> int:
    mounts = await _record(subject, connection, args)
    files = subject.creation(RUN, [])
    return await Tasks(connection).create(
        RUN,
        runtime=RUNC,
        rootfs=mounts,
        stdout=files.stdout,
        stderr=files.stderr,
        within=WITHIN,
    )


def _as_sent(mount: Mount) -> types_pb2.Mount:
    return types_pb2.Mount(
        type=mount.type, source=mount.source, target=mount.target, options=mount.options
    )
