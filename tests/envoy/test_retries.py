"""However often Envoy asks, a request happens once: among 503s and connections that break.

Two Envoys in a row, as in a mesh: the one next to moored answers some calls with 503 itself,
and what lies between it and moored resets connections after moored has answered.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_service_pb2 as service
from tests.envoy.killer import Killer, killing
from tests.outside.containerd import task_list
from tests.real.deadlines import eventually
from tests.real.specs import sleeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.envoy.conftest import Mesh
    from tests.envoy.process import Envoy
    from tests.envoy.sample import Bootstrap
    from tests.real.moored import Moored
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

AT_ONCE = 8
BATCH = 50
FAILS = 10
"""Calls of a hundred that are answered with 503."""
CUTS = 3
"""Answers of a hundred, in pieces as they come, that end with their connection."""


PATIENCE = 300.0
"""Seconds for a call, with all that it is asked again."""


@dataclass(frozen=True)
class Rough:
    """The way to moored, and how rough it was."""

    wire: Wire
    outer: Envoy
    inner: Envoy
    killer: Killer

    def was_rough(self) -> bool:
        """Whether calls were answered with 503, lost with their connection, and asked again."""
        aborted = self.inner.counted("http.callers.fault.aborts_injected")
        retried = (self.outer, self.inner)
        return bool(
            aborted
            and self.killer.cuts
            and all(envoy.counted("cluster.moored.upstream_rq_retry_success") for envoy in retried)
        )


@asynccontextmanager
async def rough(mesh: Mesh) -> AsyncIterator[Rough]:
    def fail(bootstrap: Bootstrap) -> None:
        bootstrap.let_fail(FAILS)
        # Who the caller is was found out by the one in front, and nobody else gets in here.
        bootstrap.connections["forward_client_cert_details"] = "FORWARD_ONLY"

    async with killing(mesh.upstream, CUTS) as killer:
        with mesh.front(fail, by=killer.place) as inner, mesh.front(to=inner) as outer:
            async with mesh.wire(outer) as wire:
                yield Rough(wire, outer, inner, killer)


async def test_twenty_starts_are_twenty_runs(mesh: Mesh, meshed: Moored, site: Site) -> None:
    async with rough(mesh) as way:
        await _run_and_remove(way.wire, meshed, site, 20)
        assert way.killer.cuts or way.inner.counted("http.callers.fault.aborts_injected")


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_thousand_starts_are_a_thousand_runs(
    mesh: Mesh, meshed: Moored, site: Site, tmp_path: Path
) -> None:
    with started_tasks(meshed, site, tmp_path / "events") as started:
        async with rough(mesh) as way:
            for _ in range(1000 // BATCH):
                await _run_and_remove(way.wire, meshed, site, BATCH)
            assert way.was_rough()
            print(
                f"{way.killer.cuts} connections cut",
                *(
                    f"{envoy.counted(f'cluster.moored.upstream_rq_{what}')} {what}"
                    for envoy in (way.outer, way.inner)
                    for what in ("total", "retry", "retry_success")
                ),
                f"{way.inner.counted('http.callers.fault.aborts_injected')} times 503",
            )
        await eventually(lambda: len(started()) >= 1000, "containerd has told of all")
        assert len(started()) == len(set(started())) == 1000


async def _run_and_remove(wire: Wire, moored: Moored, site: Site, many: int) -> None:
    """Start so many, each by a request of its own, count them twice, and remove them."""
    name = f"once-{secrets.token_hex(3)}"
    answers = await _each(
        wire.containers.Start,
        [
            service.StartRequest(spec=sleeper(name=f"{name}-{n}"), request_id=f"{name}-{n}")
            for n in range(many)
        ],
    )
    made = {answer.container.id for answer in answers}
    assert len(made) == many
    seen = {(c.id, c.status.run) for c in await wire.list() if c.name.startswith(name)}
    assert seen == {(id_, 1) for id_ in made}
    tasks = task_list(site.containerd.address, moored.instance)
    assert {task.id for task in tasks if task.status == "RUNNING"} == {f"{id_}.1" for id_ in made}
    await _each(
        wire.containers.Cleanup,
        [
            service.CleanupRequest(container=id_, force=True, remove=True, request_id=f"-{id_}")
            for id_ in made
        ],
    )
    assert task_list(site.containerd.address, moored.instance) == []


async def _each(method: Any, requests: list[Any]) -> list[Any]:
    """Ask once for each; whatever is asked again, Envoy does it."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(request: Any) -> Any:
        async with turns:
            return await method(request, timeout=PATIENCE)

    return await asyncio.gather(*map(ask, requests))


@contextmanager
def started_tasks(moored: Moored, site: Site, file: Path) -> Iterator[Callable[[], list[str]]]:
    """Have containerd tell of each task that it starts. Yields a look at whose they were."""
    address = site.containerd.address.socket
    command = ["ctr", "--address", address, "--namespace", moored.instance, "events"]
    with file.open("wb") as out, subprocess.Popen(command, stdout=out) as telling:

        def told() -> list[str]:
            lines = file.read_text().splitlines()
            return [line.split('"container_id":"')[1] for line in lines if "/tasks/start" in line]

        try:
            yield told
        finally:
            telling.terminate()
