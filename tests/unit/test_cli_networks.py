"""What the command's options for networks say on the wire, and what people are shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from moorage.cli import network_views
from moorage.cli.network_options import network_fields
from moorage.v1 import container_pb2 as wire

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Mapping[str, Any] = {
    "network": (),
    "ip": None,
    "ip6": None,
    "mac_address": None,
    "dns": (),
    "dns_search": (),
    "dns_option": (),
    "add_host": (),
    "domainname": None,
}


def fields(**options: Any) -> wire.ContainerSpec:
    given = {**_NOTHING, **options, "beside": 1}
    spec = wire.ContainerSpec(**network_fields(given))
    assert given == {"beside": 1}
    return spec


def test_nothing_asked_for_is_nothing_said() -> None:
    assert fields() == wire.ContainerSpec()


def test_one_name_is_the_short_form() -> None:
    assert fields(network=("bridge",)) == wire.ContainerSpec(network="bridge")


def test_fixed_addresses_go_to_the_first_network() -> None:
    spec = fields(
        network=("bridge", "lan"), ip="10.0.0.2", ip6="fd00::2", mac_address="02:00:00:00:00:02"
    )
    first, second = spec.networks
    assert (first.name, list(first.addresses), first.mac_address) == (
        "bridge",
        ["10.0.0.2", "fd00::2"],
        "02:00:00:00:00:02",
    )
    assert second == wire.NetworkAttachment(name="lan")


def test_each_network_may_say_its_own() -> None:
    (asked,) = fields(network=("name=lan,ip=10.0.0.2,mac=02:00:00:00:00:02",)).networks
    assert (asked.name, list(asked.addresses)) == ("lan", ["10.0.0.2"])


def test_names_have_their_fields() -> None:
    spec = fields(
        dns=("1.1.1.1",),
        dns_search=("lan",),
        dns_option=("ndots:2",),
        add_host=("db:10.0.0.9",),
        domainname="example.org",
    )
    assert spec.dns == wire.DnsConfig(servers=["1.1.1.1"], searches=["lan"], options=["ndots:2"])
    assert (list(spec.extra_hosts), spec.domain_name) == (["db:10.0.0.9"], "example.org")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ip": "10.0.0.2"},
        {"network": ("name=lan,colour=red",)},
        {"network": ("name=lan,ip=10.0.0.2",), "ip": "10.0.0.3"},
    ],
)
def test_what_makes_no_sense_is_refused_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        fields(**wrong)


def test_interfaces_are_shown_with_what_went_through_them() -> None:
    network = wire.NetworkStatus(
        name="bridge",
        interface="eth0",
        addresses=["10.0.0.2/24"],
        gateways=["10.0.0.1"],
        mac_address="02:00:00:00:00:02",
        statistics=wire.InterfaceStatistics(
            received_bytes=2048, received_packets=3, sent_dropped=1
        ),
    )
    rows = list(
        network_views.interfaces(
            wire.ContainerStatus(networks=[network, wire.NetworkStatus(name="none")])
        )
    )
    assert rows == [
        ("eth0", "10.0.0.2/24 by 10.0.0.1, 02:00:00:00:00:02 (bridge)"),
        ("", "received 2.0 KiB in 3 packets; sent 0 B in 0 packets, 0 errors, 1 dropped"),
    ]


def test_what_was_asked_for_is_shown_a_row_each() -> None:
    spec = wire.ContainerSpec(
        networks=[wire.NetworkAttachment(name="bridge", addresses=["10.0.0.2"])],
        dns=wire.DnsConfig(servers=["1.1.1.1"]),
        extra_hosts=["db:10.0.0.9"],
        domain_name="lan",
    )
    assert list(network_views.asked(spec)) == [
        ("network", "bridge 10.0.0.2"),
        ("domain", "lan"),
        ("dns", "1.1.1.1"),
        ("extra host", "db:10.0.0.9"),
    ]
