"""The law: ids inside stand for ids of the host's that are one container's, or were given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored import errors
from moored.holdings import Holdings
from moored.model import id_map_rules, id_maps
from moored.model.id_maps import BLOCK, IdMapping, IdMaps
from moored.model.identity import ContainerId
from moored.model.policy import Allowance
from moored.model.resources import Hold, Kind, Resource, blocked
from moored.model.spec import Image, Spec
from moored.model.state import Snapshot
from moored.oci import user_namespace
from moored.verbs.id_blocks import IdBlocks

FIRST = 3 * BLOCK
AUTO = Spec(image="busybox", user_namespace="auto")
PLAIN = Spec(image="busybox")
IDS = st.integers(0, 2**32 - 1)
MAPPINGS = st.lists(st.builds(IdMapping, IDS, IDS, IDS), min_size=1, max_size=4).map(tuple)


def container(number: int, spec: Spec = AUTO) -> Snapshot:
    return Snapshot(
        id=ContainerId(f"{number:032x}"),
        spec=spec,
        image=Image("busybox", "sha256:0", "sha256:1"),
        runtime="runc",
        network="none",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def given_to(blocks: IdBlocks, holdings: Holdings, snapshot: Snapshot) -> tuple[Resource, ...]:
    """Put ids on the record of a container, as a start does."""
    with blocks.reserved(snapshot, 1) as found:
        holdings.note(snapshot.id, (), found)
    return found


def test_each_gets_a_block_until_there_is_none() -> None:
    holdings = Holdings()
    blocks = IdBlocks(f"{FIRST - 7}:{3 * BLOCK + 6}", holdings)
    found = [given_to(blocks, holdings, container(number)) for number in range(2)]
    keys = [resource.key for resources in found for resource in resources]
    assert keys == [str(FIRST), str(FIRST + BLOCK)]
    with pytest.raises(errors.IdsExhausted, match="all 2 blocks"):
        blocks.planned(container(3), 1)
    holdings.note(container(0).id, found[0], ())
    assert blocks.planned(container(3), 1)[0].key == str(FIRST)


def test_two_that_start_at_once_get_different_ones() -> None:
    blocks = IdBlocks(f"{FIRST}:{2 * BLOCK}", Holdings())
    with blocks.reserved(container(1), 1) as one, blocks.reserved(container(2), 1) as two:
        assert {one[0].key, two[0].key} == {str(FIRST), str(FIRST + BLOCK)}


def test_what_was_given_back_is_given_last() -> None:
    holdings = Holdings()
    blocks = IdBlocks(f"{FIRST}:{3 * BLOCK}", holdings)
    found = given_to(blocks, holdings, container(1))
    holdings.note(container(1).id, found, ())
    assert blocks.planned(container(2), 1)[0].key == str(FIRST + BLOCK)


def test_who_has_ids_or_wants_none_gets_no_others() -> None:
    blocks = IdBlocks(f"{FIRST}:{BLOCK}", Holdings())
    held = Resource(Kind.IDS, str(FIRST), 1, kept=True, hold=Hold.HELD)
    assert blocks.planned(replace(container(1), resources=(held,)), 2) == ()
    assert blocks.planned(container(1, PLAIN), 1) == ()


def test_without_a_range_auto_is_refused_and_ids_of_one_are_nobody_elses() -> None:
    [found] = IdBlocks("", Holdings()).violations(AUTO)
    assert found.field == "user_namespace"
    asked = (IdMapping(0, FIRST - 1, 1), IdMapping(1, FIRST - 2, 1), IdMapping(2, FIRST, 1))
    spec = replace(PLAIN, user_namespace="private", uid_mappings=asked)
    [found] = IdBlocks(f"{FIRST}:{BLOCK}", Holdings()).violations(spec)
    assert found.field == "uid_mappings[2].host"


def test_ids_that_were_given_by_other_settings_are_nobody_elses_either() -> None:
    holdings = Holdings()
    given_to(IdBlocks(f"{FIRST}:{BLOCK}", holdings), holdings, container(1))
    asked = (IdMapping(0, FIRST - 9, 9), IdMapping(9, FIRST + BLOCK - 1, 9))
    spec = replace(PLAIN, user_namespace="private", uid_mappings=asked)
    [found] = IdBlocks(f"{9 * BLOCK}:{BLOCK}", holdings).violations(spec)
    assert found.field == "uid_mappings[1].host"


def test_ids_are_not_free_while_a_layer_has_them() -> None:
    ids, layer = Resource(Kind.IDS, str(FIRST), 1), Resource(Kind.LAYER, "x", 1)
    assert blocked(ids, [layer])
    assert not blocked(ids, [])
    assert not blocked(layer, [ids])


@given(MAPPINGS)
def test_maps_without_a_fault_send_no_two_ids_to_one_and_none_to_root(
    mappings: tuple[IdMapping, ...],
) -> None:
    spec = replace(PLAIN, user_namespace="private", uid_mappings=mappings)
    if list(id_map_rules.violations(spec)):
        return
    ends = [each.inside + offset for each in mappings for offset in (0, each.size - 1)]
    found = {inside: id_maps.outside(mappings, inside) for inside in {*ends, 0}}
    assert None not in found.values()
    assert 0 not in found.values()
    assert len(set(found.values())) == len(found)
    assert max(each.range.end for each in mappings) <= 2**32 - 1


@given(MAPPINGS, MAPPINGS)
def test_every_id_that_is_given_lies_in_a_range_of_the_policys(
    uids: tuple[IdMapping, ...], gids: tuple[IdMapping, ...]
) -> None:
    spec = replace(PLAIN, user_namespace="private", uid_mappings=uids, gid_mappings=gids)
    allowed = Allowance(id_ranges=(f"1:{2**31}",))
    refused = {found.field for found in id_map_rules.forbidden(spec, allowed)}
    for field, mappings in (("uid_mappings", uids), ("gid_mappings", gids)):
        for number, each in enumerate(mappings):
            within = each.host > 0 and each.range.end <= 2**31 + 1
            assert (f"{field}[{number}].host" in refused) is not within


@pytest.mark.parametrize("text", ["", "1", "0:5", "1:0", "4294967295:1", "1:4294967295", "a:b"])
def test_a_policy_with_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Allowance(id_ranges=(text,))


def test_terminals_and_pings_are_for_groups_that_are_mapped() -> None:
    few = IdMaps((IdMapping(0, 9, 1),), (IdMapping(0, 9, 3), IdMapping(7, 20, 9)))
    pts = {"destination": "/dev/pts", "options": ["gid=5", "mode=0620"]}
    other = {"destination": "/x", "options": ["gid=5"]}
    assert user_namespace.mounts([pts, other], few) == [pts | {"options": ["mode=0620"]}, other]
    ping = {"net.ipv4.ping_group_range": "0 2147483647", "net.x": "1"}
    assert user_namespace.sysctls(ping, PLAIN, few) == {**ping, "net.ipv4.ping_group_range": "0 2"}
    asked = replace(PLAIN, sysctls={"net.ipv4.ping_group_range": "0 1"})
    assert user_namespace.sysctls(asked.sysctls, asked, few) == asked.sysctls
