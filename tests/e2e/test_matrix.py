"""Every step, undo and release of a life, broken in each way, on the real thing.

Whatever failed, hung or was killed, and wherever: once moored is there again the state is legal
and true, nothing is left, the container can be started and cleaned up, and no exit is lost. The
points come from the code: a new step or kind of resource joins by itself.

moored itself is told to fail, to hang and to kill itself. For what others do it stops at the
point, every thread of it, until it is done to them: the caller goes away, containerd is killed
and comes back, or answers nothing for a while, all shims are killed, or stall for a while.

A selection runs with all tests; ``make faults`` runs the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from moored.model.resources import Kind
from moored.verbs.steps import STEPS
from tests.outside import processes
from tests.real.agreement import (
    assert_agreement,
    ledger_resources,
    released,
    settled_container,
)
from tests.real.deadlines import eventually
from tests.real.matrix import APART, ELSEWHERE, QUESTION, STRUCK, Case, cases, selected
from tests.real.mounts import bind, volume
from tests.real.site import Site
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _pytest.mark import ParameterSet

    from moorage.v1.container_pb2 import Container, ContainerSpec
    from tests.real.moored import Moored

pytestmark = pytest.mark.real

NAME: Final = "life"
SILENT_FOR: Final = 3.0
"""Seconds: more than any step or undo has here."""
REMOVED_WITHIN: Final = 60.0
LIMITS: Final = {"step_timeout": "2s", "undo_timeout": "2s"}
CODE: Final = 3
"""What the process of a life that ends by itself ends with."""
PARTNER: Final = "partner"


def parameters() -> list[ParameterSet]:
    return [
        pytest.param(case, id=str(case), marks=() if selected(case) else pytest.mark.soak)
        for case in cases()
    ]


@pytest.fixture(scope="module")
def breakable(archive: Path) -> Iterator[Site]:
    """A containerd that these tests may kill."""
    built = Site(archive)
    yield built
    assert built.close() == []


@pytest.mark.parametrize("case", parameters())
async def test_whatever_breaks_the_world_is_mended(
    breakable: Site,
    policy: Path,
    bind_root: Path,
    case: Case,
    record_property: Callable[[str, object], None],
) -> None:
    asking = partial(record_property, QUESTION)
    site = breakable
    daemon = site.start_moored({**LIMITS, "policy": str(policy), "failpoints": case.script})
    spec = _spec(case, bind_root)
    before = site.look()
    async with Wire(daemon.address) as wire:
        await wire.create(sleeper(name=PARTNER, network="none"))
        passed = await _passed(wire, spec)
        living = asyncio.create_task(_live(wire, case, spec))
        shims: set[int] = set()
        if case.action in STRUCK and case.about(passed):
            shims = await _strike(site, daemon, case, living)
        await asyncio.gather(living, return_exceptions=case.action == "cancel")
    await asyncio.to_thread(_come_back, daemon, killed=case.action == "kill" and case.about(passed))
    if case.action == "stall":
        await eventually(partial(_all_go_on, site), "no shim stands still")
    async with Wire(daemon.address) as wire:
        asking("true")
        container = await settled_container(wire, NAME)
        if container is not None and shims:
            container = await wire.wait(container.id)  # once moored knows of its shim
        if container is not None:
            await _judge(wire, site, daemon, container, case, asking)
        asking("left")
        # A cleanup that could not end yet has freed the name already.
        await eventually(
            partial(_has_only, wire, PARTNER), "all else is removed", within=REMOVED_WITHIN
        )
        await wire.remove(PARTNER)
        assert not (await wire.prune_volumes(all=True)).incomplete
        assert not (await _audit(wire)).findings
    assert site.changes_since(before) == []
    assert ledger_resources(daemon) == set()
    daemon.stop()
    site.retire_stopped()


async def test_the_lives_of_the_matrix_pass_every_step_and_hold_every_kind(
    mounts: Wire, bind_root: Path
) -> None:
    await mounts.create(sleeper(name=PARTNER, network="none"))
    passed = await _passed(mounts, _spec(Case("cleanup", "", ""), bind_root))
    apart = await _passed(mounts, _spec(Case("cleanup", "start.idmap.after", ""), bind_root))
    await mounts.remove(PARTNER)
    assert passed == {*STEPS, *Kind} - ELSEWHERE - APART
    assert apart == {*STEPS, *Kind} - ELSEWHERE - {"network", Kind.SHM}


async def _passed(wire: Wire, spec: ContainerSpec) -> set[str]:
    """Return the steps and the kinds of resources of a life, as the server plans it."""
    request = container_service_pb2.StartRequest(spec=spec, validate_only=True)
    plan = (await wire.containers.Start(request, timeout=CALL_WITHIN)).plan
    kinds = {acquired.split(" ")[0] for step in plan.steps for acquired in step.acquires}
    return {step.name for step in plan.steps} | kinds


async def _strike(site: Site, daemon: Moored, case: Case, living: asyncio.Task[None]) -> set[int]:
    """Do to others what the case says while moored stops at its point.

    Return the shims that were killed.
    """
    shims: set[int] = set()
    await eventually(daemon.is_stopped, f"moored comes to {case.point}")
    match case.action:
        case "cancel":
            living.cancel()
            await asyncio.wait([living])
        case "containerd":
            site.containerd.kill()
            await asyncio.to_thread(site.containerd.start)
        case "silence":
            site.containerd.pause()
            asyncio.get_running_loop().call_later(SILENT_FOR, site.containerd.resume)
        case "stall":
            _stall(processes.shim_pids(site.containerd.address.socket))
        case "shim":
            shims = processes.shim_pids(site.containerd.address.socket)
            for pid in shims:
                os.kill(pid, signal.SIGKILL)
    daemon.resume()
    return shims


def _stall(shims: set[int]) -> None:
    """Let shims answer nothing for a while."""
    for pid in shims:
        os.kill(pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(SILENT_FOR, _let_go_on, pid)


def _all_go_on(site: Site) -> bool:
    shims = processes.shim_pids(site.containerd.address.socket)
    return not any(processes.is_alive(pid) and processes.is_stopped(pid) for pid in shims)


def _let_go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # moored may have had it killed
        os.kill(pid, signal.SIGCONT)


async def _live(wire: Wire, case: Case, spec: ContainerSpec) -> None:
    """Let a container live as far as it gets."""
    try:
        container = await wire.run(spec)
        if case.verb == "exit":
            await wire.wait(container.id, within=20)
        if case.verb == "cleanup":
            await wire.cleanup(container.id)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNKNOWN:
            raise


def _spec(case: Case, bind_root: Path) -> ContainerSpec:
    """A container that has everything that one can have beside another."""
    everything = {
        "name": NAME,
        "ipc": "shareable",
        "network": "bridge",
        "ports": [container_pb2.PortMapping(container_port=80)],
        "stdin": True,
        "secrets": [container_pb2.Secret(name="key", value=b"hush")],
        "mounts": [
            volume("life", "/bin/life"),
            volume("", "/etc"),
            bind(bind_root / "life" / str(case), "/b", create_source=True),
        ],
    }
    if APART & set(case.point.split(".")):
        everything |= {"ipc": "", "user_namespace": "auto"}
    if case.verb == "exit":
        return shell(f"exit {CODE}", **everything)
    return sleeper(**everything)


def _come_back(daemon: Moored, *, killed: bool) -> None:
    """Let moored serve again without fail points. One that was to be killed has been."""
    if killed:
        daemon.await_end()
    else:
        daemon.stop()
    daemon.reconfigure(failpoints="")
    daemon.start()


async def _has_only(wire: Wire, name: str) -> bool:
    return [container.name for container in await wire.list()] == [name]


async def _audit(wire: Wire) -> container_service_pb2.AuditResponse:
    request = container_service_pb2.AuditRequest()
    return await wire.containers.Audit(request, timeout=CALL_WITHIN)


async def _judge(
    wire: Wire,
    site: Site,
    daemon: Moored,
    container: Container,
    case: Case,
    asking: Callable[[str], None],
) -> None:
    """Ask the questions of a container that is there: is it true, and can it go on?"""
    await released(container, daemon)
    runs = assert_agreement(container, daemon, site.containerd)
    asking("exit")
    if case.verb == "exit" and container.status.run and not runs:
        exit_ = container.status.exit
        assert (exit_.code, exit_.origin) == (CODE, container_pb2.EXIT_ORIGIN_PROCESS)
    asking("usable")
    if not runs:
        assert (await wire.start(container.id)).container.status.run > container.status.run
    await wire.remove(container.id)
