"""What others do: a call to containerd is lost, and the runtime lies. Once each, while moored
goes on living.

Nobody restarts moored here: it has to find out and to mend the world by itself. Then come the
questions of the matrix.

A selection runs with all tests; ``make faults`` runs the whole.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2, container_service_pb2, exec_service_pb2
from tests.real.agreement import (
    assert_agreement,
    ledger_resources,
    released,
    settled_container,
)
from tests.real.deadlines import eventually
from tests.real.matrix import QUESTION, Case, lies, lost_calls
from tests.real.proxy import Proxy
from tests.real.site import Site
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from moorage.v1.container_pb2 import ContainerSpec
    from tests.outside.world import World
    from tests.real.moored import Moored
    from tests.real.proxy import Loss
    from tests.real.runtime import Lie

pytestmark = pytest.mark.real

CODE: Final = 3
LIMITS: Final = {"step_timeout": "2s", "undo_timeout": "2s"}
EXEC_WITHIN: Final = 20.0
REMOVED_WITHIN: Final = 60.0
ONCE_A_LIFE: Final = frozenset({"Content.Read", "Snapshots.Stat"})
"""What moored asks once, and then knows."""
SELECTED: Final = frozenset({"start-Tasks.Create-reply", "cleanup-runc.kill-deny"})


def parameters(found: Iterator[tuple[Case, str]]) -> list[object]:
    return [
        pytest.param(
            case, how, id=str(case), marks=() if str(case) in SELECTED else pytest.mark.soak
        )
        for case, how in found
    ]


@pytest.fixture(scope="module")
def around(archive: Path) -> Iterator[Site]:
    built = Site(archive)
    yield built
    assert built.close() == []


@pytest.fixture(scope="module")
def proxy(around: Site) -> Iterator[Proxy]:
    with Proxy(around.directory / "p.sock", around.containerd.address.socket) as entered:
        yield entered


@pytest.fixture(scope="module")
def daemon(around: Site, proxy: Proxy) -> Iterator[Moored]:
    started = around.start_moored(LIMITS, through=proxy.socket)
    yield started
    started.stop()


@pytest.mark.parametrize(("case", "loss"), parameters(lost_calls()))
async def test_a_call_that_is_lost_is_found_out(
    around: Site,
    proxy: Proxy,
    daemon: Moored,
    case: Case,
    loss: Loss,
    record_property: Callable[[str, object], None],
) -> None:
    before = around.look(), ledger_resources(daemon)
    if case.point in ONCE_A_LIFE:
        daemon.restart()
    async with Wire(daemon.address) as wire:
        spec = _spec(case)
        await _prepare(wire, case, spec)
        proxy.lose(loss, case.point)
        await _live(wire, case, spec)
        await eventually(proxy.has_lost, f"{case.point} is called")
        await _judge(wire, around, daemon, case, before, partial(record_property, QUESTION))


@pytest.mark.parametrize(("case", "lie"), parameters(lies()))
async def test_a_lie_of_the_runtime_is_found_out(
    around: Site,
    daemon: Moored,
    case: Case,
    lie: Lie,
    record_property: Callable[[str, object], None],
) -> None:
    verb = case.point.rpartition(".")[2]
    before = around.look(), ledger_resources(daemon)
    async with Wire(daemon.address) as wire:
        spec = _spec(case, runtime="gated")
        await _prepare(wire, case, spec)
        around.gate.lie(verb, lie)
        await _live(wire, case, spec)
        await eventually(partial(around.gate.has_lied, verb), f"runc is told to {verb}")
        await _judge(wire, around, daemon, case, before, partial(record_property, QUESTION))


def _spec(case: Case, *, runtime: str = "") -> ContainerSpec:
    labels = {"case": str(case)}
    if case.verb == "exit":
        return shell(f"exit {CODE}", name=str(case), runtime=runtime, labels=labels)
    return sleeper(name=str(case), runtime=runtime, labels=labels)


async def _prepare(wire: Wire, case: Case, spec: ContainerSpec) -> None:
    """Bring a container to where the verb begins."""
    if case.verb in ("again", "exec", "cleanup"):
        container = await wire.run(spec)
    if case.verb == "again":
        await wire.stop(container.id, signal="KILL")


async def _live(wire: Wire, case: Case, spec: ContainerSpec) -> None:
    """Do what the verb is, and take whatever answer there is."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        match case.verb:
            case "cleanup":
                await wire.cleanup(str(case))
            case "exec":
                asked = exec_service_pb2.ExecSpec(args=["true"])
                request = exec_service_pb2.ExecSyncRequest(container=str(case), spec=asked)
                await wire.execs.ExecSync(request, timeout=EXEC_WITHIN)
            case "again":
                await wire.start(str(case))
            case "exit":
                await wire.wait((await wire.run(spec)).id)
            case _:
                await wire.run(spec)


async def _judge(
    wire: Wire,
    site: Site,
    daemon: Moored,
    case: Case,
    before: tuple[World, set[tuple[str, str]]],
    asking: Callable[[str], None],
) -> None:
    """Ask the four questions."""
    asking("true")
    container = await settled_container(wire, str(case))
    if container is not None:
        await released(container, daemon)
        runs = assert_agreement(container, daemon, site.containerd)
        asking("exit")
        if case.verb == "exit":
            exit_ = container.status.exit
            assert (exit_.code, exit_.origin) == (CODE, container_pb2.EXIT_ORIGIN_PROCESS)
        asking("usable")
        if not runs:
            await wire.start(container.id)
        await wire.remove(container.id)
    asking("left")
    await eventually(partial(_is_gone, wire, case), "all is removed", within=REMOVED_WITHIN)
    request = container_service_pb2.AuditRequest()
    assert not (await wire.containers.Audit(request, timeout=CALL_WITHIN)).findings
    world, held = before
    assert site.changes_since(world) == []
    assert ledger_resources(daemon) <= held


async def _is_gone(wire: Wire, case: Case) -> bool:
    return all(it.spec.labels["case"] != str(case) for it in await wire.list())
