"""Ports of real containers are reached from everywhere, are theirs alone, and end with their run.

moored runs in a machine of the test's own: nothing here touches the rules of this host.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1.container_pb2 import PORT_PROTOCOL_UDP, PortMapping
from tests.real.deadlines import until
from tests.real.machines import (
    Place,
    exchanged,
    heard_by_tcp,
    heard_by_udp,
    network_of,
)
from tests.real.specs import sleeper
from tests.real.town import HOST, HOST6, NEIGHBOUR, NEIGHBOUR6, Street
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from moorage.v1.container_pb2 import Container, ContainerSpec
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
GATEWAY, GATEWAY6 = "10.8.0.1", "fd08::1"
MENDED_WITHIN = 10.0
ROUTE_LOCALNET = "net.ipv4.conf.all.route_localnet=1"
WEB = PortMapping(container_port=80, host_port=8080)
NAMES = PortMapping(container_port=53, host_port=5353, protocol=PORT_PROTOCOL_UDP)
SETTINGS = {"bridge_subnet": "10.8.0.0/24", "bridge_subnet_ipv6": "fd08::/64"}


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    with Street() as built:
        yield built


@pytest.fixture(scope="module")
def daemon(site: Site, street: Street) -> Moored:
    return site.start_moored(SETTINGS, host_network=str(street.host.path))


@pytest.fixture
async def town(daemon: Moored, street: Street) -> AsyncIterator[Wire]:
    """Whom to ask for containers on the street's host. Nothing of them stays there."""
    async with Wire(daemon.address) as connected:
        yield connected
    assert street.host.rules() == ""


def on_bridge(*ports: PortMapping, **more: object) -> ContainerSpec:
    return sleeper(network="bridge", ports=ports, **more)


@asynccontextmanager
async def running(
    wire: Wire, *ports: PortMapping, **more: object
) -> AsyncIterator[tuple[Container, Place]]:
    """A container on the bridge, and its network."""
    async with wire.running(on_bridge(*ports, **more)) as container:
        with network_of(container.status.pid) as inside:
            yield container, inside


def is_free(street: Street, kind: int, port: int) -> bool:
    try:
        street.host.socket(kind, "0.0.0.0", port).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("bridge_filters", "users"), [("0", "host"), ("1", "auto")])
async def test_a_published_port_is_reached_from_everywhere(
    street: Street, town: Wire, bridge_filters: str, users: str
) -> None:
    street.host.sysctl("bridge/bridge-nf-call-iptables", bridge_filters)
    street.host.sysctl("bridge/bridge-nf-call-ip6tables", bridge_filters)
    web_and_names = running(town, WEB, NAMES, user_namespace=users)
    async with web_and_names as (_, inside), running(town) as (_, other):
        with (
            inside.socket(STREAM, "0.0.0.0", 80) as web,
            inside.socket(DATAGRAM, "0.0.0.0", 53) as names,
            inside.socket(STREAM, "::", 80) as web6,
        ):
            for client, to, heard in (
                (street.neighbour, HOST, NEIGHBOUR),
                (street.host, HOST, HOST),
                (street.host, "127.0.0.1", GATEWAY),
                (other, HOST, GATEWAY),
                (other, GATEWAY, GATEWAY),
                (inside, HOST, GATEWAY),
            ):
                assert heard_by_tcp(client, (to, 8080), web) == heard, to
                assert heard_by_udp(client, (to, 5353), names) == heard, to
            for client, to, heard in (
                (street.neighbour, HOST6, NEIGHBOUR6),
                (street.host, HOST6, HOST6),
                (other, HOST6, GATEWAY6),
                (inside, HOST6, GATEWAY6),
            ):
                assert heard_by_tcp(client, (to, 8080), web6) == heard, to


async def test_a_container_gets_out_and_never_to_the_hosts_loopback(
    street: Street, town: Wire
) -> None:
    async with running(town) as (_, inside):
        with street.neighbour.socket(STREAM, NEIGHBOUR, 99) as outside:
            assert heard_by_tcp(inside, (NEIGHBOUR, 99), outside) == HOST
        with street.neighbour.socket(STREAM, NEIGHBOUR6, 99) as outside:
            assert heard_by_tcp(inside, (NEIGHBOUR6, 99), outside) == HOST6
        street.host.command("nsenter", f"--net={inside.path}", "sysctl", "-qw", ROUTE_LOCALNET)
        street.host.command(
            *("nsenter", f"--net={inside.path}", "ip", "route", "add"),
            *("127.0.0.2", "via", GATEWAY),
        )
        with street.host.socket(STREAM, "127.0.0.2", 99) as private:
            assert heard_by_tcp(inside, ("127.0.0.2", 99), private) is None


async def test_inspect_shows_what_was_chosen(street: Street, town: Wire) -> None:
    row = PortMapping(container_port=100, count=3)
    local = PortMapping(container_port=80, host_port=8081, host_ip="127.0.0.1")
    async with running(town, row, local) as (container, inside):
        chosen, named = container.status.networks[0].ports
        assert chosen.host_port > 1023
        assert (chosen.container_port, chosen.count, chosen.host_ip) == (100, 3, "")
        assert (named.host_port, named.count, named.host_ip) == (8081, 1, "127.0.0.1")
        with inside.socket(STREAM, "0.0.0.0", 102) as last:
            assert heard_by_tcp(street.neighbour, (HOST, chosen.host_port + 2), last) == NEIGHBOUR
        assert [(port.container_port, port.count) for port in container.spec.ports] == [
            (100, 3),
            (80, 0),
        ]
    async with running(town, row) as (again, _):
        assert again.status.networks[0].ports[0].host_port > 1023


async def test_a_port_of_another_container_is_refused_by_its_name(town: Wire) -> None:
    async with running(town, WEB, name="first") as (first, _):
        second = await town.create(on_bridge(WEB, name="second"))
        refusal = await refused(town.start(second.id))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "PORT_IN_USE",
        )
        assert refusal.metadata["container"] == first.id
        assert "container 'first' has it" in refusal.message
        assert (await town.inspect(second.id)).status.run == 0
    await town.start(second.id)
    await town.remove(second.id)


async def test_a_port_of_a_process_is_refused_by_its_name(street: Street, town: Wire) -> None:
    with street.host.socket(STREAM, "127.0.0.1", 8080):
        refusal = await refused(town.run(on_bridge(WEB, auto_remove=True)))
    assert refusal.reason == "PORT_IN_USE"
    assert refusal.metadata["holder"].startswith(f"process {os.getpid()} (")
    async with running(town, WEB):
        pass


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        (PortMapping(container_port=80, host_ip="::1"), "spec.ports[0].host_ip"),
        (PortMapping(container_port=80, host_ip="10.99.99.99"), "spec.ports[0].host_ip"),
        (PortMapping(container_port=0), "spec.ports[0].container_port"),
        (PortMapping(container_port=80, protocol=9), "spec.ports[0].protocol"),  # type: ignore[arg-type]
    ],
)
async def test_what_cannot_be_published_is_refused_by_its_field(
    town: Wire, mapping: PortMapping, field: str
) -> None:
    refusal = await refused(town.create(on_bridge(mapping)))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


async def test_a_start_that_fails_lets_its_ports_go(street: Street, town: Wire) -> None:
    spec = on_bridge(WEB, auto_remove=True)
    spec.command[:] = ["/bin/no-such-program"]
    assert (await refused(town.run(spec))).reason == "COMMAND_NOT_FOUND"
    assert street.host.rules() == ""
    assert is_free(street, STREAM, 8080)


async def test_a_start_that_fails_when_its_ports_are_published_takes_them_back(
    site: Site,
) -> None:
    with Street() as street:
        settings = {**SETTINGS, "failpoints": "start.run.before=1*error"}
        daemon = site.start_moored(settings, host_network=str(street.host.path))
        async with Wire(daemon.address) as wire:
            await refused(wire.run(on_bridge(WEB, NAMES, auto_remove=True)))
        assert street.host.rules() == ""
        assert is_free(street, STREAM, 8080)
        assert is_free(street, DATAGRAM, 5353)
        daemon.stop()


async def test_a_run_that_ends_lets_its_ports_go(street: Street, town: Wire) -> None:
    async with running(town, WEB) as (container, _):
        await town.stop(container.id, grace=0)
        assert street.host.rules() == ""
        assert is_free(street, STREAM, 8080)
        await town.start(container.id)
        assert not is_free(street, STREAM, 8080)


async def test_who_keeps_sending_by_udp_meets_the_next_container(
    street: Street, town: Wire
) -> None:
    with street.neighbour.socket(DATAGRAM, NEIGHBOUR, 7000) as client:
        for _ in range(2):
            async with running(town, NAMES) as (_, inside):
                with inside.socket(DATAGRAM, "0.0.0.0", 53) as names:
                    assert exchanged(client, (HOST, 5353), names) == NEIGHBOUR


async def test_many_that_come_and_go_at_once_leave_no_port_and_no_rule(
    street: Street, town: Wire
) -> None:
    async def lives(number: int) -> int:
        fixed = PortMapping(container_port=80, host_port=9000 + number)
        async with town.running(on_bridge(fixed, PortMapping(container_port=81))) as container:
            named, chosen = container.status.networks[0].ports
            assert named.host_port == 9000 + number
            return int(chosen.host_port)

    for _ in range(2):
        chosen = await asyncio.gather(*map(lives, range(8)))
        assert len(set(chosen)) == 8
        assert street.host.rules() == ""
        assert all(is_free(street, STREAM, port) for port in (*chosen, *range(9000, 9008)))


async def test_a_flush_is_mended(street: Street, town: Wire) -> None:
    async with running(town, WEB) as (_, inside):
        before = street.host.rules()
        street.host.nft("flush", "ruleset")
        until(lambda: street.host.rules() == before, "the table is back", within=MENDED_WITHIN)
        with inside.socket(STREAM, "0.0.0.0", 80) as web:
            assert heard_by_tcp(street.neighbour, (HOST, 8080), web) == NEIGHBOUR


@pytest.mark.parametrize("badly", [False, True])
async def test_the_next_moored_goes_on_with_the_ports_of_what_runs(
    street: Street, daemon: Moored, town: Wire, badly: bool
) -> None:
    async with running(town, WEB) as (_, inside), running(town, NAMES) as (ends, _):
        rules = street.host.rules()
        daemon.kill() if badly else daemon.stop()
        with inside.socket(STREAM, "0.0.0.0", 80) as web:
            assert street.host.rules() == rules
            assert heard_by_tcp(street.neighbour, (HOST, 8080), web) == NEIGHBOUR
            os.kill(ends.status.pid, 9)
            daemon.start()
            assert heard_by_tcp(street.neighbour, (HOST, 8080), web) == NEIGHBOUR
        await town.wait(ends.id)
        until(lambda: is_free(street, DATAGRAM, 5353), "its port is free", within=MENDED_WITHIN)
        assert "5353" not in street.host.rules()
        assert "8080" in street.host.rules()
        assert not is_free(street, STREAM, 8080)


async def test_beside_a_wall_it_gets_a_way_through_and_takes_it_back(
    street: Street, town: Wire
) -> None:
    async with running(town, WEB) as (_, inside):
        street.host.command("iptables", "-P", "FORWARD", "DROP")
        with inside.socket(STREAM, "0.0.0.0", 80) as web:

            def is_reached() -> bool:
                return heard_by_tcp(street.neighbour, (HOST, 8080), web) == NEIGHBOUR

            until(is_reached, "the wall is passed", within=MENDED_WITHIN)
    rules = street.host.rules()
    assert "policy drop" in rules
    assert "moored" not in rules
    street.host.nft("flush", "ruleset")


async def test_owning_its_own_rules_only_it_says_who_blocks(site: Site) -> None:
    with Street() as street:
        street.host.command("iptables", "-P", "FORWARD", "DROP")
        before = street.host.rules()
        settings = {**SETTINGS, "firewall": "own"}
        daemon = site.start_moored(settings, host_network=str(street.host.path))
        async with Wire(daemon.address) as wire:
            refusal = await refused(wire.run(on_bridge(WEB, auto_remove=True)))
        assert refusal.reason == "FORWARDING_BLOCKED"
        assert refusal.metadata["chain"] == "ip filter FORWARD"
        assert street.host.rules() == before
        daemon.stop()
