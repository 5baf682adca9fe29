"""Packets go where the firewall says: out of the bridge, in by published ports, and nowhere else.

Real rules in namespaces; a server is known by whom it hears.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from moored.model.identity import RunId
from moored.model.ports import PortMapping, Protocol
from moored.network.firewall_table import BridgeFacts
from tests.real import town as places
from tests.real.machines import ANSWER_WITHIN, exchanged, heard_by_tcp, heard_by_udp
from tests.real.town import (
    BRIDGE,
    FACTS,
    GATEWAY,
    GATEWAY6,
    HOST,
    HOST6,
    NEIGHBOUR,
    NEIGHBOUR6,
    ONE,
    ONE6,
    OTHER,
    OTHER6,
    Town,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moored.network.firewall import Firewall

pytestmark = pytest.mark.real

SCTP = 132
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
RUN, OTHER_RUN = RunId("1.1"), RunId("2.1")
WEB = PortMapping(80, 8080)
NAMES = PortMapping(53, 5353, Protocol.UDP)
LOCAL = PortMapping(81, 8081, host_ip="127.0.0.1")
CONNECTIONS_ARE_TRACKED = """
    add table ip tracking
    add chain ip tracking arriving { type filter hook input priority 0; }
    add rule ip tracking arriving ct state new accept
"""


@pytest.fixture
def town() -> Iterator[Town]:
    with Town() as built:
        yield built


@pytest.fixture
def firewall(town: Town) -> Iterator[Firewall]:
    built, kernel = town.firewall()
    yield built
    kernel.close()


def join(
    town: Town,
    firewall: Firewall,
    ports: Sequence[PortMapping],
    *,
    run: RunId = RUN,
    at: tuple[str, ...] = (ONE, ONE6),
) -> None:
    town.host.run(lambda: firewall.join(run, at, ports))


@pytest.mark.parametrize("bridge_filters", ["0", "1"])
def test_a_published_port_is_reached_from_everywhere(
    town: Town, firewall: Firewall, bridge_filters: str
) -> None:
    town.host.sysctl("bridge/bridge-nf-call-iptables", bridge_filters)
    join(town, firewall, [WEB, NAMES])
    join(town, firewall, [], run=OTHER_RUN, at=(OTHER, OTHER6))
    web = town.one.socket(STREAM, "0.0.0.0", 80)
    names = town.one.socket(DATAGRAM, "0.0.0.0", 53)
    with web, names:
        for client, to, heard in (
            (town.neighbour, HOST, NEIGHBOUR),
            (town.host, HOST, HOST),
            (town.host, "127.0.0.1", GATEWAY),
            (town.other, HOST, GATEWAY),
            (town.other, GATEWAY, GATEWAY),
            (town.one, HOST, GATEWAY),
        ):
            assert heard_by_tcp(client, (to, 8080), web) == heard, (client.name, to)
            assert heard_by_udp(client, (to, 5353), names) == heard, (client.name, to)


@pytest.mark.parametrize("bridge_filters", ["0", "1"])
def test_a_published_port_is_reached_by_ipv6(
    town: Town, firewall: Firewall, bridge_filters: str
) -> None:
    town.host.sysctl("bridge/bridge-nf-call-ip6tables", bridge_filters)
    join(town, firewall, [WEB, NAMES])
    join(town, firewall, [], run=OTHER_RUN, at=(OTHER, OTHER6))
    web = town.one.socket(STREAM, "::", 80)
    names = town.one.socket(DATAGRAM, "::", 53)
    with web, names:
        for client, to, heard in (
            (town.neighbour, HOST6, NEIGHBOUR6),
            (town.host, HOST6, HOST6),
            (town.other, HOST6, GATEWAY6),
            (town.one, HOST6, GATEWAY6),
        ):
            assert heard_by_tcp(client, (to, 8080), web) == heard, (client.name, to)
            assert heard_by_udp(client, (to, 5353), names) == heard, (client.name, to)
        assert heard_by_tcp(town.host, ("::1", 8080), web) is None


def test_a_row_of_ports_leads_to_a_row_of_ports(town: Town, firewall: Firewall) -> None:
    join(town, firewall, [PortMapping(100, 8100, count=3)])
    for offset in range(3):
        with town.one.socket(STREAM, "0.0.0.0", 100 + offset) as server:
            assert heard_by_tcp(town.neighbour, (HOST, 8100 + offset), server) == NEIGHBOUR
    with town.one.socket(STREAM, "0.0.0.0", 103) as server:
        assert heard_by_tcp(town.neighbour, (HOST, 8103), server) is None


def test_sctp_is_forwarded_as_the_others_are(town: Town, firewall: Firewall) -> None:
    """By the packet that begins an association, since a kernel may be without sockets for it."""
    join(town, firewall, [PortMapping(90, 9090, Protocol.SCTP)])
    server = town.one.run(_raw_sctp)
    client = town.neighbour.run(_raw_sctp)
    with server, client:
        client.sendto(_sctp_init(5000, 9090), (HOST, 0))
        server.settimeout(ANSWER_WITHIN)
        packet = server.recv(1024)
    header = (packet[0] & 0xF) * 4
    assert struct.unpack_from("!HH", packet, header) == (5000, 90)


def test_a_port_of_one_address_is_there_and_nowhere_else(town: Town, firewall: Firewall) -> None:
    join(town, firewall, [PortMapping(80, 8080, host_ip=HOST), LOCAL])
    with town.one.socket(STREAM, "0.0.0.0", 80) as web:
        assert heard_by_tcp(town.neighbour, (HOST, 8080), web) == NEIGHBOUR
        assert heard_by_tcp(town.host, ("127.0.0.1", 8080), web) is None
        assert heard_by_tcp(town.other, (GATEWAY, 8080), web) is None
    with town.one.socket(STREAM, "0.0.0.0", 81) as local:
        assert heard_by_tcp(town.host, ("127.0.0.1", 8081), local) == GATEWAY
        assert heard_by_tcp(town.host, (HOST, 8081), local) is None
        assert heard_by_tcp(town.neighbour, (HOST, 8081), local) is None


def test_the_hosts_loopback_is_out_of_reach_of_containers(town: Town, firewall: Firewall) -> None:
    join(town, firewall, [LOCAL])
    town.one.sysctl("ipv4/conf/all/route_localnet", "1")
    town.one.ip("route", "add", "127.0.0.2", "via", GATEWAY)
    with town.host.socket(STREAM, "127.0.0.2", 99) as private:
        assert heard_by_tcp(town.host, ("127.0.0.2", 99), private) == "127.0.0.1"
        assert heard_by_tcp(town.one, ("127.0.0.2", 99), private) is None
        town.host.nft("delete", "chain", "inet", places.TABLE, "loopback")
        assert heard_by_tcp(town.one, ("127.0.0.2", 99), private) == ONE


def test_what_leaves_the_bridge_is_masqueraded(town: Town, firewall: Firewall) -> None:
    join(town, firewall, [])
    with town.neighbour.socket(STREAM, NEIGHBOUR, 99) as server:
        assert heard_by_tcp(town.one, (NEIGHBOUR, 99), server) == HOST
    with town.neighbour.socket(STREAM, NEIGHBOUR6, 99) as server:
        assert heard_by_tcp(town.one, (NEIGHBOUR6, 99), server) == HOST6


def test_nobody_outside_reaches_a_port_that_is_not_published(
    town: Town, firewall: Firewall
) -> None:
    join(town, firewall, [LOCAL])
    town.neighbour.ip("route", "add", "10.8.0.0/24", "via", HOST)
    town.neighbour.ip("-6", "route", "add", "fd08::/64", "via", HOST6)
    with town.one.socket(STREAM, "0.0.0.0", 81) as server:
        assert heard_by_tcp(town.neighbour, (ONE, 81), server) is None
        assert heard_by_tcp(town.host, (ONE, 81), server) == GATEWAY
        assert heard_by_tcp(town.other, (ONE, 81), server) == OTHER
    with town.one.socket(STREAM, "::", 81) as server:
        assert heard_by_tcp(town.neighbour, (ONE6, 81), server) is None


def test_isolated_containers_reach_each_other_by_published_ports_only(town: Town) -> None:
    """Where the host filters bridges it forwards such packets as one, and keeps them apart."""
    town.host.sysctl("bridge/bridge-nf-call-iptables", "0")
    firewall, kernel = town.firewall(facts=BridgeFacts(BRIDGE, FACTS.subnets, isolated=True))
    for end in ("port0", "port1"):
        town.host.command("bridge", "link", "set", "dev", end, "isolated", "on")
    join(town, firewall, [WEB])
    with town.one.socket(STREAM, "0.0.0.0", 80) as web:
        assert heard_by_tcp(town.other, (ONE, 80), web) is None
        assert heard_by_tcp(town.other, (HOST, 8080), web) == GATEWAY
        # Neither by way of the host, which would forward what it is asked to.
        town.other.ip("route", "add", f"{ONE}/32", "via", GATEWAY)
        assert heard_by_tcp(town.other, (ONE, 80), web) is None
    kernel.close()


def test_who_keeps_sending_by_udp_meets_the_container_that_has_the_port_now(
    town: Town, firewall: Firewall
) -> None:
    """Before anybody has it, while one has it, and once another does."""
    client = town.neighbour.socket(DATAGRAM, NEIGHBOUR, 7000)
    first = town.one.socket(DATAGRAM, "0.0.0.0", 53)
    second = town.other.socket(DATAGRAM, "0.0.0.0", 53)
    with client, first, second:
        town.host.nft(CONNECTIONS_ARE_TRACKED)
        client.sendto(b"nobody yet", (HOST, 5353))
        join(town, firewall, [NAMES])
        assert exchanged(client, (HOST, 5353), first) == NEIGHBOUR
        town.host.run(lambda: firewall.leave(RUN))
        join(town, firewall, [NAMES], run=OTHER_RUN, at=(OTHER,))
        assert exchanged(client, (HOST, 5353), second) == NEIGHBOUR


def test_other_conversations_by_udp_go_on(town: Town, firewall: Firewall) -> None:
    """A masqueraded one that is forgotten would come back from another port."""
    join(town, firewall, [])
    with (
        town.one.socket(DATAGRAM, "0.0.0.0", 6000) as client,
        town.neighbour.socket(DATAGRAM, NEIGHBOUR, 5353) as server,
    ):
        assert exchanged(client, (NEIGHBOUR, 5353), server) == HOST
        join(town, firewall, [NAMES], run=OTHER_RUN, at=(OTHER,))
        server.sendto(b"late", (HOST, 6000))
        assert client.recv(16) == b"late"


def _raw_sctp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)


def _sctp_init(source: int, to: int) -> bytes:
    head = struct.pack("!HHI", source, to, 0)
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65536, 1, 1, 1)
    return head + struct.pack("<I", _crc32c(head + bytes(4) + chunk)) + chunk


def _crc32c(text: bytes) -> int:
    rest = 0xFFFFFFFF
    for byte in text:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF
