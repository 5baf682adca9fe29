"""Plugins that fail, hang and lie under a whole moored, and a moored that dies beside them:
DEL is called for whatever ADD was, and in the end nothing is left."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2
from moorage.v1.container_pb2 import Bandwidth, NetworkAttachment
from moorage.v1.container_service_pb2 import InspectRequest, StartRequest
from tests.cni.scripted import Scripted, conflist
from tests.outside import processes
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

CHAIN = ("one", "two", "three")


class Lab:
    """Scripted plugins, and a directory of networks made of them."""

    def __init__(self, home: Path) -> None:
        self.plugin = Scripted(home, *CHAIN)
        self.configuration = home / "net.d"
        self.configuration.mkdir()
        policy = home / "policy.toml"
        policy.write_text("[roles.local]\ncni_args = true\n")
        self.settings = {
            "policy": str(policy),
            "cni_config_dir": str(self.configuration),
            "cni_bin_dir": str(self.plugin.programs),
            "step_timeout": "5s",
            "undo_timeout": "4s",
        }

    def network(self, name: str, *plugins: str, **more: object) -> Path:
        file = self.configuration / f"{name}.conflist"
        file.write_text(json.dumps(conflist(name, *plugins, **more)))  # type: ignore[arg-type]
        return file

    def settle(self) -> None:
        for file in self.configuration.iterdir():
            file.unlink()
        self.plugin.obey()
        self.plugin.forget()


@pytest.fixture(scope="session")
def shared_lab(site: Site) -> Lab:
    return Lab(site.directory / f"lab{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def lab_moored(site: Site, shared_lab: Lab) -> Iterator[Moored]:
    daemon = site.start_moored(shared_lab.settings)
    yield daemon
    daemon.stop()


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    shared_lab.network("blue", *CHAIN)
    yield shared_lab
    assert shared_lab.plugin.world == []
    shared_lab.settle()


@pytest.fixture
async def wire(lab_moored: Moored) -> AsyncIterator[Wire]:
    async with Wire(lab_moored.address) as connected:
        yield connected


FAULTS = {
    "fail": "failed ADD with code 7: no such luck: the stars are wrong",
    "crash": "failed ADD with signal 11: panic: all is lost",
    "babble": "did not answer in JSON",
    "lie": "answered in CNI version '0.4.0', asked in '1.0.0'",
    "huge": "wrote more than 1048576 bytes",
    "hang": "did not end ADD in",
}
SLOW = {("hang", "one"), ("hang", "three")}
"""Seconds each, and what is true of the one in the middle is true of them."""


CASES = [(fault, plugin) for fault in FAULTS for plugin in CHAIN if (fault, plugin) not in SLOW]


@pytest.mark.parametrize(("fault", "plugin"), CASES)
async def test_whatever_a_plugin_does_wrong_the_start_says_so_and_leaves_nothing(
    wire: Wire, lab: Lab, fault: str, plugin: str
) -> None:
    lab.plugin.order(plugin, "ADD", fault)
    async with wire.created(sleeper(network="blue")) as container:
        refusal = await refused(wire.start(container.id))
        failed = await wire.inspect(container.id)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "NETWORK_FAILED")
    assert f"network 'blue': plugin '{plugin}' {FAULTS[fault]}" in refusal.message
    assert refusal.metadata["plugin"] == plugin
    assert refusal.metadata["step"] == "attach"
    assert refusal.metadata.get("cni_code") == ("7" if fault == "fail" else None)
    assert failed.status.state == container_pb2.CONTAINER_STATE_EXITED
    assert [s for s in lab.plugin.story if s.startswith("DEL")] == [
        "DEL three", "DEL two", "DEL one",
    ]  # fmt: skip
    assert not any(processes.is_alive(pid) for pid in lab.plugin.hanging())


async def test_a_network_failure_is_no_reason_to_restart(wire: Wire, lab: Lab) -> None:
    lab.plugin.order("two", "ADD", "fail")
    policy = container_pb2.RestartPolicy(condition=container_pb2.RESTART_CONDITION_ALWAYS)
    async with wire.created(sleeper(network="blue", restart_policy=policy)) as container:
        await refused(wire.start(container.id))
        assert (await wire.inspect(container.id)).status.restart_count == 0
        assert lab.plugin.story.count("ADD one") == 1


async def test_a_start_that_fails_elsewhere_detaches(wire: Wire, lab: Lab) -> None:
    spec = container_pb2.ContainerSpec(image="busybox", command=["/no/such"], network="blue")
    refusal = await refused(wire.run(spec))
    assert refusal.reason == "COMMAND_NOT_FOUND"
    assert lab.plugin.world == []
    (container,) = await wire.list()
    await wire.remove(container.id)


async def test_a_detach_that_fails_is_a_leftover_until_it_succeeds(wire: Wire, lab: Lab) -> None:
    async with wire.running(sleeper(network="blue")) as container:
        lab.plugin.order("two", "DEL", "fail")
        answer = await wire.cleanup(container.id, remove=False)
        (row,) = [row for row in answer.resources if row.kind == "attachment"]
        assert not answer.complete
        assert "plugin 'two' failed DEL with code 7: no such luck" in row.reason
        lab.plugin.obey()
        assert (await wire.cleanup(container.id, remove=False)).complete


async def test_an_unknown_network_is_refused_with_those_that_are_here(wire: Wire, lab: Lab) -> None:
    bad = lab.configuration / "90-red.conflist"
    bad.write_text("{")
    refusal = await refused(wire.create(sleeper(network="red")))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT, "NETWORK_UNKNOWN",
    )  # fmt: skip
    assert refusal.fields == ("spec.network",)
    assert "blue" in refusal.message
    assert f"{bad} is not JSON" in refusal.message
    assert "blue" in (await wire.server()).networks


async def test_a_network_that_vanished_is_said_at_the_start(wire: Wire, lab: Lab) -> None:
    async with wire.created(sleeper(network="blue")) as container:
        (lab.configuration / "blue.conflist").unlink()
        assert (await refused(wire.start(container.id))).reason == "NETWORK_UNKNOWN"


async def test_what_a_network_declares_no_capability_for_is_refused_by_field(
    wire: Wire, lab: Lab
) -> None:
    asked = NetworkAttachment(
        name="blue",
        addresses=["10.9.0.9"],
        mac_address="02:00:00:00:00:09",
        aliases=["db"],
        bandwidth=Bandwidth(egress_rate=1, egress_burst=1),
    )
    refusal = await refused(wire.create(sleeper(networks=[asked])))
    assert refusal.fields == (
        "spec.networks[0].addresses",
        "spec.networks[0].mac_address",
        "spec.networks[0].bandwidth",
        "spec.networks[0].aliases",
    )
    assert "declares no capability" in refusal.message


async def test_arguments_reach_every_plugin(wire: Wire, lab: Lab) -> None:
    asked = NetworkAttachment(name="blue", cni_args={"TENANT": "a"})
    async with wire.running(sleeper(networks=[asked])):
        pass
    told = {call.variables["CNI_ARGS"] for call in lab.plugin.calls}
    assert told == {"IgnoreUnknown=1;TENANT=a"}


async def test_a_run_that_ends_is_detached_and_the_next_one_attached(wire: Wire, lab: Lab) -> None:
    async with wire.created(shell("true", network="blue")) as container:
        for _ in range(2):
            await wire.start(container.id)
            await wire.wait(container.id)
            await eventually(lambda: lab.plugin.world == [], "the network is left")
    runs = [call.variables["CNI_CONTAINERID"] for call in lab.plugin.calls]
    assert list(dict.fromkeys(runs)) == [f"{container.id}.1", f"{container.id}.2"]


async def test_a_plan_says_if_a_network_is_not_ready_and_attaches_nothing(
    wire: Wire, lab: Lab
) -> None:
    lab.network("green", *CHAIN, version="1.1.0")
    request = StartRequest(spec=sleeper(network="green"), validate_only=True)
    await wire.containers.Start(request, timeout=CALL_WITHIN)
    lab.plugin.order("two", "STATUS", "later")
    refusal = await refused(wire.containers.Start(request, timeout=CALL_WITHIN))
    assert (refusal.reason, refusal.metadata["cni_code"]) == ("NETWORK_FAILED", "11")
    assert refusal.message.startswith("cannot use network 'green': plugin 'two' failed STATUS")
    assert lab.plugin.story == [
        "STATUS one", "STATUS two", "STATUS three", "STATUS one", "STATUS two",
    ]  # fmt: skip


async def test_a_detach_does_not_wait_for_a_check(wire: Wire, lab: Lab) -> None:
    async with wire.running(sleeper(network="blue")) as container:
        lab.plugin.order("two", "CHECK", "hang")
        request = InspectRequest(container=container.id, network_check=True)
        look = asyncio.ensure_future(wire.containers.Inspect(request, timeout=CALL_WITHIN))
        await eventually(lambda: bool(lab.plugin.hanging()), "the check hangs")
        assert (await wire.cleanup(container.id)).complete
        assert list((await look).network_faults) == []
    assert not any(processes.is_alive(pid) for pid in lab.plugin.hanging())


@pytest.mark.parametrize("wanted", [False, True])
async def test_networks_forget_what_is_not_attached_where_the_operator_says_so(
    site: Site, wanted: bool
) -> None:
    lab = Lab(site.directory / f"lab{secrets.token_hex(4)}")
    lab.network("green", "one", version="1.1.0")
    daemon = site.start_moored({**lab.settings, "cni_gc": str(wanted)})
    async with Wire(daemon.address) as wire:
        container = await wire.run(sleeper(network="green"))
        daemon.restart()
        calls = [call for call in lab.plugin.calls if call.command == "GC"]
        await wire.remove(container.id)
    daemon.stop()
    told = [call.document["cni.dev/valid-attachments"] for call in calls]
    known = [{"containerID": f"{container.id}.1", "ifname": "eth0"}]
    assert told == ([[], known] if wanted else [])


@pytest.fixture(scope="session")
def mortal(site: Site) -> Iterator[tuple[Lab, Moored]]:
    lab = Lab(site.directory / f"lab{secrets.token_hex(4)}")
    daemon = site.start_moored(lab.settings)
    yield lab, daemon
    daemon.stop()


@pytest.fixture
def own_lab(mortal: tuple[Lab, Moored]) -> Iterator[tuple[Lab, Moored]]:
    lab, daemon = mortal
    yield mortal
    if not daemon.is_running():
        daemon.start()
    assert lab.plugin.world == []
    lab.settle()


@pytest.mark.parametrize("command", ["ADD", "DEL"])
@pytest.mark.parametrize("plugin", CHAIN)
async def test_moored_killed_beside_a_plugin_ends_it_and_detaches_when_it_is_back(
    own_lab: tuple[Lab, Moored], plugin: str, command: str
) -> None:
    """It finds what it needs though somebody removed the configuration meanwhile."""
    lab, daemon = own_lab
    file = lab.network("blue", *CHAIN)
    async with Wire(daemon.address) as wire:
        container = await wire.create(sleeper(network="blue"))
        if command == "DEL":
            await wire.start(container.id)
        lab.plugin.order(plugin, command, "hang")
        deed = wire.start(container.id) if command == "ADD" else wire.cleanup(container.id)
        task = asyncio.ensure_future(deed)
        await eventually(lambda: bool(lab.plugin.hanging()), "the plugin hangs")
        daemon.kill()
        assert all(processes.is_alive(pid) for pid in lab.plugin.hanging())
        await asyncio.wait((task,))
        task.exception()
    lab.plugin.obey()
    file.unlink()
    daemon.start()
    await eventually(lambda: lab.plugin.world == [], "the network is left")
    assert not any(processes.is_alive(pid) for pid in lab.plugin.hanging())
    async with Wire(daemon.address) as wire:
        await wire.remove(container.id)
