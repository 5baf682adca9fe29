"""Networks by the plugins that everybody has: each carries a container's traffic, and what it
made for the container is gone with it."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from grpc_health.v1 import health_pb2

from moorage.v1.container_pb2 import Bandwidth, ContainerSpec, NetworkAttachment, PortMapping
from moorage.v1.container_service_pb2 import WAIT_CONDITION_HEALTHY, InspectRequest
from moorage.v1.health_pb2 import GrpcProbe, HealthCheck, HttpProbe, TcpProbe
from tests.real import health_server
from tests.real.host_network import HostNetwork
from tests.real.specs import shell
from tests.real.wire import CALL_WITHIN, Wire, duration, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

SERVES = "mkdir /w; hostname > /w/index.html; echo ready; httpd -f -p 80 -h /w"
SUBNET = "10.203.0.0/24"
SUBNET6 = "fd00:203::/64"


@pytest.fixture(scope="session")
def host(site: Site) -> Iterator[HostNetwork]:
    name = f"h{secrets.token_hex(4)}"
    made = HostNetwork.make(name, site.directory / name)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def networked(site: Site, host: HostNetwork) -> Iterator[Moored]:
    settings = {"cni_config_dir": str(host.configuration)}
    daemon = site.start_moored(settings, host_network=host.path)
    yield daemon
    daemon.stop()


@pytest.fixture
async def wire(networked: Moored) -> AsyncIterator[Wire]:
    async with Wire(networked.address) as connected:
        yield connected


@pytest.fixture(autouse=True)
def _as_before(host: HostNetwork) -> Iterator[None]:
    """Nothing that plugins made for a container outlives it."""
    yield
    for file in host.configuration.iterdir():
        file.unlink()
    assert host.given_out() == []
    assert host.rules("10.203.", "fd00:203:", "id: ", "CNI-DN-") == []
    assert {link for link in host.links() if link.startswith(("veth", "bwp", "eth"))} == set()


def local(host: HostNetwork, *subnets: str) -> dict[str, Any]:
    return {
        "type": "host-local",
        "dataDir": str(host.addresses),
        "ranges": [[{"subnet": subnet}] for subnet in subnets or (SUBNET,)],
        "routes": [{"dst": "0.0.0.0/0"}],
    }


def bridge(host: HostNetwork, *subnets: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": local(host, *subnets),
        **more,
    }


def network(name: str, *plugins: dict[str, Any], version: str = "1.0.0") -> dict[str, Any]:
    return {"cniVersion": version, "name": name, "plugins": list(plugins)}


def server(name: str = "", **more: Any) -> ContainerSpec:
    return shell(SERVES, hostname="serves", network=name, **more)


def only_address(container: Container, version: str = "4") -> str:
    (found,) = [
        address.partition("/")[0]
        for attached in container.status.networks
        for address in attached.addresses
        if (":" in address) is (version == "6")
    ]
    return found


@pytest.mark.parametrize(
    ("version", "users"), [("0.3.1", "host"), ("0.4.0", "host"), ("1.0.0", "auto")]
)
async def test_bridge_and_host_local_carry_a_container_in_every_version(
    wire: Wire, host: HostNetwork, version: str, users: str
) -> None:
    host.network(network("blue", bridge(host), version=version))
    async with wire.running(server("blue", user_namespace=users)) as container:
        await wire.until_printed(container.id, "ready")
        (attached,) = container.status.networks
        assert (attached.name, attached.interface) == ("blue", "eth0")
        assert attached.addresses[0].startswith("10.203.0.")
        assert list(attached.gateways) == ["10.203.0.1"]
        assert host.fetch(f"http://{only_address(container)}/") == "serves\n"
        assert host.given_out() == [only_address(container)]


async def test_sockets_are_probed_from_inside_a_network_of_plugins(
    wire: Wire, host: HostNetwork
) -> None:
    host.network(network("blue", bridge(host)))
    quick = {"interval": duration(0.2), "retries": 1}
    for probe in ({"http": HttpProbe(port=80, path="/")}, {"tcp": TcpProbe(port=80)}):
        check = HealthCheck(**probe, **quick)  # type: ignore[arg-type]
        async with wire.running(server("blue", health_check=check)) as container:
            await wire.wait(container.id, WAIT_CONDITION_HEALTHY)
    asked = HealthCheck(grpc=GrpcProbe(port=9090, service="web"), **quick)  # type: ignore[arg-type]
    async with wire.running(server("blue", health_check=asked)) as container:
        with health_server.serving(container.status.pid, "127.0.0.1:9090") as checks:
            checks.set("web", health_pb2.HealthCheckResponse.SERVING)
            await wire.wait(container.id, WAIT_CONDITION_HEALTHY)


async def test_a_container_has_ipv4_and_ipv6_at_once(wire: Wire, host: HostNetwork) -> None:
    host.network(network("blue", bridge(host, SUBNET, SUBNET6)))
    async with wire.running(server("blue")) as container:
        await wire.until_printed(container.id, "ready")
        assert host.fetch(f"http://{only_address(container)}/") == "serves\n"
        assert host.fetch(f"http://[{only_address(container, '6')}]/") == "serves\n"


async def test_one_container_reaches_another_and_the_files_tell_of_the_network(
    wire: Wire, host: HostNetwork
) -> None:
    dns = {"nameservers": ["10.203.0.53"], "search": ["blue.test"], "options": ["ndots:2"]}
    host.network(network("blue", bridge(host, dns=dns)))
    async with wire.running(server("blue")) as container:
        await wire.until_printed(container.id, "ready")
        script = f"wget -q -O - http://{only_address(container)}/; cat /etc/resolv.conf /etc/hosts"
        async with wire.running(shell(script, network="blue", hostname="asks")) as client:
            address = only_address(client)
            printed = (await wire.printed(client.id)).decode().splitlines()
    assert printed[0] == "serves"
    assert {"nameserver 10.203.0.53", "search blue.test", "options ndots:2"} <= set(printed)
    assert f"{address}\tasks" in printed


async def test_portmap_publishes_ports_and_takes_them_back(wire: Wire, host: HostNetwork) -> None:
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    host.network(network("blue", bridge(host), portmap))
    row = PortMapping(container_port=79, host_port=18079, count=2)
    async with wire.running(server("blue", ports=[row])) as container:
        await wire.until_printed(container.id, "ready")
        (published,) = container.status.networks[0].ports
        assert (published.host_port, published.container_port) == (18079, 79)
        assert host.fetch("http://10.203.0.1:18080/") == "serves\n"
        assert host.fetch("http://127.0.0.1:18080/") == "serves\n"
        assert host.rules("18079")
    assert host.rules("18079", "18080") == []


async def test_ports_go_to_the_first_network_and_have_to_be_named(
    wire: Wire, host: HostNetwork
) -> None:
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    host.network(network("blue", bridge(host), portmap))
    host.network(network("bare", bridge(host)))
    unnamed = await refused(wire.create(server("blue", ports=[PortMapping(container_port=80)])))
    assert unnamed.fields == ("spec.ports[0].host_port",)
    bare = await refused(
        wire.create(server("bare", ports=[PortMapping(container_port=80, host_port=18080)]))
    )
    assert bare.fields == ("spec.ports",)
    assert "network 'bare' declares no capability 'portMappings'" in bare.message


async def test_ports_of_a_spec_go_to_the_plugin_that_can_publish(
    wire: Wire, host: HostNetwork
) -> None:
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    host.network(network("blue", bridge(host), portmap))
    ports = [PortMapping(container_port=80, host_port=18080)]
    async with wire.running(server("blue", ports=ports)) as container:
        await wire.until_printed(container.id, "ready")
        assert host.fetch("http://10.203.0.1:18080/") == "serves\n"
        (published,) = container.status.networks[0].ports
        assert (published.host_port, published.container_port) == (18080, 80)
    assert host.rules("18080") == []


async def test_ports_that_a_network_cannot_publish_are_refused(
    wire: Wire, host: HostNetwork
) -> None:
    host.network(network("blue", bridge(host)))
    named = server("blue", ports=[PortMapping(container_port=80, host_port=18080)])
    assert (await refused(wire.create(named))).fields == ("spec.ports",)
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    host.network(network("red", bridge(host), portmap))
    chosen = server("red", ports=[PortMapping(container_port=80)])
    assert (await refused(wire.create(chosen))).fields == ("spec.ports[0].host_port",)
    none = server("none", ports=[PortMapping(container_port=80)])
    assert (await refused(wire.create(none))).fields == ("spec.ports",)


async def test_firewall_lets_a_container_through_and_forgets_it(
    wire: Wire, host: HostNetwork
) -> None:
    host.network(network("blue", bridge(host), {"type": "firewall", "backend": "iptables"}))
    async with wire.running(server("blue")) as container:
        await wire.until_printed(container.id, "ready")
        assert host.fetch(f"http://{only_address(container)}/") == "serves\n"
        assert host.rules(f"-s {only_address(container)}/32 -j ACCEPT")


async def test_bandwidth_limits_what_was_asked_for(wire: Wire, host: HostNetwork) -> None:
    limiting = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
    host.network(network("blue", bridge(host), limiting))
    limits = Bandwidth(
        ingress_rate=8_000_000, ingress_burst=8_000_000,
        egress_rate=4_000_000, egress_burst=4_000_000,
    )  # fmt: skip
    asked = NetworkAttachment(name="blue", bandwidth=limits)
    async with wire.running(server(networks=[asked])) as container:
        await wire.until_printed(container.id, "ready")
        assert host.fetch(f"http://{only_address(container)}/") == "serves\n"
        shapes = host.run("tc", "qdisc", "show")
        assert "rate 8Mbit" in shapes
        assert "rate 4Mbit" in shapes


async def test_addresses_and_mac_are_fixed_where_the_network_lets_them(
    wire: Wire, host: HostNetwork
) -> None:
    plugin = bridge(host, capabilities={"ips": True, "mac": True})
    host.network(network("blue", plugin))
    asked = NetworkAttachment(
        name="blue", addresses=["10.203.0.77"], mac_address="02:00:00:00:00:77"
    )
    async with wire.running(server(networks=[asked])) as container:
        await wire.until_printed(container.id, "ready")
        (attached,) = container.status.networks
        assert list(attached.addresses) == ["10.203.0.77/24"]
        assert attached.mac_address == "02:00:00:00:00:77"
        assert host.fetch("http://10.203.0.77/") == "serves\n"


async def test_static_gives_the_address_that_the_network_says(
    wire: Wire, host: HostNetwork
) -> None:
    static = {"type": "static", "addresses": [{"address": "10.203.0.9/24"}]}
    host.network(network("blue", bridge(host, ipam=static, isGateway=False, ipMasq=False)))
    host.run("ip", "address", "replace", "10.203.0.1/24", "dev", "cni0")
    async with wire.running(server("blue")) as container:
        await wire.until_printed(container.id, "ready")
        assert host.fetch("http://10.203.0.9/") == "serves\n"


async def test_ptp_carries_a_container_without_a_bridge(wire: Wire, host: HostNetwork) -> None:
    host.network(
        network("line", {"type": "ptp", "ipMasq": True, "ipam": local(host, "10.203.9.0/24")})
    )
    async with wire.running(server("line")) as container:
        await wire.until_printed(container.id, "ready")
        assert host.fetch(f"http://{only_address(container)}/") == "serves\n"


async def test_macvlan_carries_a_container_beside_the_hosts_own_link(
    wire: Wire, host: HostNetwork
) -> None:
    host.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
    try:
        for words in (("up0", "up"), ("up1", "up")):
            host.run("ip", "link", "set", *words)
        host.run("ip", "address", "add", "10.203.8.1/24", "dev", "up1")
        plugin = {"type": "macvlan", "master": "up0", "ipam": local(host, "10.203.8.0/24")}
        host.network(network("wire", plugin))
        async with wire.running(server("wire")) as container:
            await wire.until_printed(container.id, "ready")
            assert host.fetch(f"http://{only_address(container)}/") == "serves\n"
    finally:
        host.run("ip", "link", "delete", "up0")


async def test_loopback_is_a_network_without_addresses(wire: Wire, host: HostNetwork) -> None:
    host.network(network("self", {"type": "loopback"}, version="0.4.0"))
    async with wire.running(shell("ip link show lo; ip link show eth0", network="self")) as one:
        printed = (await wire.printed(one.id)).decode()
    assert "LOOPBACK,UP" in printed


async def test_several_networks_are_an_interface_each(wire: Wire, host: HostNetwork) -> None:
    host.network(network("blue", bridge(host)))
    host.network(
        network("red", {"type": "ptp", "ipam": local(host, "10.203.7.0/24")}, version="0.4.0")
    )
    asked = [NetworkAttachment(name="blue"), NetworkAttachment(name="red")]
    async with wire.running(server(networks=asked)) as container:
        await wire.until_printed(container.id, "ready")
        first, second = container.status.networks
        assert [(a.name, a.interface) for a in (first, second)] == [
            ("blue", "eth0"), ("red", "eth1"),
        ]  # fmt: skip
        for attached in (first, second):
            (address,) = attached.addresses
            assert host.fetch(f"http://{address.partition('/')[0]}/") == "serves\n"
        assert len(host.given_out()) == 2


async def test_a_container_that_ends_by_itself_gives_all_of_it_back(
    wire: Wire, host: HostNetwork
) -> None:
    """Masquerading of the bridge plugin is only undone inside of the namespace."""
    host.network(network("blue", bridge(host), {"type": "firewall", "backend": "iptables"}))
    container = await wire.run(shell("true", network="blue"))
    await wire.wait(container.id)
    exited = await wire.inspect(container.id)
    assert list(exited.status.networks) == []
    await wire.remove(container.id)


async def test_a_restarted_moored_takes_back_what_another_one_gave(
    wire: Wire, networked: Moored, host: HostNetwork
) -> None:
    file = host.network(network("blue", bridge(host), {"type": "firewall", "backend": "iptables"}))
    container = await wire.run(server("blue"))
    networked.restart()
    file.unlink()
    await wire.remove(container.id)


async def test_a_check_finds_what_somebody_took_away(wire: Wire, host: HostNetwork) -> None:
    host.network(network("blue", bridge(host)))
    async with wire.running(server("blue")) as container:
        request = InspectRequest(container=container.id, network_check=True)
        before = await wire.containers.Inspect(request, timeout=CALL_WITHIN)
        host.run("ip", "link", "set", "cni0", "down")
        host.run("ip", "link", "delete", "cni0")
        after = await wire.containers.Inspect(request, timeout=CALL_WITHIN)
        unasked = await wire.containers.Inspect(
            InspectRequest(container=container.id), timeout=CALL_WITHIN
        )
    assert list(before.network_faults) == list(unasked.network_faults) == []
    (fault,) = after.network_faults
    assert (fault.network, fault.interface) == ("blue", "eth0")
    assert "plugin 'bridge' failed CHECK" in fault.reason
    assert after.container == unasked.container


async def test_a_small_subnet_lasts_for_many_containers(wire: Wire, host: HostNetwork) -> None:
    """Each of them gives its address back before the next eleven have used it up."""
    firewall = {"type": "firewall", "backend": "iptables"}
    host.network(network("tiny", bridge(host, "10.203.5.0/28", bridge="cni1"), firewall))

    async def one_after_another() -> None:
        for _ in range(6):
            async with wire.running(server("tiny")) as container:
                assert only_address(container).startswith("10.203.5.")

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one_after_another())


@pytest.mark.soak
async def test_three_hundred_containers_leave_no_address_rule_or_link(
    wire: Wire, host: HostNetwork
) -> None:
    ports = {"portMappings": [{"hostPort": 18081, "containerPort": 80, "protocol": "udp"}]}
    chain = (
        {"type": "portmap", "runtimeConfig": ports},
        {"type": "firewall", "backend": "iptables"},
    )
    host.network(network("tiny", bridge(host, "10.203.5.0/28", bridge="cni1"), *chain))
    turn = asyncio.Semaphore(8)

    async def one() -> None:
        async with turn, wire.running(server("tiny")) as container:
            assert only_address(container).startswith("10.203.5.")

    async with asyncio.TaskGroup() as group:
        for _ in range(300):
            group.create_task(one())
