"""What is asked of a network: which wishes make sense, and which a network has to declare."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model import cni_rules
from moored.model.network import Attachment, Bandwidth, Dns
from moored.network.cni import configuration, wishes
from moored.network.cni.wishes import Port, Wish
from tests.cni.scripted import conflist

ALL = Wish(
    addresses=("10.9.0.9",),
    mac="02:00:00:00:00:09",
    ports=(Port(8080, 80, "tcp"),),
    bandwidth=Bandwidth(egress_rate=1, egress_burst=1),
    aliases=("db",),
    dns=Dns(servers=("10.9.0.53",)),
)


def declaring(*capabilities: str) -> configuration.NetworkList:
    document = conflist("blue", "one", "two")
    for number, capability in enumerate(capabilities):
        document["plugins"][number % 2].setdefault("capabilities", {})[capability] = True
    return configuration.from_document(document)


def test_what_a_network_does_not_declare_is_refused_by_its_field() -> None:
    found = wishes.refusals(ALL, declaring())
    fields = ["addresses", "mac_address", "ports", "bandwidth", "aliases"]
    assert [v.field for v in found] == fields
    assert "network 'blue' declares no capability 'ips'" in found[0].why


def test_what_any_of_its_plugins_declares_a_network_can_do() -> None:
    declared = declaring("ips", "mac", "portMappings", "bandwidth", "aliases")
    assert wishes.refusals(ALL, declared) == []


def test_a_wish_for_nothing_asks_for_no_capability() -> None:
    assert wishes.capability_arguments(Wish(dns=Dns())) == {}
    assert wishes.argument_text({}) == ""


def test_plugins_are_told_in_the_words_of_the_conventions() -> None:
    assert wishes.capability_arguments(ALL) == {
        "ips": ["10.9.0.9"],
        "mac": "02:00:00:00:00:09",
        "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
        "bandwidth": {"egressRate": 1, "egressBurst": 1},
        "aliases": ["db"],
        "dns": {"servers": ["10.9.0.53"]},
    }


BAD: list[tuple[str, dict[str, Any]]] = [
    ("bandwidth.ingress_rate", {"bandwidth": Bandwidth(ingress_rate=1)}),
    ("bandwidth.egress_rate", {"bandwidth": Bandwidth(egress_burst=1)}),
    ("bandwidth.egress_burst", {"bandwidth": Bandwidth(egress_rate=1, egress_burst=2**60)}),
    ("aliases[1]", {"aliases": ("db", "a b")}),
    ("aliases", {"aliases": ("a",) * 65}),
    ("cni_args['']", {"arguments": {"": "x"}}),
    ("cni_args['A=B']", {"arguments": {"A=B": "x"}}),
    ("cni_args['A']", {"arguments": {"A": "x;B=y"}}),
    ("cni_args['A']", {"arguments": {"A": "x\0"}}),
    ("cni_args['A']", {"arguments": {"A": "x" * 5000}}),
    ("cni_args", {"arguments": {f"k{n}": "" for n in range(65)}}),
]


@pytest.mark.parametrize(("field", "wish"), BAD, ids=range(len(BAD)))
def test_each_bad_wish_is_named_by_its_field(field: str, wish: dict[str, Any]) -> None:
    found = list(cni_rules.violations(Attachment(**{"name": "blue", **wish})))
    assert [violation.field for violation in found] == [field]


def test_a_good_wish_has_no_violation() -> None:
    asked = Attachment(
        name="blue",
        bandwidth=Bandwidth(1, 1, 2, 2),
        aliases=("db", "db.blue_1.test"),
        arguments={"K8S_POD.NAME": "a=b, c"},
    )
    assert list(cni_rules.violations(asked)) == []


@given(st.dictionaries(st.text(), st.text()))
def test_arguments_that_are_let_through_can_be_told_apart_again(arguments: dict[str, str]) -> None:
    if any(cni_rules.violations(Attachment(name="blue", arguments=arguments))):
        return
    told = wishes.argument_text(arguments)
    pairs = dict(pair.split("=", 1) for pair in told.split(";")) if told else {}
    assert pairs == ({"IgnoreUnknown": "1", **arguments} if arguments else {})
