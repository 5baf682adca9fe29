"""On the bridge traffic really flows, and what ``ip`` and /proc say is what Inspect says."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1.container_pb2 import ContainerSpec, DnsConfig, NetworkAttachment
from moorage.v1.container_service_pb2 import InspectRequest
from tests.outside.births import births
from tests.real import networking
from tests.real.networking import NOBODY, address, ask, ip, only
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real


def _fixed(*addresses: str, mac: str = "") -> ContainerSpec:
    asked = NetworkAttachment(name="bridge", addresses=addresses, mac_address=mac)
    return sleeper(networks=[asked])


def _free(moored: Moored, number: int) -> str:
    """Return an address of the server's subnet, so far from its beginning."""
    return str(ipaddress.ip_network(moored.setting("bridge_subnet")).network_address + number)


async def test_a_container_is_on_the_bridge_unless_it_or_the_server_says_otherwise(
    site: Site,
) -> None:
    daemon = site.start_moored({"network": "bridge"})
    async with Wire(daemon.address) as by_default:
        assert (await by_default.server()).networks[0] == "bridge"
        async with by_default.running(sleeper()) as container:
            assert only(container).name == "bridge"
        async with by_default.running(sleeper(network="none")) as container:
            assert only(container).name == "none"
        created = await by_default.create(sleeper(name="older"))
        daemon.reconfigure(network="none")
        daemon.restart()
    async with Wire(daemon.address) as by_default:
        assert only((await by_default.start(created.id)).container).name == "bridge"
        await by_default.remove(created.id)
        async with by_default.running(sleeper()) as container:
            assert only(container).name == "none"
    daemon.stop()


async def test_a_container_has_the_interface_that_inspect_shows(wire: Wire) -> None:
    async with wire.running(sleeper(network="bridge")) as container:
        network, pid = only(container), container.status.pid
        (link,) = ip("addr", "show", "eth0", inside=pid)
        routes = ip("route", inside=pid) + ip("-6", "route", inside=pid)
        seen = [a for a in link["addr_info"] if a["scope"] == "global"]
        assert (network.name, network.interface) == ("bridge", "eth0")
        assert (link["address"], link["operstate"]) == (network.mac_address, "UP")
        assert {f"{a['local']}/{a['prefixlen']}" for a in seen} == set(network.addresses)
        assert {r["gateway"] for r in routes if r["dst"] == "default"} == set(network.gateways)
        (loopback,) = ip("link", "show", "lo", inside=pid)
        assert "UP" in loopback["flags"]


async def test_containers_and_the_host_reach_each_other_by_both_protocols(wire: Wire) -> None:
    async with wire.running(networking.server("web", network="bridge")) as web:
        await wire.until_printed(web.id, "ready")
        targets = [address(web), address(web, 6)]
        assert [await ask(target) for target in targets] == ["web", "web"]
        async with wire.running(networking.client(*targets, network="bridge")) as asking:
            assert await wire.printed(asking.id) == b"web\nweb\n"


async def test_on_an_isolated_bridge_only_the_host_is_reached(site: Site) -> None:
    daemon = site.start_moored({"bridge_isolation": "true"})
    async with (
        Wire(daemon.address) as wire,
        wire.running(networking.server("web", network="bridge")) as web,
    ):
        await wire.until_printed(web.id, "ready")
        assert await ask(address(web)) == "web"
        asks = networking.client(address(web), address(web, 6), network="bridge")
        async with wire.running(asks) as asking:
            assert await wire.printed(asking.id) == f"{NOBODY}\n{NOBODY}\n".encode()
    daemon.stop()


async def test_without_ipv6_there_is_none_of_it(site: Site) -> None:
    daemon = site.start_moored({"bridge_subnet_ipv6": ""})
    async with (
        Wire(daemon.address) as wire,
        wire.running(sleeper(network="bridge")) as container,
    ):
        (link,) = ip("addr", "show", "eth0", inside=container.status.pid)
        (bridge,) = ip("addr", "show", f"{daemon.instance}0")
        assert {a["family"] for a in (*link["addr_info"], *bridge["addr_info"])} == {"inet"}
    daemon.stop()


async def test_the_bridge_comes_with_the_first_container_and_goes_with_the_last(
    wire: Wire, moored: Moored
) -> None:
    name = f"{moored.instance}0"
    assert name not in _links()
    async with wire.running(sleeper(network="bridge")):
        async with wire.running(sleeper(network="bridge")):
            assert len(ip("link", "show", "master", name)) == 2
        assert len(ip("link", "show", "master", name)) == 1
    assert name not in _links()


async def test_a_stop_gives_its_address_back_and_keeps_the_container(
    wire: Wire, moored: Moored
) -> None:
    fixed = _fixed(_free(moored, 9))
    async with wire.running(fixed) as first:
        assert address(first) == _free(moored, 9)
        refusal = await refused(wire.run(fixed))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "ADDRESS_IN_USE",
        )
        assert refusal.metadata["holder"] == first.id
        assert len(await wire.list()) == 1
        await wire.stop(first.id, grace=0)
        await wire.wait(first.id)
        async with wire.running(fixed) as second:
            assert address(second) == _free(moored, 9)


async def test_a_fixed_mac_is_that_of_the_interface_and_of_nobody_else(
    wire: Wire, moored: Moored
) -> None:
    mac = "02:00:5e:10:00:09"
    async with wire.running(_fixed(mac=mac.upper())) as container:
        (link,) = ip("link", "show", "eth0", inside=container.status.pid)
        assert link["address"] == only(container).mac_address == mac
        assert (await refused(wire.run(_fixed(mac=mac)))).reason == "ADDRESS_IN_USE"


async def test_who_has_an_address_after_another_is_reached_at_once(
    wire: Wire, moored: Moored
) -> None:
    place = _free(moored, 11)
    for number in (1, 2):
        asked = NetworkAttachment(
            name="bridge", addresses=[place], mac_address=f"02:00:5e:10:01:0{number}"
        )
        async with wire.running(networking.server(f"n{number}", networks=[asked])) as web:
            await wire.until_printed(web.id, "ready")
            assert await ask(place) == f"n{number}"


@pytest.mark.parametrize("number", [0, 1, 63, 64])
async def test_an_address_that_is_no_containers_is_refused(
    wire: Wire, moored: Moored, number: int
) -> None:
    refusal = await refused(wire.create(_fixed(_free(moored, number))))
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.fields == ("spec.networks[0].addresses[0]",)


async def test_a_full_subnet_is_told_and_nothing_is_recorded(site: Site) -> None:
    subnet = site.subnet(prefix=30)
    daemon = site.start_moored({"bridge_subnet": str(subnet)})
    async with Wire(daemon.address) as wire:
        async with wire.running(sleeper(network="bridge")):
            refusal = await refused(wire.run(sleeper(network="bridge")))
            assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (refusal.reason, refusal.metadata["subnet"]) == (
                "ADDRESSES_EXHAUSTED",
                str(subnet),
            )
            assert len(await wire.list()) == 1
        async with wire.running(sleeper(network="bridge")):
            pass
    daemon.stop()


async def test_names_are_asked_of_the_server_in_resolv_conf(wire: Wire, moored: Moored) -> None:
    async with wire.running(sleeper(network="bridge")) as first:
        gateway = only(first).gateways[0]
        dns = DnsConfig(servers=[gateway], searches=["example.org"], options=["ndots:1"])
        script = "cat /etc/resolv.conf; nslookup db.example.org"
        async with (
            networking.name_server(gateway, "10.9.9.9") as asked,
            wire.running(shell(script, network="bridge", dns=dns)) as asking,
        ):
            printed = (await wire.printed(asking.id)).decode()
        assert printed.startswith(f"nameserver {gateway}\nsearch example.org\noptions ndots:1\n")
        assert "Address: 10.9.9.9" in printed
        assert "db.example.org" in asked


async def test_a_container_knows_itself_and_whom_it_was_told_of(wire: Wire) -> None:
    spec = shell(
        "cat /etc/hosts; hostname; cat /proc/sys/kernel/domainname",
        network="bridge",
        hostname="web",
        domain_name="example.org",
        extra_hosts=["db:10.9.9.9", "host.internal:host-gateway"],
    )
    async with wire.running(spec) as container:
        lines = (await wire.printed(container.id)).decode().splitlines()
        own = [f"{address(container, v)}\tweb.example.org web" for v in (4, 6)]
        gateways = [f"{gateway}\thost.internal" for gateway in only(container).gateways]
        assert lines[-2 - len((*own, *gateways)) - 1 :] == [
            *own,
            "10.9.9.9\tdb",
            *gateways,
            "web",
            "example.org",
        ]


async def test_who_shares_a_network_has_its_interfaces_names_and_end(wire: Wire) -> None:
    async with wire.running(networking.server("web", network="bridge", hostname="web")) as web:
        await wire.until_printed(web.id, "ready")
        script = "wget -q -O - http://127.0.0.1:7777/it; hostname; cat /etc/hosts; exec sleep 9999"
        spec = shell(script, network=f"container:{web.id}")
        async with wire.running(spec) as sharing:
            await wire.until_printed(sharing.id, f"{address(web)}\tweb")
            printed = await wire.printed(sharing.id, follow=False)
            assert printed.splitlines()[:2] == [b"web", b"web"]
            assert only(sharing).name == f"container:{web.id}"
            pid = sharing.status.pid
            assert _namespace(pid) == _namespace(web.status.pid)
            await wire.stop(web.id, grace=0)
            await wire.wait(web.id)
            await wire.cleanup(web.id, remove=False)
            assert [link["ifname"] for link in ip("link", inside=pid)] == ["lo"]
            assert (await wire.inspect(sharing.id)).status.pid == pid
            spec.auto_remove = True
            refusal = await refused(wire.run(spec))
            assert refusal.reason == "NAMESPACE_OWNER_NOT_RUNNING"


async def test_traffic_is_counted_where_that_is_asked_for(wire: Wire) -> None:
    async with wire.running(networking.server("web", network="bridge")) as web:
        await wire.until_printed(web.id, "ready")
        assert not only(web).HasField("statistics")
        await ask(address(web))
        request = InspectRequest(container=web.id, network_statistics=True)
        counted = only((await wire.containers.Inspect(request)).container).statistics
        (link,) = ip("-stats", "link", "show", "eth0", inside=web.status.pid)
        assert 0 < counted.received_packets <= link["stats64"]["rx"]["packets"]
        assert 0 < counted.sent_bytes <= link["stats64"]["tx"]["bytes"]


async def test_two_servers_with_other_subnets_do_not_meet(site: Site, wire: Wire) -> None:
    other = site.start_moored()
    async with Wire(other.address) as elsewhere:
        async with (
            wire.running(networking.server("here", network="bridge")) as here,
            elsewhere.running(networking.server("there", network="bridge")) as there,
        ):
            await wire.until_printed(here.id, "ready")
            await elsewhere.until_printed(there.id, "ready")
            assert [await ask(address(each)) for each in (here, there)] == ["here", "there"]
            assert len(ip("link", "show", "master", f"{other.instance}0")) == 1
        assert f"{other.instance}0" not in _links()
    other.stop()


async def test_a_subnet_that_is_in_use_here_is_refused_by_name(site: Site, wire: Wire) -> None:
    async with wire.running(sleeper(network="bridge")) as container:
        taken = ipaddress.ip_interface(only(container).addresses[0]).network
        other = site.start_moored({"bridge_subnet": str(taken)})
        async with Wire(other.address) as elsewhere:
            refusal = await refused(elsewhere.run(sleeper(network="bridge")))
            assert (refusal.reason, refusal.metadata["step"]) == ("NETWORK_FAILED", "attach")
            assert f"subnet {taken} is in use" in refusal.message
            (failed,) = await elsewhere.list()
            await elsewhere.remove(failed.id)
        other.stop()


async def test_somebody_elses_bridge_is_used_and_left_as_it_is(site: Site) -> None:
    subnet, name = site.subnet(), "mgtestbr0"
    gateway = f"{subnet.network_address + 1}/{subnet.prefixlen}"
    ip("link", "add", name, "type", "bridge")
    try:
        settings = {"bridge_name": name, "bridge_subnet": str(subnet), "bridge_subnet_ipv6": ""}
        daemon = site.start_moored(settings)
        async with Wire(daemon.address) as wire:
            refusal = await refused(wire.run(sleeper(network="bridge", auto_remove=True)))
            assert f"it does not have {gateway}" in refusal.message
            ip("addr", "add", gateway, "dev", name)
            ip("link", "set", name, "up")
            async with wire.running(networking.server("web", network="bridge")) as web:
                await wire.until_printed(web.id, "ready")
                assert await ask(address(web)) == "web"
        assert name in _links()
        daemon.stop()
    finally:
        ip("link", "del", name)


async def test_starts_at_once_get_addresses_of_their_own(wire: Wire) -> None:
    runs = await asyncio.gather(*(wire.run(sleeper(network="bridge")) for _ in range(8)))
    try:
        assert len({only(run).mac_address for run in runs}) == 8
        assert len({text for run in runs for text in only(run).addresses}) == 16
    finally:
        await asyncio.gather(*(wire.remove(run.id) for run in runs))


def _links() -> set[str]:
    return {link["ifname"] for link in ip("link")}


def _namespace(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


async def test_no_process_is_started_for_it(wire: Wire, moored: Moored) -> None:
    with births(moored.pid) as born:
        async with wire.running(sleeper(network="bridge")) as container:
            await wire.stop(container.id, grace=0)
    assert born == []
    with births(os.getpid()) as seen:
        ip("link")
    assert len(seen) == 1
