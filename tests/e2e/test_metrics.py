"""What a real moored tells of itself in numbers: to Prometheus, and by OTLP."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.real.collector import collecting
from tests.real.deadlines import eventually
from tests.real.scraping import scraped
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN = 30.0


async def test_s30_containers_are_counted_by_state_and_ends_by_origin(
    site: Site, archive: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    daemon = site.moored({"metrics_listen": address})
    daemon.start()
    daemon.import_image(archive)
    async with Wire(daemon.address) as wire:
        await wire.run(sleeper())
        ended = await wire.run(shell("exit 3"))
        await wire.wait(ended.id)
        with site.gate.failing("create"):
            await refused(wire.run(sleeper(runtime="gated", auto_remove=True)))
        last = {"": 0.0}

        async def counted() -> bool:
            last.clear()
            last.update(await asyncio.to_thread(scraped, address))
            return last.get('moored_exits_total{origin="process"}') == 1

        await eventually(counted, "the exit is counted", within=WITHIN)
        assert last['moored_containers{state="running"}'] == 1
        assert last['moored_containers{state="exited"}'] == 1
        assert last['moored_containers{state="removing"}'] == 0
        failures = 'moored_start_failures_total{reason="RUNTIME_REFUSED",step="task"}'
        assert last[failures] == 1
        assert last['moored_step_duration_seconds_count{outcome="failed",step="start.task"}'] == 1
        assert last['moored_step_duration_seconds_count{outcome="done",step="start.task"}'] == 2
        assert last["moored_containerd_reachable"] == 1
        assert last["moored_start_queue"] == 0
        assert last["process_memory_usage_bytes"] > 10_000_000
        calls = [name for name in last if name.startswith("rpc_server_call_duration_seconds_count")]
        assert any('error_type="RUNTIME_REFUSED"' in name for name in calls)
        for container in await wire.list():
            await wire.remove(container.id)
        assert not any(container.id in name for name in last)
    daemon.stop()


async def test_numbers_get_to_a_collector_by_otlp(site: Site, archive: Path) -> None:
    with collecting() as collector:
        daemon = site.moored()
        daemon.spans_to = collector.address
        daemon.start()
        daemon.import_image(archive)
        async with Wire(daemon.address) as wire, wire.running(sleeper()):
            pass
        daemon.stop()
    names = {metric.name for metric in collector.metrics}
    assert {"moored.step.duration", "moored.containers", "rpc.server.call.duration"} <= names
