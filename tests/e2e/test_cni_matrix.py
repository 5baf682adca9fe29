"""Every step and release that networks of plugins take part in, broken in each way, with the
plugins that everybody has: once moored is there again, no link, no address and no rule is left.

A selection runs with all tests; ``make long`` runs the whole.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
import pytest

from moorage.v1.container_pb2 import ContainerSpec, NetworkAttachment
from tests.real.agreement import ledger_resources, settled_container
from tests.real.deadlines import eventually
from tests.real.host_network import HostNetwork
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

NAME: Final = "life"
LIMITS: Final = {"step_timeout": "4s", "undo_timeout": "4s"}
UNDONE: Final = "start.run.after=1*error;"
"""A start that fails at its last step but one, so that everything is undone."""
SELECTED: Final = {"start-start.attach.after-kill", "cleanup-release.attachment.after-kill"}


@dataclass(frozen=True)
class Case:
    verb: str
    point: str
    action: str

    def __str__(self) -> str:
        return f"{self.verb}-{self.point}-{self.action}"

    @property
    def script(self) -> str:
        return f"{UNDONE if self.verb == 'undo' else ''}{self.point}=1*{self.action}"


def cases() -> Iterator[ParameterSet]:
    for action in ("error", "hang", "kill"):
        for side in ("before", "after"):
            for case in (
                *(Case("start", f"start.{step}.{side}", action) for step in ("network", "attach")),
                *(Case("start", f"start.{step}.{side}", action) for step in ("task", "run")),
                Case("undo", f"start.attach.undo.{side}", action),
                Case("exit", f"release.attachment.{side}", action),
                Case("cleanup", f"release.attachment.{side}", action),
            ):
                marks = () if str(case) in SELECTED else pytest.mark.soak
                yield pytest.param(case, id=str(case), marks=marks)


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[HostNetwork]:
    name = f"h{secrets.token_hex(4)}"
    made = HostNetwork.make(name, site.directory / name)
    for name, plugins in _networks(made).items():
        made.network({"cniVersion": "1.0.0", "name": name, "plugins": plugins})
    yield made
    made.remove()


def _networks(host: HostNetwork) -> dict[str, list[dict[str, Any]]]:
    ports = {"portMappings": [{"hostPort": 18082, "containerPort": 80, "protocol": "tcp"}]}
    addresses = {"type": "host-local", "dataDir": str(host.addresses)}
    first = {"ranges": [[{"subnet": "10.203.4.0/28"}]], "routes": [{"dst": "0.0.0.0/0"}]}
    second = {"ranges": [[{"subnet": "10.203.3.0/28"}]]}
    bridge = {"type": "bridge", "bridge": "cni2", "isGateway": True, "ipMasq": True}
    return {
        "blue": [
            {**bridge, "ipam": {**addresses, **first}},
            {"type": "portmap", "runtimeConfig": ports, "snat": True},
            {"type": "firewall", "backend": "iptables"},
        ],
        "red": [{"type": "ptp", "ipMasq": True, "ipam": {**addresses, **second}}],
    }


@pytest.mark.parametrize("case", list(cases()))
async def test_whatever_breaks_plugins_are_undone(
    site: Site, host: HostNetwork, case: Case
) -> None:
    settings = {"cni_config_dir": str(host.configuration), "failpoints": case.script, **LIMITS}
    daemon = site.start_moored(settings, host_network=host.path)
    async with Wire(daemon.address) as wire:
        await _live(wire, case)
    await asyncio.to_thread(_come_back, daemon, killed=case.action == "kill")
    async with Wire(daemon.address) as wire:
        if await settled_container(wire, NAME) is not None:
            await wire.remove(NAME)
    # One that is being removed has no name any more, and its leftovers are swept in time.
    await eventually(lambda: ledger_resources(daemon) == set(), "all is released")
    daemon.stop()
    assert host.given_out() == []
    assert host.rules("10.203.", "id: ", "CNI-DN-") == []
    assert [link for link in host.links() if link.startswith("veth")] == []


async def _live(wire: Wire, case: Case) -> None:
    """Let a container live as far as it gets."""
    try:
        container = await wire.run(_spec(case))
        if case.verb == "exit":
            await wire.wait(container.id, within=20)
        if case.verb == "cleanup":
            await wire.cleanup(container.id)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNKNOWN:
            raise


def _spec(case: Case) -> ContainerSpec:
    networks = [NetworkAttachment(name="blue"), NetworkAttachment(name="red")]
    if case.verb == "exit":
        return shell("exit 3", name=NAME, networks=networks)
    return sleeper(name=NAME, networks=networks)


def _come_back(daemon: Moored, *, killed: bool) -> None:
    """Let moored serve again without fail points."""
    if killed:
        daemon.await_end()
    else:
        daemon.stop()
    daemon.reconfigure(failpoints="")
    daemon.start()
