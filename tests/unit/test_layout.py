"""The bridge's names and addresses follow from its settings, and nobody else has them."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from moored import errors
from moored.bridge_settings import BridgeSettings
from moored.holdings import Holdings
from moored.model.identity import ContainerId, RunId
from moored.model.network import Attachment
from moored.model.resources import Kind, Resource
from moored.network.addresses import Addresses
from moored.network.layout import Layout, mac_bytes, mac_of, mac_text
from moored.network.pool import Pool

ONE, OTHER = ContainerId("1" * 32), ContainerId("2" * 32)
SMALL = Layout("one", "one0", (ipaddress.ip_interface("10.1.0.1/29"),))
BOTH = replace(SMALL, gateways=(*SMALL.gateways, ipaddress.ip_interface("fd00::1/64")))
ANY = Attachment("bridge")

instances = st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True)


@given(instances, instances)
def test_names_fit_the_kernel_and_differ_between_instances(one: str, other: str) -> None:
    layouts = [Layout.of(name, BridgeSettings()) for name in (one, other)]
    for layout in layouts:
        assert 0 < len(layout.bridge.encode()) <= 15
        assert len(layout.link(RunId(f"{ONE}.1"), "eth0")) == 15
    if one != other:
        first, second = layouts
        assert first.bridge != second.bridge
        assert first.bridge_mac != second.bridge_mac
        assert first.link(RunId("a.1"), "eth0") != second.link(RunId("a.1"), "eth0")


@given(st.binary(min_size=4, max_size=4))
def test_a_mac_follows_from_the_address_and_is_a_stations_own(raw: bytes) -> None:
    mac = mac_of(ipaddress.IPv4Address(raw))
    first = mac_bytes(mac)[0]
    assert (first & 1, first & 2) == (0, 2)
    assert mac_bytes(mac)[2:] == raw
    assert mac_text(mac_bytes(mac)) == mac


@pytest.mark.parametrize(
    "wrong",
    [
        {"bridge_subnet": ""},
        {"bridge_subnet": "10.1.0.1/24"},
        {"bridge_subnet": "10.1.0.0/31"},
        {"bridge_subnet": "127.0.0.0/8"},
        {"bridge_subnet": "fd00::/64"},
        {"bridge_subnet_ipv6": "10.1.0.0/24"},
        {"bridge_subnet_ipv6": "fe80::/64"},
        {"bridge_gateway": "10.1.0.1"},
        {"bridge_subnet": "10.1.0.0/24", "bridge_gateway": "10.1.0.255"},
        {"bridge_gateway_ipv6": "fd00::1"},
        {"bridge_name": "x" * 16},
        {"bridge_name": "a/b"},
        {"bridge_mtu": 100},
    ],
)
def test_settings_that_make_no_bridge_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BridgeSettings.model_validate(wrong)


def test_a_gateway_that_was_named_is_the_hosts() -> None:
    settings = BridgeSettings(
        bridge_subnet="10.1.0.0/24",
        bridge_gateway="10.1.0.254",
        bridge_subnet_ipv6="fd00::/64",
    )
    layout = Layout.of("one", settings)
    assert [str(gateway) for gateway in layout.gateways] == ["10.1.0.254/24", "fd00::1/64"]


@given(st.integers(1, 40))
def test_a_pool_gives_what_was_longest_unused(rounds: int) -> None:
    pool = Pool(SMALL.gateways[0])
    given_ = [str(pool.next(lambda _: True)) for _ in range(rounds)]
    assert given_ == [f"10.1.0.{2 + number % 5}" for number in range(rounds)]


def test_a_pool_that_is_full_gives_nothing_until_one_is_free() -> None:
    pool = Pool(SMALL.gateways[0])
    assert pool.next(lambda _: False) is None
    assert str(pool.next(lambda address: str(address) == "10.1.0.4")) == "10.1.0.4"


def test_an_address_is_taken_from_its_reservation_to_the_end_of_its_record() -> None:
    holdings = Holdings()
    addresses = Addresses(SMALL, holdings)
    asked = Attachment("bridge", ("10.1.0.3",), "02:00:00:00:00:09")
    addresses.reserve(ONE, asked)
    row = Resource(Kind.ADDRESS, "10.1.0.3", 1)
    holdings.note(ONE, (), (row,))
    addresses.settle(["10.1.0.3", "02:00:00:00:00:09"])
    with pytest.raises(errors.AddressInUse) as refused:
        addresses.reserve(OTHER, asked)
    assert refused.value.facts == {"address": "10.1.0.3", "holder": ONE}
    holdings.note(ONE, (row,), ())
    addresses.reserve(OTHER, asked)


def test_a_reservation_that_fails_takes_nothing() -> None:
    addresses = Addresses(SMALL, Holdings())
    addresses.reserve(ONE, Attachment("bridge", (), "02:00:00:00:00:09"))
    with pytest.raises(errors.AddressInUse):
        addresses.reserve(OTHER, Attachment("bridge", ("10.1.0.3",), "02:00:00:00:00:09"))
    addresses.reserve(OTHER, Attachment("bridge", ("10.1.0.3",)))


def test_a_full_subnet_is_told_and_each_of_its_addresses_was_given_once() -> None:
    addresses = Addresses(BOTH, Holdings())
    chosen = [addresses.reserve(ONE, ANY)[0] for _ in range(5)]
    assert len({str(each) for one in chosen for each in one}) == 10
    with pytest.raises(errors.AddressesExhausted):
        addresses.reserve(ONE, ANY)


@pytest.mark.parametrize("text", ["10.1.0.0", "10.1.0.1", "10.1.0.7", "10.1.0.8", "fd00::1"])
def test_an_address_that_is_no_containers_is_refused(text: str) -> None:
    found = Addresses(BOTH, Holdings()).violations(Attachment("bridge", (text,)))
    assert [violation.field for violation in found] == ["addresses[0]"]
