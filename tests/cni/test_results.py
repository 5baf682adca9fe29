"""What plugins answer: each version's form is read, and no nonsense gets any further."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model.network import Dns
from moored.network.cni import results
from moored.network.cni.results import BadAnswer
from tests.cni.test_configuration import JSON

DUAL: dict[str, Any] = {
    "interfaces": [
        {"name": "cni0", "mac": "02:00:00:00:00:01"},
        {"name": "veth1", "mac": "02:00:00:00:00:02"},
        {"name": "eth0", "mac": "02:00:00:00:00:03", "sandbox": "/run/netns/x"},
    ],
    "ips": [
        {"version": "4", "interface": 2, "address": "10.1.0.5/16", "gateway": "10.1.0.1"},
        {"version": "6", "interface": 2, "address": "2001:db8::5/64", "gateway": "2001:db8::1"},
        {"version": "4", "interface": 0, "address": "10.1.0.1/16"},
    ],
    "routes": [{"dst": "0.0.0.0/0"}],
    "dns": {"nameservers": ["10.1.0.1"], "domain": "a.test", "options": ["ndots:2"]},
}
KEYS = ("cniVersion", "interfaces", "ips", "dns", "address", "gateway", "interface", "name", "mac")


def answer(version: str = "1.0.0", /, **document: Any) -> bytes:
    return json.dumps({"cniVersion": version, **document}).encode()


def read(text: bytes, version: str = "1.0.0") -> results.Result:
    return results.result(text, version=version, interface="eth0")


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_a_result_of_any_version_tells_of_the_containers_interface(version: str) -> None:
    found = read(answer(version, **DUAL), version)
    assert found.mac == "02:00:00:00:00:03"
    assert found.addresses == ("10.1.0.5/16", "2001:db8::5/64")
    assert found.gateways == ("10.1.0.1", "2001:db8::1")
    assert found.dns == Dns(("10.1.0.1",), ("a.test",), ("ndots:2",))


def test_addresses_of_no_interface_are_the_containers() -> None:
    found = read(answer(ips=[{"address": "10.1.0.5/16"}]))
    assert (found.mac, found.addresses, found.gateways) == ("", ("10.1.0.5/16",), ())


def test_without_one_of_its_name_the_interface_inside_is_the_containers() -> None:
    interfaces = [{"name": "x", "mac": "aa"}, {"name": "y", "mac": "bb", "sandbox": "/n"}]
    found = read(answer(interfaces=interfaces, ips=[{"address": "10.1.0.5/16", "interface": 1}]))
    assert (found.mac, found.addresses) == ("bb", ("10.1.0.5/16",))


def test_a_network_without_addresses_is_a_network() -> None:
    assert read(answer()).addresses == ()


NONSENSE: list[tuple[bytes, str]] = [
    (b"", "did not answer in JSON"),
    (b"{", "did not answer in JSON"),
    (b"[1]", "did not answer with a JSON object"),
    (answer("0.4.0"), r"answered in CNI version '0\.4\.0', asked in '1\.0\.0'"),
    (b"{}", r"answered in CNI version None, asked in '1\.0\.0'"),
    (answer(interfaces={}), 'no list of JSON objects as "interfaces"'),
    (answer(ips=[1]), 'no list of JSON objects as "ips"'),
    (answer(ips=[{"address": "10.1.0.5"}]), r"'10\.1\.0\.5' as an address with its prefix"),
    (answer(ips=[{}]), "'' as an address with its prefix"),
    (answer(ips=[{"address": "10.1.0.5/16", "gateway": "x"}]), "'x' as a gateway"),
    (answer(ips=[{"address": "10.1.0.5/16", "interface": 3}]), "interface 3 of 0"),
    (answer(ips=[{"address": "10.1.0.5/16", "interface": True}]), "interface True of 0"),
    (answer(dns=[]), 'no JSON object as "dns"'),
    (answer(dns={"nameservers": ["x"]}), "'x' as a name server"),
    (answer(dns={"search": ["a\nnameserver 6.6.6.6"]}), '"search"'),
    (answer(dns={"options": "ndots:1"}), 'no list as "options"'),
]


@pytest.mark.parametrize(("text", "why"), NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_refused_by_what_is_wrong_with_it(text: bytes, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read(text)


@given(st.binary() | st.dictionaries(st.sampled_from(KEYS), JSON).map(json.dumps).map(str.encode))
def test_any_answer_is_a_result_or_is_refused(text: bytes) -> None:
    for reader in (read, results.supported, results.complaint):
        with contextlib.suppress(BadAnswer):
            reader(text)


@given(
    st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6)),
    st.text(st.characters(categories=["L", "N"]), min_size=1),
)
def test_what_is_read_is_what_was_given(addresses: list[Any], word: str) -> None:
    ips = [{"address": f"{address}/{address.max_prefixlen}"} for address in addresses]
    found = read(answer(ips=ips, dns={"search": [word]}))
    assert [ipaddress.ip_interface(text).ip for text in found.addresses] == addresses
    assert found.dns.searches == (word,)


@given(st.integers(), st.text(), st.text())
def test_a_complaint_keeps_its_code_and_can_be_sent_on(code: int, text: str, more: str) -> None:
    found = results.complaint(json.dumps({"code": code, "msg": text, "details": more}).encode())
    assert found is not None
    assert found.code == code
    for told in (found.message, found.details):
        assert told.encode().decode() == told


def test_half_a_character_in_a_complaint_can_be_sent_on() -> None:
    found = results.complaint(b'{"code": 7, "msg": "\\ud800"}')
    assert found is not None
    assert found.message == "?"
