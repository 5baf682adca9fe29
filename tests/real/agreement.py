"""Whether moored, its ledger, containerd and /proc tell the same story of a container.

Whatever was cancelled, killed or cut short: in the end a container either runs, in all four,
or it does not, in all four.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from moorage.v1 import container_pb2
from tests.outside import containerd as seen
from tests.outside import kernel, processes
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import Container
    from tests.real.containerd import Containerd
    from tests.real.moored import Moored
    from tests.real.wire import Wire

UNSETTLED = {
    container_pb2.CONTAINER_STATE_STARTING,
    container_pb2.CONTAINER_STATE_STOPPING,
    container_pb2.CONTAINER_STATE_REMOVING,
    container_pb2.CONTAINER_STATE_STRANDED,
}
SETTLE_WITHIN = 60.0
KEPT = frozenset({"layer", "ids", "output", "volume", "source"})
"""What a container has from one run to the next."""


async def settled_container(wire: Wire, reference: str) -> Container | None:
    """Return a container once no verb is at it, and nothing is left to be released.

    None: it is not there.
    """
    last: list[Container | None] = [None]

    async def at_rest() -> bool:
        try:
            last[0] = await wire.inspect(reference)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            last[0] = None
        return last[0] is None or last[0].status.state not in UNSETTLED

    await eventually(at_rest, f"{reference} is at rest", within=SETTLE_WITHIN)
    return last[0]


async def released(container: Container, moored: Moored) -> None:
    """Return once a run that has ended holds nothing: its exit is shown before that."""
    if container.status.state == container_pb2.CONTAINER_STATE_RUNNING:
        return

    def holds_nothing() -> bool:
        mine = {kind for id_, kind in ledger_resources(moored) if id_ == container.id}
        return mine <= KEPT

    await eventually(holds_nothing, f"{container.id} lets go of its run", within=SETTLE_WITHIN)


def assert_agreement(container: Container, moored: Moored, containerd: Containerd) -> bool:
    """Return whether ``container`` runs, which all four agree on."""
    runs = container.status.state == container_pb2.CONTAINER_STATE_RUNNING
    tasks = [
        task
        for task in seen.task_list(containerd.address, moored.instance)
        if task.id.startswith(container.id)
    ]
    grouped = {
        pid
        for pid, place in kernel.grouped_processes([moored.instance]).items()
        if container.id in place
    }
    shims = {
        shim
        for shim in processes.shims(containerd.address.socket, [moored.instance])
        if container.id in shim
    }
    if runs:
        run = f"{container.id}.{container.status.run}"
        assert tasks == [seen.SeenTask(run, container.status.pid, "RUNNING")]
        assert container.status.pid in grouped
        assert processes.is_alive(container.status.pid)
        assert len(shims) == 1
    else:
        assert (tasks, grouped, shims) == ([], set(), set()), container
    assert ledger_states(moored)[container.id] == ("running" if runs else "at rest")
    return runs


def ledger_states(moored: Moored) -> dict[str, str]:
    """Return what the ledger's file says of every container, read beside moored."""
    with closing(sqlite3.connect(f"file:{moored.root}/ledger.db?mode=ro", uri=True)) as ledger:
        rows = ledger.execute("SELECT id, state FROM containers").fetchall()
    return {id_: "running" if state.lower() == "running" else "at rest" for id_, state in rows}


def ledger_resources(moored: Moored) -> set[tuple[str, str]]:
    """Return every resource that the ledger believes to be held: container and kind."""
    with closing(sqlite3.connect(f"file:{moored.root}/ledger.db?mode=ro", uri=True)) as ledger:
        return set(ledger.execute("SELECT container, kind FROM resources").fetchall())
