"""Names: a container knows itself, the hosts it was told of, and resolvers that it can reach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moored.model.network import Attached, Attachment, Dns
from moored.network import resolvers
from moored.network.naming import Naming, full_name
from tests.unit.samples import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.state import Snapshot

IPV4 = Attached("bridge", "eth0", ("10.1.0.2/24",), ("10.1.0.1",), "02:00:0a:01:00:02")
BOTH = replace(IPV4, addresses=("10.1.0.2/24", "fd00::2/64"), gateways=("10.1.0.1", "fd00::1"))


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "hosts").write_text("10.0.0.1 gateway\n")
    (tmp_path / "resolv.conf").symlink_to("resolved")
    (tmp_path / "resolved").write_text("nameserver 10.0.0.2\nsearch a.example\n")
    return tmp_path


@pytest.fixture
def naming(etc: Path) -> Naming:
    return Naming(etc, etc / "upstream")


def _of(network: str, attached: tuple[Attached, ...] = (), **fields: Any) -> Snapshot:
    before = snapshot()
    spec = replace(before.spec, **{"hostname": "web", **fields})
    return replace(before, spec=spec, network=network, networks=attached)


def test_a_container_alone_knows_itself_and_the_loopback(naming: Naming) -> None:
    files = naming.files(_of("none"), "web")
    assert "127.0.0.1\tlocalhost\n" in files["hosts"]
    assert files["hosts"].endswith("127.0.0.1\tweb\n")
    assert files["hostname"] == "web\n"
    assert files["resolv.conf"] == ""


@pytest.mark.parametrize(
    ("hostname", "domain", "names"),
    [
        ("web", "", "web"),
        ("web.example", "", "web.example web"),
        ("web", "example.org", "web.example.org web"),
        ("web", "example.org.", "web.example.org web"),
    ],
)
def test_the_longest_name_comes_first(hostname: str, domain: str, names: str) -> None:
    assert full_name(hostname, domain) == names


def test_on_the_hosts_network_the_hosts_files_are_copied(naming: Naming) -> None:
    files = naming.files(_of("host", hostname=""), "the-host")
    assert files["hosts"] == "10.0.0.1 gateway\n"
    assert files["hostname"] == "the-host\n"
    assert files["resolv.conf"] == "nameserver 10.0.0.2\nsearch a.example\n"


def test_a_host_without_such_a_file_gives_an_empty_one(tmp_path: Path) -> None:
    files = Naming(tmp_path / "nowhere").files(_of("host", hostname=""), "h")
    assert files["hosts"] == files["resolv.conf"] == ""


def test_its_own_addresses_are_known_once_they_are(naming: Naming) -> None:
    of = _of("bridge", (BOTH,), extra_hosts=("db:10.9.9.9", "up:host-gateway"))
    assert naming.hosts(of, "web", (BOTH,)).splitlines()[-5:] == [
        "10.1.0.2\tweb",
        "fd00::2\tweb",
        "10.9.9.9\tdb",
        "10.1.0.1\tup",
        "fd00::1\tup",
    ]


def test_extra_hosts_follow_those_of_the_host(naming: Naming) -> None:
    hosts = naming.hosts(_of("host", hostname="", extra_hosts=("six:fd00::9",)), "h", ())
    assert hosts == "10.0.0.1 gateway\nfd00::9\tsix\n"


@pytest.mark.parametrize(
    ("host", "networks", "given"),
    [
        ("nameserver 10.0.0.2\n", (IPV4,), "nameserver 10.0.0.2\n"),
        ("nameserver 127.0.0.1\nnameserver 10.0.0.2\n", (IPV4,), "nameserver 10.0.0.2\n"),
        ("nameserver 127.0.0.1\n", (IPV4,), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
        ("nameserver fd00::53\nnameserver 10.0.0.2\n", (IPV4,), "nameserver 10.0.0.2\n"),
        ("nameserver fd00::53\n", (BOTH,), "nameserver fd00::53\n"),
        ("nameserver fe80::1%eth0\nnameserver 1.1.1.1\n", (BOTH,), "nameserver 1.1.1.1\n"),
        ("", (IPV4,), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
    ],
)
def test_resolvers_that_cannot_be_reached_are_replaced(
    etc: Path, naming: Naming, host: str, networks: tuple[Attached, ...], given: str
) -> None:
    (etc / "resolved").write_text(host)
    assert naming.files(_of("bridge", networks), "web")["resolv.conf"] == given


def test_of_a_local_resolver_the_container_asks_whom_that_one_asks(
    etc: Path, naming: Naming
) -> None:
    (etc / "resolved").write_text("nameserver 127.0.0.53\noptions edns0\n")
    (etc / "upstream").write_text("nameserver 10.7.7.7\nsearch lan\n")
    assert naming.files(_of("bridge", (IPV4,)), "web")["resolv.conf"] == (
        "nameserver 10.7.7.7\nsearch lan\n"
    )


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_what_was_asked_for_takes_the_hosts_place_part_by_part(
    naming: Naming, network: str
) -> None:
    asked = Dns(servers=("127.0.0.1",), options=("ndots:2",))
    text = naming.files(_of(network, (IPV4,), hostname="", dns=asked), "web")["resolv.conf"]
    assert text == "nameserver 127.0.0.1\nsearch a.example\noptions ndots:2\n"


def test_a_dot_alone_searches_nowhere(naming: Naming) -> None:
    text = naming.files(_of("bridge", (IPV4,), dns=Dns(searches=(".",))), "web")["resolv.conf"]
    assert text == "nameserver 10.0.0.2\n"


def test_a_container_alone_gets_only_what_it_asked_for(naming: Naming) -> None:
    files = naming.files(_of("none", dns=Dns(servers=("10.3.3.3",))), "web")
    assert files["resolv.conf"] == "nameserver 10.3.3.3\n"


def test_several_networks_are_all_known(naming: Naming) -> None:
    asked = (Attachment("bridge"), Attachment("lan"))
    second = Attached("lan", "eth1", ("192.168.7.2/24",))
    hosts = naming.hosts(_of("bridge", networks=asked), "web", (IPV4, second))
    assert hosts.endswith("10.1.0.2\tweb\n192.168.7.2\tweb\n")


def test_comments_and_unknown_words_of_a_resolv_conf_are_passed_over() -> None:
    text = "# nameserver 9.9.9.9\n; x\ndomain a\nsearch b c\nnameserver 1.1.1.1 # x\nsortlist y\n"
    assert resolvers.read(text) == Dns(("1.1.1.1",), ("b", "c"), ())
