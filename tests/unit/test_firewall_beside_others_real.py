"""Others' rules: found and let be, but for two tagged accepts where they drop; ours come back.

Outside of our table and those two, the rules of the host are the same before, during and after.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.identity import RunId
from moored.model.ports import PortMapping
from moored.network import firewall_table
from moored.network.firewall import Member
from moored.network.firewall_table import BridgeFacts
from tests.real.machines import heard_by_tcp
from tests.real.town import BRIDGE, HOST, NEIGHBOUR, ONE, OTHER, TABLE, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.network.firewall import Firewall
    from moored.network.passage import Mode

pytestmark = pytest.mark.real

RUN, OTHER_RUN = RunId("1.1"), RunId("2.1")
WEB = PortMapping(80, 8080)
LIKE_DOCKER = """
    iptables -P FORWARD DROP
    iptables -N DOCKER-USER
    iptables -A FORWARD -j DOCKER-USER
    iptables -A FORWARD -i docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables -A DOCKER-USER -j RETURN
"""
SAVE_AND_RESTORE = "iptables-save | iptables-restore"
LIKE_UFW = "iptables -P FORWARD DROP"
LIKE_OLD = "iptables-legacy -P FORWARD DROP"
NATIVE_POLICY = (
    "nft 'table inet site { chain fw { type filter hook forward priority 10; policy drop; }; }'"
)
NATIVE_TAIL = """
    nft 'add table inet site'
    nft 'add chain inet site fw { type filter hook forward priority 10; }'
    nft 'add rule inet site fw ct state vmap { established : accept }'
    nft 'add rule inet site fw counter reject with icmpx admin-prohibited'
"""
BLOCKERS = {
    LIKE_DOCKER: "ip filter FORWARD",
    LIKE_UFW: "ip filter FORWARD",
    LIKE_OLD: "ip filter FORWARD (iptables-legacy)",
    NATIVE_POLICY: "inet site fw",
    NATIVE_TAIL: "inet site fw",
}
NAMES = ["docker", "ufw", "legacy", "native policy", "native tail"]


@pytest.fixture
def town() -> Iterator[Town]:
    with Town() as built:
        yield built


@pytest.fixture
def firewall(town: Town) -> Iterator[Firewall]:
    built, kernel = town.firewall()
    yield built
    kernel.close()


@pytest.fixture
def owning(town: Town) -> Iterator[Firewall]:
    """A firewall that may not touch what is not its own."""
    built, kernel = town.firewall("own")
    yield built
    kernel.close()


def join(town: Town, firewall: Firewall, run: RunId = RUN, at: str = ONE) -> None:
    ports = [WEB] if run == RUN else []
    town.host.run(lambda: firewall.join(run, [at], ports))


def leave(town: Town, firewall: Firewall, run: RunId = RUN) -> None:
    assert town.host.run(lambda: firewall.leave(run))


def flows(town: Town) -> bool:
    """Whether a container gets out, and a neighbour in."""
    with town.neighbour.socket(socket.SOCK_STREAM, NEIGHBOUR, 99) as outside:
        out = heard_by_tcp(town.one, (NEIGHBOUR, 99), outside) == HOST
    with town.one.socket(socket.SOCK_STREAM, "0.0.0.0", 80) as inside:
        return out and heard_by_tcp(town.neighbour, (HOST, 8080), inside) == NEIGHBOUR


def all_rules(town: Town) -> str:
    old = town.host.command("iptables-legacy-save", "-t", "filter")
    return town.host.rules() + "\n".join(
        x for x in old.splitlines() if not x.startswith(("#", ":"))
    )


def others(rules: str) -> str:
    """Return ``rules`` without what is ours."""
    ours = re.compile(rf"^table inet {TABLE} {{.*?^}}\n", re.MULTILINE | re.DOTALL)
    kept = [line for line in ours.sub("", rules).splitlines() if TABLE not in line]
    return "\n".join(kept)


@pytest.mark.parametrize("theirs", BLOCKERS, ids=NAMES)
def test_cooperating_lets_traffic_flow_and_puts_all_back(
    town: Town, firewall: Firewall, theirs: str
) -> None:
    town.host.command("sh", "-c", theirs)
    before = all_rules(town)
    join(town, firewall)
    join(town, firewall, OTHER_RUN, OTHER)
    assert flows(town)
    assert others(all_rules(town)) == others(before)
    assert all_rules(town).count(f'"{TABLE}"') + all_rules(town).count(f"--comment {TABLE}") == 2
    leave(town, firewall, OTHER_RUN)
    assert flows(town)
    leave(town, firewall)
    assert all_rules(town) == before


def test_the_table_of_another_instance_is_in_nobodys_way_and_left_as_it_is(
    town: Town, firewall: Firewall, owning: Firewall
) -> None:
    neighbour = BridgeFacts("elsewhere0", ("10.99.0.0/24",))
    town.host.nft(firewall_table.table("moored-elsewhere", neighbour, ()))
    before = all_rules(town)
    for each in (firewall, owning):
        join(town, each)
        assert flows(town)
        assert others(all_rules(town)) == others(before)
        leave(town, each)
    assert all_rules(town) == before


@pytest.mark.parametrize("theirs", BLOCKERS, ids=NAMES)
def test_owning_refuses_by_the_chains_name_and_leaves_no_trace(
    town: Town, owning: Firewall, theirs: str
) -> None:
    town.host.command("sh", "-c", theirs)
    before = all_rules(town)
    with pytest.raises(errors.ForwardingBlocked, match=BRIDGE) as refused:
        join(town, owning)
    assert refused.value.facts == {"chain": BLOCKERS[theirs]}
    leave(town, owning)
    assert all_rules(town) == before


def test_owning_is_content_where_the_hosts_owner_lets_the_bridge_through(
    town: Town, owning: Firewall
) -> None:
    town.host.command("sh", "-c", LIKE_UFW)
    for direction in ("-i", "-o"):
        town.host.command("iptables", "-A", "FORWARD", direction, BRIDGE, "-j", "ACCEPT")
    before = all_rules(town)
    join(town, owning)
    assert flows(town)
    leave(town, owning)
    assert all_rules(town) == before


@pytest.mark.parametrize("mode", ["cooperate", "own"])
def test_a_plain_host_gets_no_rule_outside_our_table(town: Town, mode: Mode) -> None:
    firewall, kernel = town.firewall(mode)
    town.host.nft(
        "add table ip theirs; add chain ip theirs in { type filter hook input priority 0; }"
    )
    before = town.host.rules()
    join(town, firewall)
    assert flows(town)
    assert others(town.host.rules()) == before.rstrip("\n")
    leave(town, firewall)
    assert town.host.rules() == before
    kernel.close()


def test_docker_gets_our_rules_where_it_wants_them(town: Town, firewall: Firewall) -> None:
    town.host.command("sh", "-c", LIKE_DOCKER)
    join(town, firewall)
    chain = town.host.nft("list", "chain", "ip", "filter", "DOCKER-USER")
    assert chain.count(f'comment "{TABLE}"') == 2
    assert TABLE not in town.host.nft("list", "chain", "ip", "filter", "FORWARD")


def test_our_rules_are_found_again_after_somebody_saved_and_restored_all(
    town: Town, firewall: Firewall
) -> None:
    town.host.command("sh", "-c", LIKE_DOCKER)
    town.host.command("sh", "-c", SAVE_AND_RESTORE)
    before = others(town.host.rules())
    join(town, firewall)
    town.host.command("sh", "-c", SAVE_AND_RESTORE)
    assert flows(town)
    leave(town, firewall)
    assert others(town.host.rules()) == before


def test_a_flush_is_noticed_and_all_is_there_again(town: Town, firewall: Firewall) -> None:
    join(town, firewall)
    before = town.host.rules()
    town.host.nft("flush", "ruleset")
    assert not flows(town)
    town.host.run(firewall.mend)
    assert town.host.rules() == before
    assert flows(town)


@pytest.mark.parametrize(
    "deed",
    [
        f"flush table inet {TABLE}",
        f"delete table inet {TABLE}",
        f"flush chain inet {TABLE} published",
        f"flush map inet {TABLE} ports4_all",
    ],
)
def test_what_somebody_did_to_our_table_is_undone(
    town: Town, firewall: Firewall, deed: str
) -> None:
    join(town, firewall)
    before = town.host.rules()
    town.host.nft(deed)
    assert town.host.rules() != before
    town.host.run(firewall.mend)
    assert town.host.rules() == before


def test_the_next_to_join_or_leave_mends_too(town: Town, firewall: Firewall) -> None:
    join(town, firewall)
    before = town.host.rules()
    town.host.nft("flush", "ruleset")
    join(town, firewall, OTHER_RUN, OTHER)
    assert town.host.rules() == before
    town.host.nft("flush", "ruleset")
    leave(town, firewall, OTHER_RUN)
    assert town.host.rules() == before


def test_a_wall_that_is_built_later_is_noticed(town: Town, firewall: Firewall) -> None:
    join(town, firewall)
    town.host.command("sh", "-c", LIKE_DOCKER)
    assert not flows(town)
    town.host.run(firewall.mend)
    assert flows(town)


def test_forwarding_that_somebody_turned_off_is_turned_on_again(
    town: Town, firewall: Firewall
) -> None:
    join(town, firewall)
    town.host.sysctl("ipv4/ip_forward", "0")
    town.host.run(lambda: firewall.mend(thoroughly=True))
    assert flows(town)


def test_what_we_do_ourselves_is_no_change_by_others(town: Town) -> None:
    firewall, kernel = town.firewall()
    join(town, firewall)
    leave(town, firewall)
    join(town, firewall)
    assert not kernel.changes()
    town.host.nft("add", "table", "ip", "theirs")
    assert kernel.changes().foreign
    assert not kernel.changes()
    kernel.close()


def test_the_next_process_begins_with_what_runs(town: Town) -> None:
    """Rules of runs that are no more go; those of one that goes on stay, and its traffic flows."""
    town.host.command("sh", "-c", LIKE_DOCKER)
    before = town.host.rules()
    first, kernel = town.firewall()
    join(town, first)
    with_one = town.host.rules()
    town.host.run(lambda: first.join(OTHER_RUN, [OTHER], [PortMapping(80, 8081)]))
    kernel.close()
    second, kernel = town.firewall()
    town.host.run(lambda: second.restore({RUN: Member((ONE,), (WEB,))}))
    assert town.host.rules() == with_one
    assert flows(town)
    kernel.close()
    third, kernel = town.firewall()
    town.host.run(lambda: third.restore({}))
    assert town.host.rules() == before
    kernel.close()
