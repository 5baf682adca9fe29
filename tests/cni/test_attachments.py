"""ADD, CHECK and DEL: which plugin is called when, with what, and what a failure leaves."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from moored.model.network import Bandwidth
from moored.network.cni import configuration
from moored.network.cni.plugins import PluginFailed
from moored.network.cni.wishes import Port
from tests.cni.conftest import ETH0, ETH1, RUN
from tests.cni.scripted import VERSIONS, conflist
from tests.outside import processes
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from tests.cni.conftest import Bench

CHAIN = conflist("blue", "one", "two", "three")


async def test_plugins_add_in_order_and_delete_in_reverse(bench: Bench) -> None:
    result = await bench.add(CHAIN)
    assert await bench.attachments.delete(ETH0)
    assert bench.plugin.story == [
        "ADD one", "ADD two", "ADD three", "DEL three", "DEL two", "DEL one",
    ]  # fmt: skip
    assert (result.addresses, result.gateways) == (("10.9.0.2/24",), ("10.9.0.1",))
    assert (result.mac, result.dns.servers) == ("02:00:00:00:00:01", ("10.9.0.53",))
    assert bench.left == []


async def test_each_plugin_is_given_the_result_of_the_one_before(bench: Bench) -> None:
    await bench.add(CHAIN)
    await bench.attachments.check(ETH0)
    await bench.attachments.delete(ETH0)
    passed = [call.document.get("prevResult", {}).get("passed") for call in bench.plugin.calls]
    all_three = ["one", "two", "three"]
    assert passed == [None, ["one"], ["one", "two"], *[all_three] * 6]


async def test_a_plugin_is_told_who_where_and_by_which_name(bench: Bench) -> None:
    await bench.add(conflist("blue", "one"), arguments={"K8S": "no"})
    await bench.attachments.delete(ETH0)
    for call in bench.plugin.calls:
        assert call.variables == {
            "CNI_COMMAND": call.command,
            "CNI_CONTAINERID": RUN,
            "CNI_NETNS": f"/names/{RUN}",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": "IgnoreUnknown=1;K8S=no",
            "CNI_PATH": f"{bench.plugin.home}/nowhere:{bench.plugin.programs}",
        }
        assert (call.document["name"], call.document["cniVersion"]) == ("blue", "1.0.0")
        assert "MOORED_SECRET" not in call.environment
        assert call.session == call.pid


async def test_a_plugin_is_told_what_it_declares_a_capability_for_and_no_more(
    bench: Bench,
) -> None:
    document = conflist("blue", "one", "two")
    document["plugins"][0]["capabilities"] = {"ips": True, "mac": True, "portMappings": False}
    document["plugins"][1]["capabilities"] = {"portMappings": True, "bandwidth": True}
    await bench.add(
        document,
        addresses=("10.9.0.9",),
        mac="02:00:00:00:00:09",
        ports=(Port(8080, 80, "tcp", "127.0.0.1"), Port(53, 53, "udp")),
        bandwidth=Bandwidth(ingress_rate=8000, ingress_burst=9000),
        aliases=("db",),
    )
    await bench.attachments.delete(ETH0)
    first, second = bench.plugin.calls[:2]
    assert first.document["runtimeConfig"] == {"ips": ["10.9.0.9"], "mac": "02:00:00:00:00:09"}
    assert second.document["runtimeConfig"] == {
        "portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"},
            {"hostPort": 53, "containerPort": 53, "protocol": "udp"},
        ],
        "bandwidth": {"ingressRate": 8000, "ingressBurst": 9000},
    }
    assert all("capabilities" not in call.document for call in bench.plugin.calls)
    assert bench.plugin.calls[-1].document["runtimeConfig"] == first.document["runtimeConfig"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_version_is_spoken_throughout(bench: Bench, version: str) -> None:
    await bench.add(conflist("blue", "one", "two", version=version))
    checked = await bench.attachments.check(ETH0)
    await bench.attachments.delete(ETH0)
    assert {call.document["cniVersion"] for call in bench.plugin.calls} == {version}
    # Before 0.4.0 there is no CHECK, and DEL is not told what ADD said.
    assert checked is (version >= "0.4.0")
    assert ("prevResult" in bench.plugin.calls[-1].document) is (version >= "0.4.0")


async def test_of_several_versions_the_newest_that_all_plugins_speak_is_spoken(
    bench: Bench,
) -> None:
    bench.plugin.order("two", "VERSION", ["0.3.1", "0.4.0", "1.0.0"])
    document = conflist("blue", "one", "two", cniVersions=["0.4.0", "1.0.0", "1.1.0"])
    await bench.add(document)
    await bench.add(document, ETH1)
    assert {call.document["cniVersion"] for call in bench.plugin.calls} == {"1.0.0"}
    assert bench.plugin.story.count("VERSION two") == 1


async def test_no_version_in_common_is_said_before_anything_is_done(bench: Bench) -> None:
    bench.plugin.order("two", "VERSION", ["0.2.0"])
    with pytest.raises(PluginFailed, match=r"share none of 1\.0\.0, 1\.1\.0"):
        await bench.add(conflist("blue", "one", "two", cniVersions=["1.0.0", "1.1.0"]))
    assert bench.left == []


async def test_a_check_that_is_disabled_is_not_made(bench: Bench) -> None:
    await bench.add(conflist("blue", "one", disableCheck=True))
    assert await bench.attachments.check(ETH0) is False
    assert bench.plugin.story == ["ADD one"]


async def test_a_check_that_fails_says_what_the_plugin_says(bench: Bench) -> None:
    await bench.add(CHAIN)
    bench.plugin.order("two", "CHECK", "fail")
    with pytest.raises(PluginFailed, match="plugin 'two' failed CHECK with code 7: no such luck"):
        await bench.attachments.check(ETH0)


FAILURES: list[tuple[str, str]] = [
    ("fail", "plugin 'two' failed ADD with code 7: no such luck: the stars are wrong"),
    ("later", "plugin 'two' failed ADD with code 11: try again later"),
    ("crash", "plugin 'two' failed ADD with signal 11: panic: all is lost"),
    ("babble", "plugin 'two' did not answer in JSON: Expecting value"),
    ("lie", "plugin 'two' answered in CNI version '0.4.0', asked in '1.0.0'"),
    ("huge", "plugin 'two' wrote more than 1048576 bytes"),
]


@pytest.mark.parametrize(("order", "message"), FAILURES, ids=[order for order, _ in FAILURES])
async def test_what_a_plugin_does_wrong_is_said_and_undone(
    bench: Bench, order: str, message: str
) -> None:
    bench.plugin.order("two", "ADD", order)
    with pytest.raises(PluginFailed) as raised:
        await bench.add(CHAIN)
    assert str(raised.value).startswith(message)
    await bench.attachments.delete(ETH0)
    assert bench.plugin.story == ["ADD one", "ADD two", "DEL three", "DEL two", "DEL one"]
    assert bench.left == []


async def test_after_a_failure_delete_is_told_what_was_known_until_then(bench: Bench) -> None:
    bench.plugin.order("three", "ADD", "fail")
    with pytest.raises(PluginFailed):
        await bench.add(CHAIN)
    await bench.attachments.delete(ETH0)
    told = [call.document["prevResult"]["passed"] for call in bench.plugin.calls[-3:]]
    assert told == [["one", "two"]] * 3


async def test_a_plugin_that_is_missing_is_named_with_where_it_was_looked_for(
    bench: Bench,
) -> None:
    with pytest.raises(PluginFailed, match=f"'four' is in none of .*, {bench.plugin.programs}"):
        await bench.add(conflist("blue", "one", "four"))
    with pytest.raises(PluginFailed, match="'four' is in none of"):
        await bench.attachments.delete(ETH0)
    assert bench.plugin.world == []


async def test_a_plugin_that_hangs_is_ended_at_its_deadline_with_its_children(
    bench: Bench,
) -> None:
    bench.plugin.order("two", "ADD", "hang")
    with pytest.raises(PluginFailed, match="plugin 'two' did not end ADD in"):
        await bench.with_limits(2.0).add(CHAIN)
    pids = bench.plugin.hanging()
    assert len(pids) == 2
    assert not any(processes.is_alive(pid) for pid in pids)
    await bench.attachments.delete(ETH0)
    assert bench.left == []


async def test_a_cancel_ends_the_plugin_before_it_is_raised(bench: Bench) -> None:
    bench.plugin.order("two", "ADD", "hang")
    task = asyncio.ensure_future(bench.add(CHAIN))
    await eventually(lambda: bool(bench.plugin.hanging()), "the plugin hangs")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(processes.is_alive(pid) for pid in bench.plugin.hanging())
    await bench.attachments.delete(ETH0)
    assert bench.left == []


async def test_who_a_plugin_leaves_behind_on_purpose_is_not_waited_for(bench: Bench) -> None:
    bench.plugin.order("one", "ADD", "leave a child")
    await bench.add(conflist("blue", "one"))
    (child,) = [pid for pid in processes.naming("1000") if _is_orphan_of(pid, bench)]
    assert processes.is_alive(child)
    processes.end(child)


def _is_orphan_of(pid: int, bench: Bench) -> bool:
    with open(f"/proc/{pid}/environ", "rb") as environment:
        return str(bench.plugin.programs).encode() in environment.read()


async def test_one_plugin_that_fails_to_delete_keeps_none_from_it(bench: Bench) -> None:
    await bench.add(CHAIN)
    bench.plugin.order("two", "DEL", "fail")
    with pytest.raises(PluginFailed, match="'two' failed DEL with code 7"):
        await bench.attachments.delete(ETH0)
    assert bench.plugin.world == [f"two,{RUN},eth0"]
    bench.plugin.obey()
    assert await bench.attachments.delete(ETH0)
    assert bench.left == []


async def test_one_that_hangs_at_delete_leaves_the_others_their_time(bench: Bench) -> None:
    await bench.add(CHAIN)
    bench.plugin.order("three", "DEL", "hang")
    with pytest.raises(PluginFailed, match="'three' did not end DEL in"):
        await bench.with_limits(4.0).attachments.delete(ETH0)
    assert bench.plugin.world == [f"three,{RUN},eth0"]
    bench.plugin.obey()
    assert await bench.attachments.delete(ETH0)
    assert bench.left == []


async def test_a_second_delete_finds_nothing_and_calls_nobody(bench: Bench) -> None:
    await bench.add(conflist("blue", "one"))
    assert await bench.attachments.delete(ETH0) is True
    assert await bench.attachments.delete(ETH0) is False
    assert bench.plugin.story == ["ADD one", "DEL one"]


async def test_a_namespace_keeps_its_name_until_the_last_network_is_left(bench: Bench) -> None:
    await bench.add(conflist("blue", "one"), ETH0)
    await bench.add(conflist("red", "two"), ETH1)
    await bench.attachments.delete(ETH1)
    assert bench.pins.held == {RUN: "/proc/1/fd/9"}
    await bench.attachments.delete(ETH0)
    assert bench.left == []


async def test_delete_needs_neither_the_configuration_nor_the_namespace(bench: Bench) -> None:
    """As after a host was started anew: what plugins keep in files is still to be freed."""
    await bench.add(conflist("blue", "one", secret_of_the_plugin=1))
    bench.pins.held.clear()
    await bench.attachments.delete(ETH0)
    assert "CNI_NETNS" not in bench.plugin.calls[-1].variables
    assert bench.left == []


async def test_a_record_that_cannot_be_read_is_kept_and_named(bench: Bench) -> None:
    await bench.add(conflist("blue", "one"))
    (file,) = (bench.plugin.home / "cache").glob("*/*.json")
    file.write_text(json.dumps({"form": 99}))
    with pytest.raises(Exception, match=r"cannot read .*eth0\.json"):
        await bench.attachments.delete(ETH0)
    assert file.exists()


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
async def test_status_and_gc_are_for_those_who_speak_the_version_that_has_them(
    bench: Bench, version: str
) -> None:
    document: dict[str, Any] = conflist("blue", "one", version=version)
    await bench.add(document)
    network = configuration.from_document(document)
    await bench.upkeep.status(network)
    await bench.upkeep.collect(network)
    upkeep = bench.plugin.calls[1:]
    assert [c.command for c in upkeep] == (["STATUS", "GC"] if version == "1.1.0" else [])
    for call in upkeep[1:]:
        known = call.document["cni.dev/valid-attachments"]
        assert known == [{"containerID": RUN, "ifname": "eth0"}]


async def test_gc_that_is_disabled_is_not_made(bench: Bench) -> None:
    document = conflist("blue", "one", version="1.1.0", disableGC=True)
    assert await bench.upkeep.collect(configuration.from_document(document)) == []
    assert bench.plugin.story == []
