"""A published port is really taken: by one run at a time, from everybody else, until it is let go.

In a namespace, with the kernel's own sockets on both sides.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.identity import ContainerId, RunId, run_id
from moored.model.ports import Family, PortMapping, Protocol
from moored.network.published import PublishedPorts
from tests.real.machines import SILENT_FOR, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real

CONTAINER = ContainerId("a" * 32)
WEB, OTHER = run_id(CONTAINER, 1), RunId(f"{'b' * 32}.1")
KINDS = {Protocol.TCP: socket.SOCK_STREAM, Protocol.UDP: socket.SOCK_DGRAM}


@pytest.fixture
def host() -> Iterator[Machine]:
    with Machine("ports") as machine:
        yield machine


@pytest.fixture
def ports(host: Machine) -> Iterator[PublishedPorts]:
    known = PublishedPorts(frozenset(Family), lambda container: f"name of {container}")
    yield known
    known.let_go(WEB)
    known.let_go(OTHER)


def take(
    host: Machine, ports: PublishedPorts, *asked: PortMapping, run: RunId = WEB
) -> tuple[PortMapping, ...]:
    return host.run(lambda: ports.take(run, asked))


@pytest.mark.parametrize("protocol", KINDS)
@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::", "::1"])
def test_nobody_else_gets_a_port_that_is_published(
    host: Machine, ports: PublishedPorts, protocol: Protocol, address: str
) -> None:
    take(host, ports, PortMapping(80, 8080, protocol))
    with pytest.raises(OSError, match="in use"):
        host.socket(KINDS[protocol], address, 8080)
    assert ports.let_go(WEB)
    host.socket(KINDS[protocol], address, 8080).close()


def test_who_knocks_at_a_held_port_is_not_refused_and_not_heard(
    host: Machine, ports: PublishedPorts
) -> None:
    """Or a client would be turned away in the moment in which the rules are built anew."""
    take(host, ports, PortMapping(80, 8080))
    with host.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as client:
        client.settimeout(SILENT_FOR)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", 8080))


@pytest.mark.parametrize("protocol", KINDS)
def test_a_port_of_a_process_is_refused_by_its_name(
    host: Machine, ports: PublishedPorts, protocol: Protocol
) -> None:
    with host.socket(KINDS[protocol], "0.0.0.0", 8082):
        with pytest.raises(errors.PortInUse) as refused:
            take(host, ports, PortMapping(80, 8080, protocol, count=4))
        holder = f"process {os.getpid()} (python"
        assert refused.value.facts["holder"].startswith(holder)
        assert refused.value.facts["port"] == f"*:8082/{protocol}"
        assert "cannot publish port *:8082" in refused.value.message
        assert not ports.let_go(WEB)
    # What had been taken of the row before was let go.
    for port in range(8080, 8084):
        host.socket(KINDS[protocol], "0.0.0.0", port).close()


@pytest.mark.parametrize(
    "asked",
    [PortMapping(81, 8084, host_ip="127.0.0.1"), PortMapping(1, 8000, count=200)],
)
def test_a_port_of_another_container_is_refused_by_its_name(
    host: Machine, ports: PublishedPorts, asked: PortMapping
) -> None:
    take(host, ports, PortMapping(80, 8080, count=5))
    with pytest.raises(errors.PortInUse, match="container 'name of aaaa") as refused:
        take(host, ports, asked, run=OTHER)
    assert refused.value.facts == {"port": str(asked), "container": CONTAINER}


def test_the_same_number_of_another_protocol_or_address_is_another_port(
    host: Machine, ports: PublishedPorts
) -> None:
    take(host, ports, PortMapping(53, 5353, host_ip="127.0.0.1"))
    take(
        host,
        ports,
        PortMapping(53, 5353, Protocol.UDP),
        PortMapping(53, 5353, host_ip="127.0.0.2"),
        PortMapping(53, 5353, Protocol.SCTP),
        run=OTHER,
    )


@pytest.mark.parametrize("protocol", KINDS)
def test_ports_that_are_not_named_are_chosen_in_a_row(
    host: Machine, ports: PublishedPorts, protocol: Protocol
) -> None:
    one, row = take(
        host, ports, PortMapping(80, protocol=protocol), PortMapping(1, 0, protocol, count=50)
    )
    assert one.host_port > 1023
    assert not one.collides(row)
    for port in (one.host_port, row.host_port, row.host_port + 49):
        with pytest.raises(OSError, match="in use"):
            host.socket(KINDS[protocol], "0.0.0.0", port)


def test_two_runs_never_choose_the_same(host: Machine, ports: PublishedPorts) -> None:
    (first,) = take(host, ports, PortMapping(1, count=200))
    (second,) = take(host, ports, PortMapping(1, count=200), run=OTHER)
    assert not first.collides(second)


def test_connections_of_an_earlier_owner_that_are_nearly_over_do_not_matter(
    host: Machine, ports: PublishedPorts
) -> None:
    with host.socket(socket.SOCK_STREAM, "127.0.0.1", 8080) as server:
        client = host.run(lambda: socket.create_connection(("127.0.0.1", 8080)))
        served, _ = server.accept()
        served.close()  # first: the connection's last minute is spent on this side
        client.close()
    assert "TIME-WAIT" in host.command("ss", "-tan", "sport = :8080")
    take(host, ports, PortMapping(80, 8080))


def test_a_host_without_ipv6_publishes_all_the_same(host: Machine, ports: PublishedPorts) -> None:
    host.sysctl("ipv6/conf/all/disable_ipv6", "1")
    take(host, ports, PortMapping(80, 8080))


def test_what_somebody_took_meanwhile_is_held_again_when_it_is_free(
    host: Machine, ports: PublishedPorts
) -> None:
    intruder = host.socket(socket.SOCK_STREAM, "127.0.0.1", 8080)
    published = PortMapping(80, 8080)
    host.run(lambda: ports.restore(WEB, [published]))
    with pytest.raises(errors.PortInUse, match="container 'name of aaaa"):
        take(host, ports, PortMapping(80, 8080), run=OTHER)
    host.run(ports.retry_lost)
    with suppress(OSError):
        intruder.close()
    host.run(ports.retry_lost)
    with pytest.raises(OSError, match="in use"):
        host.socket(socket.SOCK_STREAM, "127.0.0.1", 8080)
