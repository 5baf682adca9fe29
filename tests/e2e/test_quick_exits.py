"""However quickly a process ends, and whoever is killed meanwhile: its exit is the true one.

moored is killed and stopped, containerd is killed, and shims are killed once an exit was seen.
A short selection runs with all tests; the whole of it takes minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.specs import shell
from tests.real.wire import Wire, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

PROCESS = container_pb2.EXIT_ORIGIN_PROCESS
SIGNAL = container_pb2.EXIT_ORIGIN_SIGNAL
START_FAILURE = container_pb2.EXIT_ORIGIN_START_FAILURE
AT_A_TIME = 8
LINGERS: Final = 5
"""Every eighth container lives long enough for its shim to be known, and then killed."""
Verdict: TypeAlias = tuple[int, int]
"""A code, and where it came from."""
Made = TypeVar("Made")


@dataclass
class Outages:
    """When moored or containerd did not answer."""

    spans: list[tuple[datetime, datetime]] = field(default_factory=list)

    def within(self, begin: datetime, end: datetime) -> timedelta:
        overlaps = (min(end, until) - max(begin, since) for since, until in self.spans)
        return sum((lap for lap in overlaps if lap > timedelta()), timedelta())


@pytest.mark.parametrize(
    "number",
    [32, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
async def test_every_quick_exit_is_the_true_one(own_site: Site, number: int) -> None:
    moored = own_site.start_moored()
    disturbances = {number // 4: "kill", number // 2: "containerd", 3 * number // 4: "restart"}
    outages = Outages()
    async with Wire(moored.address) as wire:
        made = await _in_turns(number, lambda count: _quick(wire, count))
        expected = dict(made)
        shims = 0
        for position, (container, _) in enumerate(made):
            if what := disturbances.get(position):
                await asyncio.to_thread(_disturb, own_site, moored, what, outages)
            pid = await _started(wire, container)
            if position % 8 == LINGERS:
                shims += await _kill_shim_after_exit(own_site, wire, container, pid)
        seen = {container: await _verdict(wire, container) for container, _ in made}
        wrong = {c: (seen[c], expected[c]) for c in seen if seen[c] != expected[c]}
        late = max(_lateness(moored, outages), default=timedelta())
        await _in_turns(number, lambda count: wire.remove(made[count][0]))
    print(f"{number} exits, the latest {late.total_seconds():.3f} s late; {shims} shims killed")
    assert wrong == {}
    assert shims > 0


async def _in_turns(number: int, work: Callable[[int], Awaitable[Made]]) -> list[Made]:
    """Do something ``number`` times, some at a time, and return what each gave."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(count: int) -> Made:
        async with turn:
            return await work(count)

    return await asyncio.gather(*(one(count) for count in range(number)))


async def _quick(wire: Wire, count: int) -> tuple[str, Verdict]:
    """Create a container that ends at once, and say how."""
    kind, code = count % 8, count % 256
    if kind == 7:
        spec = container_pb2.ContainerSpec(image="busybox", command=["/no/such/program"])
        return (await wire.create(spec)).id, (127, START_FAILURE)
    if kind == 6:
        number = (1, 2, 6, 9, 10, 12, 14, 15)[count // 8 % 8]
        return (await wire.create(_killed_by(number))).id, (128 + number, SIGNAL)
    origin = SIGNAL if 128 < code <= 192 else PROCESS  # they cannot be told apart
    script = f"sleep 0.3; exit {code}" if kind == LINGERS else f"exit {code}"
    return (await wire.create(shell(script))).id, (code, origin)


def _killed_by(number: int) -> container_pb2.ContainerSpec:
    """A first process cannot kill itself by what it does not handle: its child ends so."""
    return shell(f"sh -c 'kill -{number} $$'; exit $?")


async def _started(wire: Wire, container: str) -> int:
    """Start it, however often moored or containerd goes away meanwhile. Return its pid."""
    while True:
        try:
            return (await wire.start(container)).container.status.pid
        except grpc.aio.AioRpcError as error:
            if refusal(error).reason == "COMMAND_NOT_FOUND":
                return 0
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise


async def _kill_shim_after_exit(site: Site, wire: Wire, container: str, pid: int) -> bool:
    """Kill the shim in the moment in which the exit is seen; return whether it was there."""
    try:
        shim = processes.shim_of(site.containerd.address.socket, f"{container}.1")
        descriptor = os.pidfd_open(shim)
    except (LookupError, ProcessLookupError):  # over already
        return False
    try:
        await wire.wait(container)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return True
    finally:
        os.close(descriptor)
    return False


async def _verdict(wire: Wire, container: str) -> Verdict:
    exit = (await wire.wait(container)).status.exit
    return exit.code, exit.origin


def _disturb(site: Site, moored: Moored, what: str, outages: Outages) -> None:
    begin = datetime.now(UTC)
    match what:
        case "kill":
            moored.kill()
            moored.start()
        case "restart":
            moored.restart()
        case _:
            site.containerd.kill()
            site.containerd.start()
    outages.spans.append((begin, datetime.now(UTC)))


def _lateness(moored: Moored, outages: Outages) -> list[timedelta]:
    """Return how long after each exit it was on record, less what nobody could answer."""
    with closing(sqlite3.connect(f"file:{moored.root}/ledger.db?mode=ro", uri=True)) as ledger:
        rows = ledger.execute("SELECT at, facts FROM events WHERE kind = 'TaskExited'").fetchall()
    found = []
    for text, facts in rows:
        at = datetime.fromisoformat(text)
        exited = datetime.fromisoformat(json.loads(facts)["exit"]["at"])
        found.append(at - exited - outages.within(exited, at))
    return found
