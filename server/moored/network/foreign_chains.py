"""Chains of others through which forwarded packets have to pass, and what ours meet there.

Pure: works on what nftables lists. An accept in a table of our own is worth nothing while
another table drops: that takes a rule where the drop is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moored.model.ports import Family

Thing = dict[str, Any]
"""One thing of a listing, under its kind."""
_BOTH_FAMILIES: Final = "inet"
_FOR_USERS: Final = "DOCKER-USER"
"""Where Docker wants others' rules to be: it looks there first, and never clears it."""
_REFUSALS: Final = frozenset({"drop", "reject"})
_WITHOUT_EFFECT: Final = frozenset({"counter", "log"})
_DIRECTIONS: Final = ("iifname", "oifname")


@dataclass(frozen=True, order=True)
class Chain:
    family: str
    """In nftables' words: ip, ip6, inet."""
    table: str
    name: str

    @classmethod
    def of(cls, thing: Mapping[str, Any], name: str) -> Chain:
        return cls(thing["family"], thing["table"], name)

    @property
    def home(self) -> str:
        return f"{self.family} {self.table}"

    def __str__(self) -> str:
        return f"{self.home} {self.name}"


def forwarding_chains(
    chains: Iterable[Thing], families: Iterable[Family], *, ours: str
) -> list[Chain]:
    """Return the base chains of others that see forwarded packets, from ``list chains``."""
    seen_by_us = {_BOTH_FAMILIES, *families}
    return [
        Chain.of(chain, chain["name"])
        for chain in _kinds(chains, "chain")
        if chain.get("hook") == "forward"
        if chain["family"] in seen_by_us and chain["table"] != ours
    ]


def refusing(chain: Chain, table: Iterable[Thing]) -> bool:
    """Whether ``chain`` drops what no rule of it accepts, from a listing of its table."""
    table = list(table)
    policies = [c.get("policy") for c in _kinds(table, "chain") if c["name"] == chain.name]
    rules = _rules_of(chain, table)
    return "drop" in policies or bool(rules and _refuses_all(rules[-1]))


def entry(chain: Chain, table: Iterable[Thing]) -> Chain:
    """Return where a rule of ours goes, so that ``chain`` meets it first."""
    jumps = (
        expression["jump"]["target"]
        for rule in _rules_of(chain, list(table))
        for expression in rule["expr"]
        if "jump" in expression
    )
    return Chain(chain.family, chain.table, _FOR_USERS) if _FOR_USERS in jumps else chain


def speaks_of(interface: str, table: Iterable[Thing]) -> bool:
    """Whether a rule of the table lets through, or sends on, what comes from ``interface``."""
    return any(
        _matches(rule, "iifname", interface) and not _REFUSALS & _verdicts(rule)
        for rule in _kinds(table, "rule")
    )


def accepts(chain: Chain, interface: str, tag: str) -> str:
    """Return the commands that add the two rules of ours."""
    return "".join(
        f'insert rule {chain} {direction} "{interface}" accept comment "{tag}"\n'
        for direction in _DIRECTIONS
    )


def tagged(table: Iterable[Thing], interface: str, tag: str) -> Iterator[tuple[Chain, int]]:
    """Yield where each rule of ours is, and its handle.

    A rule that somebody saved and restored by iptables has our tag in a form that nftables does
    not list: its shape and the name of our bridge tell it.
    """
    for rule in _kinds(table, "rule"):
        if _is_ours(rule, interface, tag):
            yield Chain.of(rule, rule["chain"]), rule["handle"]


def removal(chain: Chain, handle: int) -> str:
    return f"delete rule {chain} handle {handle}\n"


def _is_ours(rule: Thing, interface: str, tag: str) -> bool:
    if not any(_matches(rule, direction, interface) for direction in _DIRECTIONS):
        return False
    if rule.get("comment") == tag:
        return True
    kinds = sorted(kind for expression in rule["expr"] for kind in expression)
    commented = {"xt": {"type": "match", "name": "comment"}} in rule["expr"]
    return commented and kinds == ["accept", "counter", "match", "xt"]


def _kinds(things: Iterable[Thing], kind: str) -> Iterator[Thing]:
    return (thing[kind] for thing in things if kind in thing)


def _rules_of(chain: Chain, table: list[Thing]) -> list[Thing]:
    return [rule for rule in _kinds(table, "rule") if rule["chain"] == chain.name]


def _refuses_all(rule: Thing) -> bool:
    kinds = {kind for expression in rule["expr"] for kind in expression}
    return bool(kinds & _REFUSALS) and kinds <= _REFUSALS | _WITHOUT_EFFECT


def _verdicts(rule: Thing) -> set[str]:
    return {kind for expression in rule["expr"] for kind in expression}


def _matches(rule: Thing, key: str, interface: str) -> bool:
    wanted = {"op": "==", "left": {"meta": {"key": key}}, "right": interface}
    return any(expression.get("match") == wanted for expression in rule["expr"])
