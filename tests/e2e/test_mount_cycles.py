"""Containers with mounts come and go, eight at a time, and leave nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_service_pb2
from tests.e2e.conftest import WANTING
from tests.real.mounts import bind, tmpfs, volume
from tests.real.specs import shell
from tests.real.wire import CALL_WITHIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

AT_A_TIME = 8


@pytest.mark.parametrize(
    "cycles", [16, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_containers_with_mounts_come_and_go_and_leave_nothing(
    mounts: Wire, site: Site, bind_root: Path, cycles: int
) -> None:
    before = site.look()
    width = asyncio.Semaphore(AT_A_TIME)

    async def live(number: int) -> None:
        asked = [
            volume(f"cycle-{number % AT_A_TIME}", "/data"),
            volume("cycle-shared", "/shared"),
            bind(bind_root, "/b", read_only=True),
            tmpfs("/t"),
        ]
        spec = shell(f"echo {number} >> /shared/all; test -e /wanted/seed", mounts=asked)
        spec.image = WANTING
        async with width:
            container = await mounts.run(spec)
            assert (await mounts.wait(container.id)).status.exit.code == 0
            request = container_service_pb2.CleanupRequest(
                container=container.id, force=True, remove=True, remove_volumes=True
            )
            answer = await mounts.containers.Cleanup(request, timeout=CALL_WITHIN)
            assert answer.complete, str(answer)

    await asyncio.gather(*(live(number) for number in range(cycles)))
    lines = await _lines(mounts)
    assert sorted(lines) == list(range(cycles))
    names = {one.name for one in await mounts.list_volumes()}
    assert names == {"cycle-shared", *(f"cycle-{number}" for number in range(AT_A_TIME))}
    assert len((await mounts.prune_volumes(all=True)).removed) == AT_A_TIME + 1
    assert site.changes_since(before) == []


async def _lines(mounts: Wire) -> list[int]:
    spec = shell("cat /shared/all", mounts=[volume("cycle-shared", "/shared")])
    async with mounts.running(spec) as container:
        return [int(line) for line in (await mounts.printed(container.id)).split()]
