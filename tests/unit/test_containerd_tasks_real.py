"""The laws of tasks, on a real containerd: Delete cleans up whatever a Create left, and the
exit that Wait, Get and Delete tell is one and the same.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from moored import errors
from moored.containerd.connection import Absent
from moored.containerd.leases import Leases
from moored.containerd.namespaces import Namespaces
from moored.containerd.values import LayerKind, Phase, Runtime, Task
from moored.model.identity import RunId
from moored.oci import cgroups, processes
from tests.unit.private_containerd import HELD, RUNC, WITHIN, Private, bind, private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real

_NOBODY = RunId(f"{'0' * 32}.1")


@pytest.fixture
async def containerd() -> AsyncIterator[Private]:
    async with private() as made:
        yield made


async def test_wait_get_and_delete_tell_the_same_exit(containerd: Private) -> None:
    tasks = containerd.tasks
    run = await containerd.create(["sh", "-c", "echo out; echo err >&2; exit 3"])
    created = await tasks.get(run)
    assert created is not None
    assert (created.phase, created.exit) == (Phase.CREATED, None)
    waiting = asyncio.create_task(tasks.wait(run))
    assert await tasks.start(run, within=WITHIN) == created.pid
    waited = await waiting
    assert waited is not None
    assert waited.status == 3
    assert waited.at.tzinfo is not None
    stopped = Task(run, Phase.STOPPED, created.pid, waited)
    assert await tasks.get(run) == stopped
    assert await tasks.list() == [stopped]
    assert await tasks.wait(run) == waited
    assert await tasks.delete(run) == waited
    assert await tasks.get(run) is None
    outputs = containerd.stdout.read_text(), containerd.stderr.read_text()
    assert outputs == ("out\n", "err\n")


async def test_asking_about_no_task_is_no_error(containerd: Private) -> None:
    tasks = containerd.tasks
    assert await tasks.get(_NOBODY) is None
    assert await tasks.wait(_NOBODY) is None
    assert await tasks.delete(_NOBODY) is None
    assert not await tasks.kill(_NOBODY, signal.SIGKILL)
    assert await tasks.list() == []


async def test_a_running_task_is_not_deleted_and_the_refusal_says_why(containerd: Private) -> None:
    tasks = containerd.tasks
    run = await containerd.create(["sleep", "1000"])
    pid = await tasks.start(run, within=WITHIN)
    with pytest.raises(errors.RuntimeRefused) as refused:
        await tasks.delete(run)
    why = f"cannot delete task '{run}': it is running, with pid {pid}"
    assert refused.value.message == why
    assert await tasks.kill(run, signal.SIGKILL)
    exited = await tasks.wait(run)
    assert exited is not None
    assert exited.status == 128 + signal.SIGKILL
    assert not await tasks.kill(run, signal.SIGKILL)
    assert await tasks.delete(run) == exited


async def test_a_task_that_never_ran_is_killed_and_deleted(containerd: Private) -> None:
    run = await containerd.create(["sleep", "1000"])
    assert await containerd.tasks.kill(run, signal.SIGKILL)
    killed = await containerd.tasks.wait(run)
    assert killed is not None
    assert await containerd.tasks.delete(run) == killed
    assert await containerd.bundles.list() == []


@pytest.mark.parametrize(
    ("command", "mounts", "kind"),
    [
        (["nope"], [], errors.CommandNotFound),
        (["/nope"], [], errors.CommandNotFound),
        (["/etc"], [], errors.CommandNotExecutable),
        (["/etc/passwd"], [], errors.CommandNotExecutable),
        (["/bin/loop"], [], errors.CommandNotExecutable),
        (["/etc/passwd/x"], [], errors.CommandNotExecutable),
        (["sh"], [bind("/etc/hostname", "/etc")], errors.MountMismatch),
        (["sh"], [bind("/etc", "/etc/passwd")], errors.MountMismatch),
        (["sh"], [bind("/etc/hostname", "/etc/passwd/x")], errors.MountMismatch),
        (["sh"], [bind("/nope", "/mnt")], errors.RuntimeRefused),
    ],
)
async def test_what_runc_refuses_gets_its_name_and_leaves_nothing(
    containerd: Private,
    command: list[str],
    mounts: list[dict[str, Any]],
    kind: type[errors.MooredError],
) -> None:
    run, rootfs = await containerd.record(command, mounts=mounts)
    with pytest.raises(errors.MooredError) as refused:
        await containerd.create_task(run, rootfs)
    assert type(refused.value) is kind
    assert await containerd.tasks.delete(run) is None
    assert await containerd.bundles.list() == []
    assert not cgroups.remove(containerd.cgroup(run))


async def test_a_runtime_that_is_not_there_is_no_missing_command(containerd: Private) -> None:
    run, rootfs = await containerd.record(["sh"])
    for binary in ("/nope/runc", "nope-runc"):
        with pytest.raises(errors.RuntimeRefused):
            await containerd.create_task(run, rootfs, runtime=Runtime("nope", binary))
        assert await containerd.tasks.delete(run) is None


@pytest.mark.parametrize("within", [0.004, 0.012, 0.02, 0.03])
async def test_after_a_create_without_an_answer_delete_leaves_nothing(
    containerd: Private, within: float
) -> None:
    with suppress(errors.RuntimeUnreachable):
        await containerd.create(["sleep", "1000"], within=within)
    (record,) = await containerd.containers.list()
    run = RunId(record.run)
    if await containerd.tasks.kill(run, signal.SIGKILL):
        await containerd.tasks.wait(run)
    await containerd.tasks.delete(run)
    await containerd.bundles.remove(run)
    cgroups.remove(containerd.cgroup(run))
    assert await containerd.tasks.get(run) is None
    assert await containerd.bundles.list() == []
    assert cgroups.paths(containerd.cgroup(run)) == []


async def test_a_dead_shim_is_no_exit_and_its_task_can_be_deleted(containerd: Private) -> None:
    tasks = containerd.tasks
    run = await containerd.create(["sleep", "1000"])
    pid = await tasks.start(run, within=WITHIN)
    process = processes.identity(pid)
    assert process is not None
    waiting = asyncio.create_task(tasks.wait(run))
    await tasks.get(run)  # answered after the Wait has got there
    os.kill(_parent(pid), signal.SIGKILL)
    with pytest.raises(errors.RuntimeRefused):
        await waiting
    await tasks.delete(run)
    assert await tasks.get(run) is None
    assert await processes.wait_gone(process, WITHIN)
    assert await containerd.bundles.list() == []


async def test_containerd_killed_in_mid_create_knows_nothing_and_delete_cleans(
    containerd: Private,
) -> None:
    gate = containerd.directory / "gate"
    arrived = containerd.directory / "arrived"
    for fifo in (gate, arrived):
        os.mkfifo(fifo)
    script = containerd.directory / "held-runc"
    script.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" create "*) echo >{arrived}; read -r _ <{gate};; esac\n'
        'exec runc "$@"\n'
    )
    script.chmod(0o755)
    opened = os.open(gate, os.O_RDWR | os.O_NONBLOCK)
    run, rootfs = await containerd.record(["sleep", "1000"])
    runtime = Runtime("held", str(script))
    creating = asyncio.create_task(containerd.create_task(run, rootfs, runtime=runtime))
    await asyncio.to_thread(arrived.read_text)
    process = containerd.embedded.process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(errors.RuntimeUnreachable):
        await creating
    os.write(opened, b"\n")
    os.close(opened)
    await containerd.embedded.start()
    await containerd.tasks.delete(run)
    await containerd.bundles.remove(run)
    assert await containerd.tasks.get(run) is None
    assert await containerd.tasks.list() == []
    assert await containerd.bundles.list() == []
    assert cgroups.alive(containerd.cgroup(run)) == []


async def test_a_record_comes_back_as_it_was_made(containerd: Private) -> None:
    run, _ = await containerd.record(["sh"])
    record = await containerd.containers.get(run)
    assert record is not None
    assert (record.run, record.layer, record.runtime) == (run, run, RUNC)
    assert record.labels == {"moorage/instance": containerd.namespace}
    assert await containerd.containers.list() == [record]
    assert await containerd.containers.delete(run)
    assert not await containerd.containers.delete(run)
    assert await containerd.containers.get(run) is None


async def test_a_layer_is_prepared_once_and_survives_the_collector(containerd: Private) -> None:
    layers, leases = containerd.layers, Leases(containerd.connection)
    mounts = await layers.prepare("mine", parent="base", labels=HELD)
    await layers.prepare("nobody's", parent="base", labels={})
    await leases.create("collect", {})
    assert [lease.id for lease in await leases.list()] == ["collect"]
    assert await leases.delete("collect", sync=True)
    assert not await leases.delete("collect")
    assert await layers.prepare("mine", parent="base", labels=HELD) == mounts
    assert await layers.mounts("mine") == mounts
    assert {layer.name for layer in await layers.list()} == {"base", "mine"}
    assert [layer.name for layer in await layers.list(['name=="mine"'])] == ["mine"]
    mine = await layers.stat("mine")
    assert mine is not None
    assert (mine.parent, mine.kind) == ("base", LayerKind.ACTIVE)
    assert await layers.remove("mine")
    assert not await layers.remove("mine")
    assert await layers.mounts("mine") is None
    assert await layers.stat("mine") is None


async def test_a_layer_without_its_parent_is_refused_by_name(containerd: Private) -> None:
    with pytest.raises(Absent, match="there is no layer 'sha256:nope' to put it on"):
        await containerd.layers.prepare("mine", parent="sha256:nope", labels=HELD)


async def test_our_namespace_appears_with_the_first_write(containerd: Private) -> None:
    namespaces = Namespaces(containerd.connection)
    assert await namespaces.list() == [containerd.namespace]
    assert not await namespaces.remove_if_empty(containerd.namespace)
    assert not await namespaces.remove_if_empty("nobody")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
