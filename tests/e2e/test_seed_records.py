"""What is recorded, shown and traced of a life keeps what it descends from: one row a test."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.outside import containerd as seen
from tests.outside import kernel, processes
from tests.real.agreement import ledger_states
from tests.real.collector import attributes, collecting
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

RUNNING = container_pb2.CONTAINER_STATE_RUNNING
EXITED = container_pb2.CONTAINER_STATE_EXITED
ERROR = 2
"""Of a span's status."""


async def test_s10_a_start_is_one_span_with_its_container_and_one_for_each_step_and_undo(
    site: Site, archive: Path
) -> None:
    with collecting() as collector:
        daemon = site.moored()
        daemon.spans_to = collector.address
        daemon.start()
        daemon.import_image(archive)
        async with Wire(daemon.address) as wire:
            good = await wire.run(sleeper(name="traced", labels={"tier": "front"}))
            with site.gate.failing("create"):
                await refused(wire.run(sleeper(name="broken", runtime="gated")))
            for container in await wire.list():
                await wire.remove(container.id)
        daemon.stop()
    starts = {attributes(s)["container.name"]: s for s in collector.spans if s.name == "start"}
    below = {
        name: {span.name for span in collector.spans if span.trace_id == start.trace_id}
        for name, start in starts.items()
    }
    told = attributes(starts["traced"])
    assert (told["container.id"], told["container.label.tier"]) == (good.id, "front")
    assert (starts["traced"].status.code, starts["broken"].status.code) == (0, ERROR)
    assert {"start.rootfs", "start.container", "start.task", "start.run"} <= below["traced"]
    assert {"start.task", "start.task.undo", "start.container.undo"} <= below["broken"]
    assert starts["traced"].trace_id.hex() == good.status.last_start.trace_id


async def test_s24_the_images_name_is_in_containerds_record(
    site: Site, moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as container:
        run = f"{container.id}.1"
        told = seen.ctr(site.containerd.address, moored.instance, "containers", "info", run)
        assert json.loads(told)["Image"] == "docker.io/library/busybox:latest"


async def test_s29_what_runs_has_a_process_and_a_time_and_nothing_of_the_run_before(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        with gate.failing("create"):
            await refused(wire.start(container.id))
        failed = (await wire.inspect(container.id)).status
        running = (await wire.start(container.id)).container.status
        assert failed.HasField("exit")
        assert failed.HasField("error")
        assert not running.HasField("exit")
        assert not running.HasField("error")
        assert processes.is_alive(running.pid)
        assert running.start_time.ToNanoseconds() > failed.finish_time.ToNanoseconds()
        assert (running.run, running.restart_count) == (2, 0)


async def test_s32_what_was_acknowledged_is_on_the_disk(own_moored: Moored, own_wire: Wire) -> None:
    answered = await own_wire.run(sleeper(name="kept"))
    own_moored.kill()
    assert ledger_states(own_moored) == {answered.id: "running"}
    own_moored.start()
    assert (await own_wire.inspect("kept")).status.pid == answered.status.pid
    await own_wire.remove("kept")


async def test_s32_a_start_that_cannot_be_recorded_fails_and_leaves_nothing(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.created(sleeper()) as container:
        before = site.look()
        with closing(sqlite3.connect(own_moored.root / "ledger.db")) as ledger:
            ledger.execute("BEGIN IMMEDIATE")  # nobody else can write now
            refusal = await refused(own_wire.start(container.id))
            ledger.rollback()
        assert refusal.reason == "LEDGER_FAILED"
        assert site.changes_since(before) == []
        assert (await own_wire.start(container.id)).container.status.state == RUNNING


async def test_s36_an_exit_deletes_the_task_and_delivers_the_output_whole(
    site: Site, moored: Moored, wire: Wire
) -> None:
    async with wire.running(shell("head -c 300000 /dev/zero; exit 4")) as container:
        printed = await wire.printed(container.id)
        ended = await wire.wait(container.id)
        assert (len(printed), ended.status.exit.code) == (300_000, 4)
        assert not seen.tasks(site.containerd.address, [moored.instance])


async def test_s40_what_somebody_else_does_to_a_task_of_ours_is_noticed(
    site: Site, moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as container:
        run = f"{container.id}.1"
        seen.ctr(site.containerd.address, moored.instance, "tasks", "kill", "-s", "KILL", run)
        status = (await wire.wait(container.id)).status
        assert (status.state, status.exit.signal) == (EXITED, signal.SIGKILL)
        assert status.exit.origin == container_pb2.EXIT_ORIGIN_SIGNAL


async def test_s47_what_was_executed_in_a_container_ends_with_its_cleanup(
    site: Site, moored: Moored, wire: Wire
) -> None:
    container = await wire.run(sleeper())
    words = ("tasks", "exec", "--detach", "--exec-id", "other", f"{container.id}.1")
    seen.ctr(site.containerd.address, moored.instance, *words, "/bin/sleep", "99999")
    during = kernel.grouped_processes([moored.instance])
    assert (await wire.cleanup(container.id)).complete
    assert len(during) == 2
    assert kernel.grouped_processes([moored.instance]) == {}


async def test_d3_what_is_recorded_of_a_container_is_all_that_a_reader_sees(
    own_moored: Moored, own_wire: Wire
) -> None:
    names = ("made", "ended", "runs")
    await own_wire.create(sleeper(name="made", labels={"a": "b"}))
    await own_wire.run(shell("exit 9", name="ended"))
    await own_wire.run(sleeper(name="runs"))
    await own_wire.wait("ended")
    async with own_wire.running(shell("exit 0")) as later:
        await own_wire.wait(later.id)
    before = [await own_wire.inspect(name) for name in names]
    own_moored.kill()
    own_moored.start()
    after = [await own_wire.inspect(name) for name in names]
    for container in (*before, *after):
        # A start's commit cannot record its own end.
        steps = container.status.last_start.steps
        kept = [step for step in steps if step.name != "commit"]
        container.status.last_start.ClearField("steps")
        container.status.last_start.steps.extend(kept)
        container.status.last_start.ClearField("duration")
    assert after == before
    for name in names:
        await own_wire.remove(name)
