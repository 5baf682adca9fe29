"""Two moored beside each other on one containerd do not touch each other."""

from __future__ import annotations

import subprocess
from ipaddress import ip_interface
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2, image_service_pb2
from moorage.v1.container_pb2 import PortMapping
from tests.outside import containerd as seen
from tests.outside import processes
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

RUNNING = container_pb2.CONTAINER_STATE_RUNNING


async def test_each_has_its_own_names_containers_and_images(wire: Wire, own_wire: Wire) -> None:
    async with wire.running(sleeper(name="same")) as ours:
        async with own_wire.running(sleeper(name="same")) as theirs:
            assert ours.id != theirs.id
            assert [one.id for one in await wire.list()] == [ours.id]
            assert [one.id for one in await own_wire.list()] == [theirs.id]
            assert (await refused(own_wire.inspect(ours.id))).reason == "CONTAINER_NOT_FOUND"
        assert (await wire.inspect("same")).status.state == RUNNING
        assert processes.is_alive(ours.status.pid)


async def test_an_image_removed_from_one_stays_in_the_other(wire: Wire, own_wire: Wire) -> None:
    request = image_service_pb2.RemoveRequest(image="busybox")
    await own_wire.images.Remove(request, timeout=CALL_WITHIN)
    assert (await refused(own_wire.create(sleeper()))).reason == "IMAGE_NOT_FOUND"
    async with wire.running(shell("echo here")) as container:
        assert await wire.printed(container.id) == b"here\n"


@pytest.mark.parametrize("badly", [False, True])
async def test_one_ends_and_comes_back_and_the_other_does_not_notice(
    site: Site, moored: Moored, own_moored: Moored, wire: Wire, badly: bool
) -> None:
    async with wire.running(sleeper()) as container:
        before = await wire.inspect(container.id)
        own_moored.kill() if badly else own_moored.stop()
        own_moored.start()
        async with Wire(own_moored.address) as own_wire, own_wire.running(sleeper()):
            assert len(seen.tasks(site.containerd.address, [own_moored.instance])) == 1
        tasks = seen.task_list(site.containerd.address, moored.instance)
        assert [task.pid for task in tasks] == [container.status.pid]
        assert await wire.inspect(container.id) == before


async def test_a_port_of_one_is_refused_by_the_other_and_free_again_after(
    moored: Moored, own_moored: Moored, wire: Wire, own_wire: Wire
) -> None:
    web = PortMapping(container_port=80)
    async with wire.running(sleeper(network="bridge", ports=[web])) as ours:
        port = ours.status.networks[0].ports[0].host_port
        same = PortMapping(container_port=80, host_port=port)
        theirs = sleeper(network="bridge", ports=[same], auto_remove=True)
        refusal_ = await refused(own_wire.run(theirs))
        assert refusal_.reason == "PORT_IN_USE"
        assert refusal_.metadata["holder"].startswith(f"process {moored.pid} (")
        async with own_wire.running(sleeper(network="bridge", ports=[web])) as other:
            assert _tables() >= {f"moored-{d.instance}" for d in (moored, own_moored)}
            one, two = (c.status.networks[0].addresses[0] for c in (ours, other))
            assert ip_interface(one).network != ip_interface(two).network
            for daemon, neighbour in ((moored, own_moored), (own_moored, moored)):
                assert f"moored-{neighbour.instance}" not in _rules(daemon).partition("{")[2]
        assert (await wire.inspect(ours.id)).status.state == RUNNING
    async with own_wire.running(sleeper(network="bridge", ports=[same])) as last:
        assert last.status.networks[0].ports[0].host_port == port


def _tables() -> set[str]:
    return {line.split()[-1] for line in _nft("list", "tables").splitlines()}


def _rules(daemon: Moored) -> str:
    return _nft("list", "table", "inet", f"moored-{daemon.instance}")


def _nft(*words: str) -> str:
    listed = subprocess.run(["nft", *words], check=True, capture_output=True, text=True, timeout=10)
    return listed.stdout


async def test_what_is_not_labelled_as_ours_is_left_alone(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    address, namespace = site.containerd.address, own_moored.instance
    image = "docker.io/library/busybox:latest"
    seen.ctr(
        address, namespace, "run", "--detach", "--null-io", image, "foreign",
        "/bin/sleep", "100000",
    )  # fmt: skip
    own_moored.restart()
    async with own_wire.running(sleeper()):
        ours = [one.id for one in await own_wire.list()]
    tasks = {task.id for task in seen.task_list(address, namespace)}
    seen.ctr(address, namespace, "tasks", "kill", "--signal", "SIGKILL", "foreign")
    seen.ctr(address, namespace, "tasks", "delete", "foreign")
    seen.ctr(address, namespace, "containers", "delete", "foreign")
    assert len(ours) == 1
    assert tasks == {"foreign"}
