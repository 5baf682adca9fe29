"""Ports that are asked for: what collides, and what is refused by its field."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model.port_rules import LARGEST_PORT, MOST_PORTS, violations
from moored.model.ports import PortMapping, Protocol, family_of

V6_LOOPBACK = "cannot be [::1]: the kernel forwards nothing from there; 127.0.0.1 works"
HOST_IPS = st.sampled_from(("", "0.0.0.0", "::", "127.0.0.1", "192.0.2.7", "2001:db8::7"))
MAPPINGS = st.builds(
    PortMapping,
    container_port=st.integers(1, 50),
    host_port=st.integers(1, 50),
    protocol=st.sampled_from(Protocol),
    host_ip=HOST_IPS,
    count=st.integers(0, 9),
)


def fields(*ports: PortMapping) -> dict[str, str]:
    return {found.field: found.why for found in violations(ports)}


@pytest.mark.parametrize(
    ("mapping", "field", "why"),
    [
        (PortMapping(0), "ports[0].container_port", "must be between 1 and 65535"),
        (PortMapping(65536), "ports[0].container_port", "must be between 1 and 65535"),
        (PortMapping(65535, count=2), "ports[0].count", "goes beyond container port 65535"),
        (PortMapping(1, 65536), "ports[0].host_port", "must be between 0 and 65535"),
        (PortMapping(1, 65535, count=2), "ports[0].count", "goes beyond host port 65535"),
        (PortMapping(1, count=MOST_PORTS + 1), "ports", f"are more than {MOST_PORTS}"),
        (PortMapping(1, host_ip="web"), "ports[0].host_ip", "must be an IPv4 or IPv6 address"),
        (PortMapping(1, host_ip="1.2.3"), "ports[0].host_ip", "must be an IPv4 or IPv6 address"),
        (PortMapping(1, host_ip="::1"), "ports[0].host_ip", V6_LOOPBACK),
        (
            PortMapping(1, host_ip="224.0.0.1"),
            "ports[0].host_ip",
            "must be an address of this host",
        ),
        (
            PortMapping(1, host_ip="fe80::1%eth0"),
            "ports[0].host_ip",
            "must not be mapped, scoped or link-local",
        ),
        (
            PortMapping(1, host_ip="::ffff:127.0.0.1"),
            "ports[0].host_ip",
            "must not be mapped, scoped or link-local",
        ),
    ],
)
def test_a_bad_mapping_is_refused_by_its_field(mapping: PortMapping, field: str, why: str) -> None:
    assert fields(mapping) == {field: why}


def test_the_largest_and_the_longest_are_taken() -> None:
    assert fields(PortMapping(LARGEST_PORT, LARGEST_PORT)) == {}
    assert fields(PortMapping(1, 1, count=MOST_PORTS)) == {}


def test_two_that_need_the_same_port_are_refused_by_the_second() -> None:
    first, second = PortMapping(80, 8080, count=5), PortMapping(81, 8084, host_ip="127.0.0.1")
    why = "takes the same port of the host as ports[0]"
    assert fields(first, second) == {"ports[1].host_port": why}


def test_a_port_that_is_chosen_later_collides_with_none() -> None:
    assert fields(PortMapping(80), PortMapping(80), PortMapping(80, 8080)) == {}


@given(MAPPINGS, MAPPINGS)
def test_two_collide_when_a_port_of_an_address_would_be_both_s(
    one: PortMapping, other: PortMapping
) -> None:
    assert one.collides(other) is other.collides(one) is bool(_places(one) & _places(other))


def _places(mapping: PortMapping) -> set[tuple[str, str, int]]:
    """Return each protocol, address and port that is taken, of addresses that matter here."""
    addresses = ("127.0.0.1", "192.0.2.7", "192.0.2.8", "2001:db8::7", "2001:db8::8")
    return {
        (mapping.protocol, address, host_port)
        for address in addresses
        for host_port, _ in mapping.pairs
        if _is_of(address, mapping)
    }


def _is_of(address: str, mapping: PortMapping) -> bool:
    if mapping.everywhere:
        return family_of(address) in mapping.families
    return ipaddress.ip_address(address) == ipaddress.ip_address(mapping.host_ip)
