"""A containerd that is silent over an end of moored leaves nothing, whatever it makes late.

moored asks it to make something while it stands still, gives up, is killed and started again;
then containerd goes on, and finds what was asked of it. The new moored, which it kept waiting,
looks for what the record says may come, until it is sure.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_service_pb2
from tests.real.agreement import assert_agreement, ledger_resources, released, settled_container
from tests.real.deadlines import eventually
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from tests.real.site import Site

pytestmark = pytest.mark.real

NAME = "late"
SILENT_FOR = 4.0
"""Seconds that moored is there again and containerd is not: fewer than moored waits."""
LIMITS = {"step_timeout": "2s", "undo_timeout": "2s"}


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("start.rootfs.before", marks=pytest.mark.soak),
        "start.container.before",
        pytest.param("start.task.before", marks=pytest.mark.soak),
    ],
)
async def test_what_is_made_after_moored_was_started_again_does_not_stay(
    own_site: Site, point: str
) -> None:
    daemon = own_site.start_moored({**LIMITS, "failpoints": f"{point}=1*stop"})
    before = own_site.look()
    async with Wire(daemon.address) as wire:
        starting = asyncio.create_task(refused(wire.run(sleeper(name=NAME))))
        await eventually(daemon.is_stopped, f"moored comes to {point}")
        own_site.containerd.pause()
        daemon.resume()
        assert (await starting).reason in {"RUNTIME_UNREACHABLE", "STEP_TIMED_OUT"}
    daemon.kill()
    daemon.reconfigure(failpoints="")
    daemon.launch()
    asyncio.get_running_loop().call_later(SILENT_FOR, own_site.containerd.resume)
    await asyncio.to_thread(daemon.await_serving)
    async with Wire(daemon.address) as wire:
        container = await settled_container(wire, NAME)
        assert container is not None
        await released(container, daemon)
        assert not assert_agreement(container, daemon, own_site.containerd)
        await wire.start(NAME)
        await wire.remove(NAME)
        request = container_service_pb2.AuditRequest()
        assert not (await wire.containers.Audit(request, timeout=CALL_WITHIN)).findings
    assert own_site.changes_since(before) == []
    assert ledger_resources(daemon) == set()
    daemon.stop()
