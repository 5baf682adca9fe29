"""The ledger can be looked through and copied, beside a moored that serves and without one.

A copy that is put back is what moored goes on with; what came after it is told of by an audit.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_pb2
from tests.outside import kernel
from tests.real.agreement import assert_agreement, settled_container
from tests.real.offline import moored as run
from tests.real.specs import sleeper

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

GONE = "c0ffee" + 26 * "0"
RUN = f"{GONE}.1"


async def answer(daemon: Moored, *words: str) -> Any:
    return (await asyncio.to_thread(run, daemon, *words, "--json")).answer


async def test_check_says_what_is_there_beside_a_moored_and_without(
    own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.running(sleeper()), own_wire.created(sleeper()):
        beside = await answer(own_moored, "ledger", "check")
        assert beside["containers"] == {"Created": 1, "Running": 1}
        assert beside["resources"]["task"] == 1
        assert beside["faults"] == []
        own_moored.stop()
        without = await answer(own_moored, "ledger", "check")
        assert without["containers"] == beside["containers"]
        own_moored.start()


async def test_a_copy_is_whole_private_and_never_replaces_anything_unasked(
    tmp_path: Path, own_moored: Moored, own_wire: Wire
) -> None:
    copy = tmp_path / "copy.db"
    async with own_wire.running(sleeper()):
        told = await answer(own_moored, "ledger", "backup", str(copy))
    assert told["containers"] == {"Running": 1}
    assert copy.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["copy.db"]
    before = copy.read_bytes()
    again = await asyncio.to_thread(run, own_moored, "ledger", "backup", str(copy))
    assert (again.code, "--force" in again.err) == (1, True)
    assert copy.read_bytes() == before
    told = await answer(own_moored, "ledger", "backup", str(copy), "--force")
    assert told["containers"] == {}


async def test_a_copy_that_is_put_back_is_gone_on_with(
    tmp_path: Path, site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    before = site.look()
    stays, goes = (
        await own_wire.run(sleeper(name="stays")),
        await own_wire.run(sleeper(name="goes")),
    )
    await answer(own_moored, "ledger", "backup", str(tmp_path / "copy.db"))
    await own_wire.remove(goes.id)
    late = await own_wire.run(sleeper(name="late"))
    own_moored.stop()
    ledger = own_moored.root / "ledger.db"
    assert not list(ledger.parent.glob("ledger.db-*"))
    shutil.copyfile(tmp_path / "copy.db", ledger)
    own_moored.start()

    found = await settled_container(own_wire, "stays")
    assert found is not None
    assert found.status.pid == stays.status.pid
    assert assert_agreement(found, own_moored, site.containerd)
    ended = await settled_container(own_wire, "goes")
    assert ended is not None
    assert ended.status.exit.origin == container_pb2.EXIT_ORIGIN_UNKNOWN
    own_moored.stop()
    findings = (await asyncio.to_thread(run, own_moored, "audit", "--json")).out
    assert f"{late.id}.1" in findings
    fixed = await answer(own_moored, "audit", "--fix", "--kill")
    assert {row["outcome"] for row in fixed["findings"]} <= {"released", "already gone"}
    own_moored.start()
    for name in ("stays", "goes"):
        await own_wire.remove(name)
    assert site.changes_since(before) == []


def test_without_a_ledger_nothing_is_copied_and_none_is_made(site: Site, tmp_path: Path) -> None:
    daemon = site.moored()
    daemon.root.mkdir()
    for words in (("check",), ("backup", str(tmp_path / "copy.db"))):
        assert run(daemon, "ledger", *words).code == 1
    assert list(daemon.root.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(300)  # five commands, each of which is a program that starts
async def test_an_audit_without_a_moored_finds_what_one_beside_it_would(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    container = await own_wire.run(sleeper())
    beside = await asyncio.to_thread(run, own_moored, "audit")
    assert (beside.code, "moorage audit" in beside.err) == (1, True)
    own_moored.stop()
    planted = [own_moored.state / "runs" / RUN, own_moored.root / "output" / GONE / "1"]
    planted += [place / own_moored.instance / RUN for place in kernel.hierarchies()[:1]]
    for place in planted:
        place.mkdir(parents=True)
    ledger = (own_moored.root / "ledger.db").read_bytes()
    found = run(own_moored, "audit")
    assert found.code == 1
    assert all(kind in found.out for kind in (f"files {RUN}", f"output {GONE}/1", "cgroup"))
    assert container.id not in found.out
    assert {row["outcome"] for row in (await answer(own_moored, "audit", "--fix"))["findings"]} == {
        "released"
    }
    assert not any(place.exists() for place in planted)
    assert run(own_moored, "audit").code == 0
    assert (own_moored.root / "ledger.db").read_bytes() == ledger
    own_moored.start()
    await own_wire.remove(container.id)


async def test_an_audit_without_containerd_says_what_it_could_not_look_at(own_site: Site) -> None:
    daemon = own_site.start_moored()
    daemon.stop()
    (daemon.state / "runs" / RUN).mkdir(parents=True)
    own_site.containerd.kill()
    found = await asyncio.to_thread(run, daemon, "audit", "--json")
    refused = await asyncio.to_thread(run, daemon, "audit", "--fix")
    own_site.containerd.start()
    assert found.code == 1
    assert f'"{RUN}"' in found.out
    assert all(f'"{name}"' in found.out for name in ("tasks", "records", "layers", "bundles"))
    assert (refused.code, "containerd" in refused.err) == (1, True)
    assert run(daemon, "audit", "--fix").code == 0
