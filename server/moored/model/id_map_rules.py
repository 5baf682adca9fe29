"""Which user namespaces make sense, what does not go with one, and which ids a role may give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from moored.errors import Violation
from moored.model import id_maps, users
from moored.model.id_maps import AUTO, BLOCK, HOST, PRIVATE, IdMapping, IdMaps, IdRange
from moored.model.mounts import MountType, Propagation
from moored.model.policy import Allowance, Forbidden
from moored.model.sharing import KINDS, mode, shares
from moored.model.sharing import PRIVATE as OWN
from moored.model.spec import Spec

MOST: Final = 340
"""What the kernel takes of one kind."""
_ROOM: Final = 4096
"""Bytes of a line each that it does not take at once, and it takes them at once only."""
_LIMIT: Final = 2**32 - 1
"""The number that stands for no id."""
_MODES: Final = ("", HOST, AUTO, PRIVATE)
_FIELDS: Final = ("uid_mappings", "gid_mappings")


def violations(spec: Spec) -> Iterator[Violation]:
    """Yield every field of ``spec`` that has to do with its user namespace and breaks its rule."""
    if spec.user_namespace not in _MODES:
        yield Violation("user_namespace", f"must be {', '.join(_MODES[1:])}")
    elif spec.user_namespace != PRIVATE:
        for field in _FIELDS:
            if getattr(spec, field):
                yield Violation(field, f"goes with user_namespace {PRIVATE!r} only")
    elif not spec.uid_mappings:
        yield Violation("uid_mappings", f"is required with user_namespace {PRIVATE!r}")
    broken = [found for field in _FIELDS for found in _mappings(field, getattr(spec, field))]
    yield from broken
    if id_maps.asks(spec):
        yield from _at_odds(spec)
        if not broken and (maps := _known(spec)):
            yield from _unmapped(spec, maps)


def forbidden(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    """Yield the ids that a spec gives and its role may not give."""
    ranges = [IdRange(*each) for each in allowed.ranges_of_ids]
    for field in _FIELDS:
        for number, mapping in enumerate(getattr(spec, field)):
            if not any(each.holds(mapping.range) for each in ranges):
                what = f"ids {mapping.range} of the host's"
                yield Forbidden(f"{field}[{number}].host", "id_ranges", what)


def _mappings(field: str, mappings: Sequence[IdMapping]) -> Iterator[Violation]:
    if len(mappings) > MOST:
        yield Violation(field, f"are more than {MOST}")
        return
    for number, mapping in enumerate(mappings):
        yield from _mapping(f"{field}[{number}]", mapping, mappings[:number])
    if len(id_maps.text(mappings)) >= _ROOM:
        yield Violation(field, f"are too many: written out, they take {_ROOM} bytes or more")
    if mappings and id_maps.outside(mappings, 0) is None:
        yield Violation(field, "must map id 0 inside: without it nothing can be set up")


def _mapping(path: str, mapping: IdMapping, before: Sequence[IdMapping]) -> Iterator[Violation]:
    if not mapping.size:
        yield Violation(f"{path}.size", "must be at least 1")
    for name in ("inside", "host"):
        mine = IdRange(getattr(mapping, name), mapping.size)
        if mine.end > _LIMIT:
            yield Violation(f"{path}.{name}", f"leads beyond the last id, {_LIMIT - 1}")
        for number, other in enumerate(before):
            if mine.overlaps(IdRange(getattr(other, name), other.size)):
                yield Violation(f"{path}.{name}", f"overlaps with mapping {number}")
                break
    if not mapping.host:
        yield Violation(f"{path}.host", "must not be the host's root")


def _at_odds(spec: Spec) -> Iterator[Violation]:
    """Yield what a user namespace cannot have: it would be capable of nothing there."""
    why = f"does not go with user_namespace {spec.user_namespace!r}"
    if shares(spec.network):
        yield Violation("network", f"{spec.network!r} {why}: that network is not its own")
    for kind in KINDS:
        if mode(spec, kind) not in ("", OWN):
            yield Violation(kind, f"{mode(spec, kind)!r} {why}")
    if spec.privileged:
        yield Violation("privileged", f"{why}: it would have no privilege on the host")
    if spec.domain_name:
        yield Violation("domain_name", f"{why}: only the host's own root sets it")
    for field in ("devices", "cdi_devices", "device_rules"):
        if getattr(spec, field):
            yield Violation(field, f"{why}: devices belong to the host's ids")
    for number, mount in enumerate(spec.mounts):
        path = f"mounts[{number}].bind"
        if mount.type is MountType.BIND and mount.propagation is Propagation.SHARED:
            yield Violation(f"{path}.propagation", f"shared {why}")
        if mount.type is MountType.BIND and not mount.recursive:
            yield Violation(f"{path}.non_recursive", f"{why}: what is mounted below stays in sight")


def _known(spec: Spec) -> IdMaps | None:
    """Return the maps as far as they matter inside."""
    if spec.user_namespace == AUTO:
        whole = (IdMapping(0, BLOCK, BLOCK),)
        return IdMaps(whole, whole)
    return id_maps.of_spec(spec, ()) if spec.uid_mappings else None


def _unmapped(spec: Spec, maps: IdMaps) -> Iterator[Violation]:
    """Yield the numbers that a spec names and its maps do not have."""
    user, _, group = spec.user.partition(":")
    if users.is_number(user) and id_maps.outside(maps.uids, int(user)) is None:
        yield Violation("user", f"{user!r} is not mapped in its user namespace")
    if users.is_number(group) and id_maps.outside(maps.gids, int(group)) is None:
        yield Violation("user", f"group {group!r} is not mapped in its user namespace")
    for number, name in enumerate(spec.supplementary_groups):
        if users.is_number(name) and id_maps.outside(maps.gids, int(name)) is None:
            yield Violation(
                f"supplementary_groups[{number}]", "is not mapped in its user namespace"
            )
    for field, secrets in (("secrets", spec.secrets), ("configs", spec.configs)):
        for number, secret in enumerate(secrets):
            if id_maps.outside(maps.uids, secret.uid) is None:
                yield Violation(f"{field}[{number}].uid", "is not mapped in its user namespace")
            if id_maps.outside(maps.gids, secret.gid) is None:
                yield Violation(f"{field}[{number}].gid", "is not mapped in its user namespace")
