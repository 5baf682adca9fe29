"""The rules of a spec: each violation names its field, and a good spec has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model.identity import is_id, is_name, parse_run_id, run_id
from moored.model.network import Attachment, Dns
from moored.model.rules import violations
from moored.model.spec import Spec

GOOD = Spec(
    image="busybox",
    name="web-1",
    command=("sh",),
    args=("-c", ""),
    env=("A=1", "B="),
    working_dir="/srv",
    user="1000:1000",
    labels={"team": "a"},
    hostname="web.example",
    domain_name="example.org",
    networks=(
        Attachment("bridge", ("10.0.0.2", "fd00::2"), "02:00:00:00:00:02"),
        Attachment("lan"),
    ),
    dns=Dns(("1.1.1.1", "fd00::53"), ("example.org", "_tcp.example"), ("ndots:2", "edns0")),
    extra_hosts=("db:10.0.0.9", "six:fd00::9", "host.moorage.internal:host-gateway"),
    stop_timeout=timedelta(seconds=3),
)

BAD: list[tuple[str, dict[str, Any]]] = [
    ("image", {"image": ""}),
    ("name", {"name": "a" * 32}),
    ("name", {"name": "-web"}),
    ("name", {"name": "a/b"}),
    ("name", {"name": "ü"}),
    ("name", {"name": "a" * 129}),
    ("name", {"name": "a\n"}),
    ("command[0]", {"command": ("",)}),
    ("command[1]", {"command": ("sh", "a\0b")}),
    ("args[0]", {"args": ("x" * 131072,)}),
    ("args", {"args": ("x" * 100_000,) * 11}),
    ("env[0]", {"env": ("A",)}),
    ("env[0]", {"env": ("=x",)}),
    ("env[1]", {"env": ("A=1", "A=2")}),
    ("env[0]", {"env": ("A=\0",)}),
    ("working_dir", {"working_dir": "srv"}),
    ("working_dir", {"working_dir": "/a/../b"}),
    ("working_dir", {"working_dir": "/" + "a" * 5000}),
    ("user", {"user": "a b"}),
    ("user", {"user": "1:"}),
    ("user", {"user": ":1"}),
    ("user", {"user": "a:b:c"}),
    ("user", {"user": "../x"}),
    ("user", {"user": "-1"}),
    ("user", {"user": "4294967295"}),
    ("user", {"user": "١"}),
    ("labels['moorage.x']", {"labels": {"moorage.x": ""}}),
    ("labels['']", {"labels": {"": "x"}}),
    ("labels['k']", {"labels": {"k": "v" * 5000}}),
    ("labels", {"labels": {f"k{n}": "" for n in range(257)}}),
    ("hostname", {"hostname": "a_b"}),
    ("hostname", {"hostname": "a" * 64}),
    ("hostname", {"hostname": "h", "network": "host"}),
    ("hostname", {"hostname": "h", "network": "container:web"}),
    ("domain_name", {"domain_name": "a b"}),
    ("domain_name", {"domain_name": "a", "hostname": "", "network": "host"}),
    ("network", {"network": "a b"}),
    ("network", {"network": "container:", "hostname": ""}),
    ("network", {"network": "bridge", "networks": (Attachment("lan"),)}),
    ("networks", {"networks": tuple(Attachment(f"n{n}") for n in range(17))}),
    ("networks[1].name", {"networks": (Attachment("lan"), Attachment("lan"))}),
    ("networks[0].name", {"networks": (Attachment("host"),)}),
    ("networks[0].name", {"networks": (Attachment("container:web"),)}),
    ("networks[0].name", {"networks": (Attachment(""),)}),
    ("networks[0].addresses[0]", {"networks": (Attachment("lan", ("10.0.0.300",)),)}),
    ("networks[0].addresses[0]", {"networks": (Attachment("lan", ("127.0.0.1",)),)}),
    ("networks[0].addresses[0]", {"networks": (Attachment("lan", ("10.0.0.2/24",)),)}),
    ("networks[0].addresses[1]", {"networks": (Attachment("lan", ("10.0.0.2", "10.0.0.3")),)}),
    ("networks[0].mac_address", {"networks": (Attachment("lan", (), "02:00"),)}),
    ("networks[0].mac_address", {"networks": (Attachment("lan", (), "01:00:00:00:00:01"),)}),
    ("networks[0].mac_address", {"networks": (Attachment("lan", (), "00:00:00:00:00:00"),)}),
    ("dns.servers[1]", {"dns": Dns(servers=("1.1.1.1", "ns.example"))}),
    ("dns.servers", {"dns": Dns(servers=("1.1.1.1",) * 4)}),
    ("dns.searches[0]", {"dns": Dns(searches=("a b",))}),
    ("dns.searches[1]", {"dns": Dns(searches=("a", "."))}),
    ("dns.options[0]", {"dns": Dns(options=("ndots 2",))}),
    ("dns", {"dns": Dns(("1.1.1.1",)), "hostname": "", "network": "container:web"}),
    ("extra_hosts", {"extra_hosts": ("a:10.0.0.1",), "hostname": "", "network": "container:w"}),
    ("extra_hosts[0]", {"extra_hosts": ("a",)}),
    ("extra_hosts[0]", {"extra_hosts": ("a:b",)}),
    ("extra_hosts[0]", {"extra_hosts": ("a\nb:10.0.0.1",)}),
    ("extra_hosts[0]", {"extra_hosts": ("a:host-gateway",), "network": "none"}),
    ("stop_timeout", {"stop_timeout": timedelta(days=2)}),
]


def _without_network(change: dict[str, Any]) -> dict[str, Any]:
    """Let a change of one part of the network stand alone."""
    if "network" not in change or "networks" in change:
        return change
    bare = {"networks": (), "dns": Dns(), "extra_hosts": (), "domain_name": ""}
    return {**bare, **change}


def test_a_good_spec_has_no_violation() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(("field", "change"), BAD, ids=[f"{f}-{n}" for n, (f, _) in enumerate(BAD)])
def test_each_bad_value_is_named_by_its_field(field: str, change: dict[str, Any]) -> None:
    spec = replace(GOOD, **_without_network(change))
    assert [violation.field for violation in violations(spec)] == [field]


@given(st.text())
def test_a_name_is_safe_in_a_path_and_is_no_id(text: str) -> None:
    if is_name(text):
        assert "/" not in text
        assert text not in (".", "..")
        assert not is_id(text)


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32), st.integers(1, 10**9))
def test_the_name_of_a_run_says_whose_it_is(container: Any, run: int) -> None:
    name = run_id(container, run)
    assert parse_run_id(name) == (container, run)
    assert len(name) <= 76
