"""The law: whoever owns a table may remove or rewrite it while we look at it, and nothing fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from moored.errors import NetworkFailed
from moored.network.firewall_table import BridgeFacts
from moored.network.passage import Passage

BRIDGE = BridgeFacts("bridge0", ("10.0.0.0/24",))
TAG = "moored-x"
GONE = "cannot change nftables: Error: No such file or directory"
CHAIN = {"family": "inet", "table": "site", "name": "fw", "hook": "forward", "policy": "drop"}


def ours(handle: int) -> dict[str, Any]:
    """A rule of ours in the chain of another."""
    match = {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": BRIDGE.interface}
    place = {"family": "inet", "table": "site", "chain": "fw"}
    expressions = [{"match": match}, {"accept": None}]
    return {"rule": {**place, "handle": handle, "comment": TAG, "expr": expressions}}


@dataclass
class Shifting:
    """Another's table that is no longer there, or no longer the same, when it is touched."""

    listed_chains: list[list[dict[str, Any]]]
    listed_rules: list[list[dict[str, Any]] | None]
    refuses: set[int] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)

    def run(self, commands: str) -> None:
        if any(f"handle {handle}\n" in commands for handle in self.refuses):
            raise NetworkFailed(GONE)
        self.removed.append(commands.strip())

    def listing(self, command: str) -> list[dict[str, Any]]:
        if command == "list chains":
            return self.listed_chains.pop(0)
        rules = self.listed_rules.pop(0)
        if rules is None:
            raise NetworkFailed(GONE)
        return [{"chain": CHAIN}, *rules]


def passage(rules: Shifting) -> Passage:
    return Passage(rules, (), BRIDGE, "cooperate", TAG)


@pytest.mark.parametrize("deed", ["open", "close"])
def test_a_table_that_goes_while_it_is_looked_at_is_in_nobodys_way(deed: str) -> None:
    rules = Shifting([[{"chain": CHAIN}], []], [None])
    getattr(passage(rules), deed)()
    assert rules.removed == []


@pytest.mark.parametrize("deed", ["open", "close"])
def test_a_table_that_is_there_and_cannot_be_read_is_told(deed: str) -> None:
    rules = Shifting([[{"chain": CHAIN}]] * 2, [None])
    with pytest.raises(NetworkFailed, match="No such file"):
        getattr(passage(rules), deed)()


def test_a_rule_of_ours_that_its_host_removes_first_is_gone_all_the_same() -> None:
    rules = Shifting([[{"chain": CHAIN}]], [[ours(7), ours(8)], [ours(8)]], refuses={7})
    passage(rules).close()
    assert rules.removed == ["delete rule inet site fw handle 8"]


def test_a_rule_of_ours_that_stays_is_told() -> None:
    rules = Shifting([[{"chain": CHAIN}]], [[ours(7)], [ours(7)]], refuses={7})
    with pytest.raises(NetworkFailed):
        passage(rules).close()
