"""A lost ledger is made anew of what containerd and the host know, while containers run.

Afterwards all is as it was, as far as anybody can know: who runs, how it is called, what it has;
and nothing is left once it is cleaned up.
"""

from __future__ import annotations

import asyncio
import json
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_pb2
from moorage.v1.container_pb2 import Mount, PortMapping, RestartPolicy, Secret
from moorage.v1.container_service_pb2 import AuditRequest, RenameRequest
from tests.outside import processes
from tests.outside.containerd import ctr
from tests.real.agreement import assert_agreement, ledger_resources, settled_container
from tests.real.deadlines import eventually
from tests.real.offline import moored as run
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import Container, ContainerSpec
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

RUNNING = container_pb2.CONTAINER_STATE_RUNNING
EXITED = container_pb2.CONTAINER_STATE_EXITED
UNKNOWN = container_pb2.EXIT_ORIGIN_UNKNOWN
VOLUME = container_pb2.MOUNT_TYPE_VOLUME


def _lose(ledger: Path) -> None:
    for path in _files(ledger):
        path.unlink()


def _spoil(ledger: Path) -> None:
    ledger.write_bytes(b"this was a ledger once" * 1000)


def _files(ledger: Path) -> list[Path]:
    return [path for path in ledger.parent.iterdir() if path.name.startswith(ledger.name)]


def zoo() -> list[ContainerSpec]:
    """Return one container of each kind that runs on."""
    web = PortMapping(container_port=80)
    return [
        shell(OBEYS, name="obeys"),
        shell(OBEYS, name="labelled", labels={"k": "v"}, env=["A=1"]),
        shell("while :; do sleep 100000 & wait $!; done", name="terminal", tty=True),
        sleeper(name="web", network="bridge", ports=[web]),
        sleeper(name="web2", network="bridge", ports=[web]),
        sleeper(name="files", mounts=[Mount(type=VOLUME, source="stays", destination="/v")]),
        sleeper(name="own", mounts=[Mount(type=VOLUME, destination="/v")]),
        sleeper(name="secret", secrets=[Secret(name="s", value=b"word")]),
        sleeper(name="large", secrets=[Secret(name="s", value=b"x" * 60_000)]),
        sleeper(name="shared", ipc="shareable"),
        sleeper(name="mapped", user_namespace="auto", network="bridge"),
        sleeper(name="again", restart_policy=_always()),
        sleeper(),
    ]


def _always() -> RestartPolicy:
    return RestartPolicy(condition=container_pb2.RESTART_CONDITION_ALWAYS)


async def adopted(daemon: Moored, *words: str) -> dict[str, Any]:
    ended = await asyncio.to_thread(run, daemon, "ledger", "adopt", "--json", *words)
    answer: dict[str, Any] = ended.answer
    return answer


@pytest.mark.timeout(300)  # fourteen containers, and three starts of moored
async def test_what_runs_is_adopted_and_is_as_it_was(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    before = site.look()
    ran = [await own_wire.run(spec) for spec in zoo()]
    again = (await own_wire.start((await _exit(own_wire, "twice", 4)).id)).container
    over = await _exit(own_wire, "over", 5)
    await own_wire.create(sleeper(name="never"))
    own_moored.kill()
    _lose(own_moored.root / "ledger.db")

    own_moored.launch()
    assert await asyncio.to_thread(own_moored.await_end) == 1
    assert "moored ledger adopt" in own_moored.tail()

    told = {row["name"]: row for row in (await adopted(own_moored))["adopted"]}
    assert set(told) == {c.spec.name for c in ran} | {"twice", "over"}
    assert told["obeys"]["unknown"] == []
    assert told["secret"]["unknown"] == []
    assert told["large"]["unknown"] != []
    own_moored.start()
    for container in (*ran, again):
        if container.spec.name != "twice":
            await _assert_same(own_wire, container, own_moored, site)
    assert (await own_wire.inspect("over")).id == over.id
    assert (await own_wire.stop("obeys")).container.status.exit.code == 7
    processes.end((await own_wire.inspect("again")).status.pid, signal.SIGKILL)
    await eventually(partial(_runs, own_wire, "again", 2), "it is started again", within=30)
    assert (await own_wire.start("secret")).already_running
    assert (await refused(own_wire.inspect("never"))).reason == "CONTAINER_NOT_FOUND"
    assert (await refused(own_wire.create(sleeper(name="web")))).reason == "NAME_TAKEN"

    audit = await own_wire.containers.Audit(AuditRequest(), timeout=CALL_WITHIN)
    assert list(audit.findings) == []
    for one in await own_wire.list():
        await own_wire.cleanup(one.id, volumes=True)
    await own_wire.remove_volume("stays")
    assert site.changes_since(before) == []
    assert ledger_resources(own_moored) == set()


async def test_a_ledger_that_cannot_be_read_is_moved_aside_and_kept(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    ledger = own_moored.root / "ledger.db"
    container = await own_wire.run(sleeper(name="was"))
    await _rename(site, own_moored, own_wire, container, "stays")
    own_moored.stop()
    _spoil(ledger)
    spoilt = ledger.read_bytes()
    planned = await adopted(own_moored, "--dry-run")
    assert [row["name"] for row in planned["adopted"]] == ["stays"]
    assert ledger.read_bytes() == spoilt
    told = await adopted(own_moored)
    assert [path.read_bytes() for path in map(Path, [told["aside"]])] == [spoilt]
    assert run(own_moored, "ledger", "check").code == 0
    own_moored.start()
    found = await settled_container(own_wire, "stays")
    assert found is not None
    assert (found.status.state, found.status.pid) == (RUNNING, container.status.pid)
    await own_wire.remove(container.id)
    _throw_away_what_was_kept(own_moored)


async def _rename(site: Site, moored: Moored, wire: Wire, container: Container, name: str) -> None:
    """Give a container another name, and return once its run bears it too."""
    words = ("containers", "info", f"{container.id}.1")

    def riding() -> Any:
        told = ctr(site.containerd.address, moored.instance, *words)
        return json.loads(told)["Extensions"]

    before = riding()
    request = RenameRequest(container=container.id, new_name=name)
    await wire.containers.Rename(request, timeout=CALL_WITHIN)
    await eventually(lambda: riding() != before, "its run bears the new name")


async def test_a_ledger_that_can_be_read_is_replaced_only_by_force(
    own_moored: Moored, own_wire: Wire
) -> None:
    container = await own_wire.run(shell(OBEYS, name="first"))
    while_serving = await asyncio.to_thread(run, own_moored, "ledger", "adopt")
    assert (while_serving.code, str(own_moored.pid) in while_serving.err) == (1, True)
    own_moored.stop()
    refused_ = run(own_moored, "ledger", "adopt")
    assert (refused_.code, "--force" in refused_.err) == (1, True)
    assert len((await adopted(own_moored, "--force"))["adopted"]) == 1
    own_moored.start()
    assert (await own_wire.stop(container.id)).container.status.exit.code == 7
    await own_wire.remove(container.id)
    _throw_away_what_was_kept(own_moored)


async def test_what_ended_meanwhile_ended_as_it_did_or_nobody_knows_how(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    before = site.look()
    seen = await own_wire.run(shell(OBEYS, name="seen"))
    unseen = await own_wire.run(sleeper(name="unseen"))
    await own_wire.until_printed(seen.id, "ready")
    own_moored.kill()
    _lose(own_moored.root / "ledger.db")
    processes.end(seen.status.pid)
    ctr(site.containerd.address, own_moored.instance, "task", "rm", "--force", f"{unseen.id}.1")
    await adopted(own_moored)
    own_moored.start()
    assert (await own_wire.wait("seen")).status.exit.code == 7
    lost = (await own_wire.wait("unseen")).status.exit
    assert (lost.origin, lost.code) == (UNKNOWN, 255)
    for name in ("seen", "unseen"):
        await own_wire.remove(name)
    assert site.changes_since(before) == []


def _throw_away_what_was_kept(daemon: Moored) -> None:
    """Do what is the operator's: a ledger that was moved aside is never deleted by moored."""
    for path in daemon.root.glob("ledger.db.before-*"):
        path.unlink()


async def _runs(wire: Wire, name: str, run_: int) -> bool:
    status = (await wire.inspect(name)).status
    return (status.state, status.run) == (RUNNING, run_)


async def _exit(wire: Wire, name: str, code: int) -> Container:
    container = await wire.run(shell(f"exit {code}", name=name))
    await wire.wait(container.id)
    ended = await settled_container(wire, container.id)
    assert ended is not None
    return ended


async def _assert_same(wire: Wire, before: Container, daemon: Moored, site: Site) -> None:
    after = await settled_container(wire, before.id)
    assert after is not None
    assert (after.status.state, after.status.pid) == (RUNNING, before.status.pid)
    assert after.spec == before.spec
    assert after.create_time == before.create_time
    assert after.status.run == before.status.run
    assert after.status.networks == before.status.networks
    assert assert_agreement(after, daemon, site.containerd)
