"""Of every kind of thing that bears our mark, one that is on nobody's record is found, and let go
of when that is asked for; what only looks like it stays.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from moorage.v1 import container_service_pb2
from tests.outside import containerd as seen
from tests.outside import kernel, processes
from tests.real.deadlines import eventually
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

IMAGE: Final = "docker.io/library/busybox:latest"
RUNTIME_STATES: Final = Path("/run/containerd/runc")
WITHIN: Final = 20.0


class Orphans:
    """Plants things, each under the name of a run of its own, and knows how to see each."""

    def __init__(self, site: Site, moored: Moored) -> None:
        self.site: Final = site
        self.moored: Final = moored
        self.planted: Final[dict[tuple[str, str], Callable[[], bool]]] = {}
        """By kind and key: whether it is there."""
        self._count = 0

    def run(self) -> str:
        self._count += 1
        return f"{self._count:032x}.1"

    def plant_files(self) -> None:
        """A directory of files, a FIFO and captured output."""
        state, root = self.moored.state, self.moored.root
        files, streams, output = self.run(), self.run(), self.run()
        (state / "runs" / files).mkdir(parents=True)
        (state / "runs" / files / "hosts").write_text("127.0.0.1 localhost\n")
        self._expect("files", files, (state / "runs" / files).exists)
        (state / "streams" / streams / "execs").mkdir(parents=True)
        os.mkfifo(state / "streams" / streams / "stdin")
        self._expect("streams", streams, (state / "streams" / streams).exists)
        container, _, number = output.partition(".")
        (root / "output" / container / number).mkdir(parents=True)
        (root / "output" / container / number / "stdout").write_text("said\n")
        self._expect("output", f"{container}/{number}", (root / "output" / container).exists)

    def plant_mounts(self) -> None:
        """Shared memory, secrets and layers that are mounted, and a namespace that has a name."""
        for kind, below in (("shm", ""), ("secrets", ""), ("idmaps", "0")):
            run = self.run()
            place = self.moored.state / kind / run
            (place / below).mkdir(parents=True)
            _command("mount", "-t", "tmpfs", "tmpfs", str(place / below))
            self._expect(kind, run, place.exists)
        run = self.run()
        pin = self.moored.state / "cni" / run
        pin.parent.mkdir(exist_ok=True)
        pin.touch()
        _command("mount", "--bind", "/proc/self/ns/net", str(pin))
        self._expect("attachment", f"{run}/eth0", pin.exists)

    def plant_attachment(self) -> None:
        """What is on record of an attachment to a network that is gone."""
        run = self.run()
        place = self.moored.root / "cni" / run
        place.mkdir(parents=True)
        plugin = {"type": "loopback"}
        network = {"cniVersion": "1.0.0", "name": "gone", "plugins": [plugin]}
        record = {"form": 1, "network": network, "version": "1.0.0", "namespace": ""}
        more: dict[str, Any] = {"arguments": "", "capabilities": {}, "result": None, "done": False}
        (place / "eth0.json").write_text(json.dumps(record | more))
        self._expect("attachment", f"{run}/eth0", place.exists)

    def plant_cgroups(self) -> None:
        """One in each hierarchy."""
        for hierarchy in kernel.hierarchies():
            run = self.run()
            place = hierarchy / self.moored.instance / run
            place.mkdir(parents=True)
            self._expect("cgroup", f"/{self.moored.instance}/{run}", place.exists)

    def plant_link(self) -> None:
        run, name = self.run(), f"mo{os.getpid() % 100000}x"
        _command("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        alias = f"moorage {self.moored.instance} {run}"
        _command("ip", "link", "set", name, "alias", alias)
        self._expect("link", name, lambda: name in " ".join(kernel.links([self.moored.instance])))

    def plant_rule(self) -> None:
        """A published port, of a time when there was a bridge."""
        run, table = self.run(), f"moored-{self.moored.instance}"
        _command("nft", "add", "table", "inet", table)
        kinds = "{ type inet_proto . inet_service : ipv4_addr . inet_service; }"
        _command("nft", "add", "map", "inet", table, "ports4_all", kinds)
        element = f'{{ 6 . 8 comment "{run}" : 192.0.2.1 . 80 }}'
        _command("nft", "add", "element", "inet", table, "ports4_all", element)
        self._expect("ports", run, lambda: table in _printed("nft", "list", "tables"))

    def plant_in_containerd(self) -> None:
        """A record, a layer, and what a bundle and the runtime leave."""
        record, layer, bundle, runtime = self.run(), self.run(), self.run(), self.run()
        address, own = self.site.containerd.address, [self.moored.instance]
        mark = f"moorage/instance={self.moored.instance}"
        self.ctr("containers", "create", "--label", mark, IMAGE, record, "/bin/true")
        # ctr made a layer for it, too, that bears no mark: nobody's but ctr's.
        self._expect("container", record, lambda: record in " ".join(seen.containers(address, own)))
        key = layer.partition(".")[0]
        self.ctr("snapshots", "prepare", key)
        self.ctr("snapshots", "label", key, mark, "containerd.io/gc.root=now")
        self._expect("layer", key, lambda: key in " ".join(seen.writable_layers(address, own)))
        place = address.state / "io.containerd.runtime.v2.task" / self.moored.instance / bundle
        place.mkdir(parents=True)
        self._expect("bundle", bundle, place.exists)
        place = RUNTIME_STATES / self.moored.instance / runtime
        place.mkdir(parents=True)
        self._expect("bundle", runtime, place.exists)

    def plant_dead_task(self) -> None:
        """A task whose process has ended."""
        run = self.run()
        mark = f"moorage/instance={self.moored.instance}"
        words = ("run", "--detach", "--null-io", "--label", mark, IMAGE, run, "/bin/true")
        self.ctr(*words)
        address, own = self.site.containerd.address, [self.moored.instance]
        self._expect("task", run, lambda: run in " ".join(seen.tasks(address, own)))
        self._expect("bundle", run, lambda: run in " ".join(seen.bundles(address, own)))
        self._expect(
            "cgroup",
            f"/{self.moored.instance}/{run}",
            lambda: run in " ".join(kernel.cgroups([self.moored.instance])),
        )
        self._expect("container", run, lambda: run in " ".join(seen.containers(address, own)))

    def ctr(self, *words: str) -> None:
        seen.ctr(self.site.containerd.address, self.moored.instance, *words)

    def _expect(self, kind: str, key: str, there: Callable[[], bool]) -> None:
        self.planted[kind, key] = there


async def test_each_of_many_orphans_is_found_and_goes_when_asked_and_look_alikes_stay(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    orphans = Orphans(site, own_moored)
    orphans.plant_files()
    orphans.plant_mounts()
    orphans.plant_attachment()
    orphans.plant_cgroups()
    orphans.plant_link()
    orphans.plant_rule()
    orphans.plant_in_containerd()
    orphans.plant_dead_task()
    assert len(orphans.planted) >= 15
    theirs = _look_alikes(orphans)
    async with own_wire.running(sleeper()) as container:
        await eventually(lambda: _task_has_ended(orphans), "the task has ended", within=WITHIN)
        found = await _audited(own_wire)
        missed = orphans.planted.keys() - found.keys()
        assert not missed
        assert found.keys() == orphans.planted.keys()
        assert all(there() for there in orphans.planted.values())
        fixed = await _audited(own_wire, fix=True)
        assert {mark: why for mark, why in fixed.items() if why} == {}
        assert [mark for mark, there in orphans.planted.items() if there()] == []
        assert await _audited(own_wire) == {}
        assert processes.is_alive(container.status.pid)
    assert [called for called, (there, _) in theirs.items() if not there()] == []
    for _, remove in theirs.values():
        remove()


def _look_alikes(orphans: Orphans) -> dict[str, tuple[Callable[[], bool], Callable[[], None]]]:
    """Plant what somebody else has in places like ours: how to see it, and to take it away."""
    moored, site = orphans.moored, orphans.site
    address, own = site.containerd.address, [moored.instance]
    name = f"th{os.getpid() % 100000}x"
    _command("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    _command("ip", "link", "set", name, "alias", f"moorage other {orphans.run()}")
    run = orphans.run()
    mark = ("--label", "moorage/instance=other")
    orphans.ctr("containers", "create", *mark, IMAGE, run, "/bin/true")
    places = [
        moored.state / "runs" / "not-a-run",
        moored.root / "output" / "mine",
        kernel.hierarchies()[0] / moored.instance / "by-hand",
        kernel.hierarchies()[0] / f"{moored.instance}-other" / orphans.run(),
    ]
    for place in places:
        place.mkdir(parents=True)

    def listed() -> str:
        return " ".join(seen.containers(address, own))

    return {
        "link": (
            lambda: os.path.exists(f"/sys/class/net/{name}"),
            lambda: _command("ip", "link", "del", name),
        ),
        "container": (lambda: run in listed(), lambda: orphans.ctr("containers", "rm", run)),
        **{str(place): (place.exists, place.rmdir) for place in places},
        "cgroup": (places[-1].parent.exists, places[-1].parent.rmdir),
    }


def _task_has_ended(orphans: Orphans) -> bool:
    address = orphans.site.containerd.address
    tasks = seen.task_list(address, orphans.moored.instance)
    return any(task.status == "STOPPED" for task in tasks)


async def _audited(wire: Wire, *, fix: bool = False) -> dict[tuple[str, str], str]:
    """Return what was found, and why it is still there where it was to go."""
    request = container_service_pb2.AuditRequest(fix=fix)
    answer = await wire.containers.Audit(request, timeout=CALL_WITHIN)
    return {(found.kind, found.key): found.fate.reason for found in answer.findings}


def _printed(*words: str) -> str:
    done = subprocess.run(words, check=True, timeout=WITHIN, capture_output=True, text=True)
    return done.stdout


def _command(*words: str) -> None:
    subprocess.run(words, check=True, timeout=WITHIN, capture_output=True)
