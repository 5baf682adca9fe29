"""Files of networks: what is understood, what is refused and why, and that nothing else happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.network.cni import configuration, versions
from moored.network.cni.catalogue import Catalogue
from moored.network.cni.configuration import ConfigurationFault, parse
from tests.cni.scripted import conflist

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
KEYS = ("name", "type", "plugins", "cniVersion", "cniVersions", "disableCheck", "capabilities")
ALMOST = st.dictionaries(
    st.sampled_from(KEYS), JSON | st.lists(st.dictionaries(st.sampled_from(KEYS), JSON)), max_size=7
)


def text(**document: Any) -> bytes:
    return json.dumps(document).encode()


def good(**more: Any) -> dict[str, Any]:
    return {**conflist("blue", "bridge", "portmap"), **more}


FAULTY: list[tuple[bytes, str]] = [
    (b"", "is not JSON"),
    (b"\xff", "is not JSON"),
    (b"[" * 100_000, "is not JSON"),
    (b" " * (configuration.LARGEST_FILE + 1), "is larger than 1048576 bytes"),
    (b"[]", "has no JSON object as the file"),
    (text(**good(name="../blue")), 'needs a "name"'),
    (text(**good(name="")), 'needs a "name"'),
    (text(**good(name="bridge")), "cannot be named 'bridge'"),
    (text(name="blue", type="bridge"), "is of CNI version none; here are 0.3.0, "),
    (text(**good(cniVersion="0.2.0")), r"is of CNI version 0\.2\.0; here are"),
    (text(**good(cniVersion="2.0.0", cniVersions=["3.0.0"])), r"version 3\.0\.0, 2\.0\.0;"),
    (text(**good(cniVersion=1)), 'a version as its "cniVersion"'),
    (text(**good(cniVersions="1.0.0")), 'a list of versions as its "cniVersions"'),
    (text(**good(plugins=[])), 'has no "plugins"'),
    (text(**good(plugins=[1])), r"no JSON object as plugins\[0\]"),
    (text(**good(plugins=[{"type": "../../bin/sh"}])), r'"type" of plugins\[0\]'),
    (text(**good(plugins=[{"type": "a"}, {}])), r'"type" of plugins\[1\]'),
    (text(**good(plugins=[{"type": "a", "capabilities": {"ips": 1}}])), "true or false for"),
    (text(**good(disableCheck="perhaps")), 'true or false as its "disableCheck"'),
]


@pytest.mark.parametrize(("file", "why"), FAULTY, ids=range(len(FAULTY)))
def test_a_file_that_is_no_network_says_why(file: bytes, why: str) -> None:
    with pytest.raises(ConfigurationFault, match=why):
        parse(file)


def test_a_list_is_read_with_all_that_its_plugins_are_to_know() -> None:
    document = good(disableCheck=True, disableGC="true")
    document["plugins"][1] = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": 1}
    network = parse(text(**document))
    assert (network.name, network.offered) == ("blue", ("1.0.0",))
    assert [plugin.type for plugin in network.plugins] == ["bridge", "portmap"]
    assert (network.disable_check, network.disable_gc) == (True, True)
    assert network.capabilities == {"portMappings"}
    assert network.plugins[1].settings["snat"] == 1


def test_a_file_of_a_single_plugin_is_a_list_of_one() -> None:
    network = parse(text(cniVersion="0.4.0", name="old", type="macvlan", master="eth0"))
    assert (network.name, [p.type for p in network.plugins]) == ("old", ["macvlan"])
    assert network.plugins[0].settings["master"] == "eth0"


@given(st.binary() | JSON.map(json.dumps).map(str.encode) | ALMOST.map(json.dumps).map(str.encode))
def test_any_file_is_a_network_or_a_fault(file: bytes) -> None:
    try:
        network = parse(file)
    except ConfigurationFault:
        return
    assert network.plugins
    assert network.offered
    assert "/" not in network.name
    assert all("/" not in plugin.type for plugin in network.plugins)


@given(
    st.lists(st.sampled_from(versions.KNOWN), min_size=1),
    st.booleans(),
    st.lists(st.dictionaries(st.text(), JSON), min_size=1, max_size=3),
)
def test_what_is_kept_of_a_network_makes_the_same_network(
    offered: list[str], disabled: bool, settings: list[dict[str, Any]]
) -> None:
    plugins = [{**own, "type": "a", "capabilities": {"ips": True}} for own in settings]
    document = {"name": "blue", "cniVersions": offered, "plugins": plugins, "disableGC": disabled}
    network = parse(json.dumps(document, allow_nan=True).encode())
    again = parse(json.dumps(network.document()).encode())
    assert json.dumps(again.document()) == json.dumps(network.document())


@given(st.lists(st.lists(st.sampled_from([*versions.KNOWN, "0.1.0", "9.0.0"])), min_size=1))
def test_the_highest_version_is_in_every_offer_and_none_above_it_is(offers: list[str]) -> None:
    found = versions.highest(*offers)
    common = [v for v in versions.KNOWN if all(v in offer for offer in offers)]
    assert found == (common[-1] if common else None)


def test_networks_are_read_from_lists_and_single_plugins(tmp_path: Path) -> None:
    (tmp_path / "10-blue.conflist").write_bytes(text(**good()))
    (tmp_path / "20-old.conf").write_bytes(text(cniVersion="0.4.0", name="old", type="ptp"))
    (tmp_path / "README").write_text("not one of them")
    networks = Catalogue(tmp_path).look()
    assert set(networks.by_name) == {"blue", "old"}
    assert networks.faults == {}


def test_a_file_that_is_none_is_named_and_takes_no_other_along(tmp_path: Path) -> None:
    (tmp_path / "10-bad.conflist").write_text("{")
    (tmp_path / "20-blue.conflist").write_bytes(text(**good()))
    (tmp_path / "30-gone.conflist").symlink_to(tmp_path / "nowhere")
    networks = Catalogue(tmp_path).look()
    assert set(networks.by_name) == {"blue"}
    assert networks.faults[f"{tmp_path}/10-bad.conflist"].startswith("is not JSON")
    assert "No such file" in networks.faults[f"{tmp_path}/30-gone.conflist"]


def test_of_two_with_one_name_the_first_file_counts_and_the_other_is_named(tmp_path: Path) -> None:
    (tmp_path / "10.conflist").write_bytes(text(**good()))
    (tmp_path / "20.conflist").write_bytes(text(**conflist("blue", "macvlan")))
    networks = Catalogue(tmp_path).look()
    assert networks.by_name["blue"].plugins[0].type == "bridge"
    assert networks.faults == {
        f"{tmp_path}/20.conflist": "is a second network 'blue', beside 10.conflist"
    }


def test_a_file_that_comes_changes_or_goes_is_seen_at_the_next_look(tmp_path: Path) -> None:
    catalogue, file = Catalogue(tmp_path / "net.d"), tmp_path / "net.d" / "10.conflist"
    assert catalogue.look().by_name == {}
    file.parent.mkdir()
    file.write_bytes(text(**good()))
    assert set(catalogue.look().by_name) == {"blue"}
    file.write_bytes(text(**conflist("green", "ptp")))
    assert set(catalogue.look().by_name) == {"green"}
    file.unlink()
    assert catalogue.look().by_name == {}


def test_a_directory_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "net.d").touch()
    networks = Catalogue(tmp_path / "net.d").look()
    assert networks.faults == {f"{tmp_path}/net.d": "cannot be read: Not a directory"}
