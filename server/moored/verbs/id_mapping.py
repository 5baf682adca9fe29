"""What a run in a user namespace of its own is shown: its layers and volumes by its own ids.

Laws: what is mounted is on record before; it is taken away as soon as the task has it. A bind
mount stays as the host has it. A container without such a namespace has no part in any of this.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.errors import Violation
from moored.model import id_maps
from moored.model.identity import RunId, run_id
from moored.model.mounts import MountType
from moored.model.resources import Kind, Resource
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moored.containerd.values import Mount
    from moored.model.id_maps import IdMaps
    from moored.model.state import Snapshot
    from moored.model.users import Identity
    from moored.oci.mounts import Sourced

_LOWER = "lowerdir="
_UPPER = "upperdir="


class IdmappedMounts(Protocol):
    def make(self, run: RunId, directories: Sequence[str], maps: IdMaps) -> list[str]: ...
    def remove(self, run: RunId) -> bool: ...


@dataclass(frozen=True)
class IdMapper:
    mounts: IdmappedMounts

    def resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return what ``map`` may acquire."""
        if not id_maps.asks(snapshot.spec):
            return ()
        return (Resource(Kind.IDMAPS, run_id(snapshot.id, run), run),)

    async def map(
        self, snapshot: Snapshot, rootfs: Sequence[Mount], sourced: Sequence[Sourced]
    ) -> tuple[list[Mount], list[Sourced]]:
        """Return the container's root and its mounts as they are by its own ids."""
        maps = id_maps.of(snapshot)
        assert maps is not None
        try:
            return await in_thread(partial(self._mapped, snapshot, maps, rootfs, sourced))
        except OSError as error:
            raise errors.MountFailed(f"cannot mount layers by other ids: {error}") from error

    async def let_go(self, snapshot: Snapshot) -> None:
        """Unmount what the task has by now."""
        try:
            await in_thread(partial(self.mounts.remove, run_id(snapshot.id, snapshot.run)))
        except OSError as error:
            raise errors.MountFailed(f"cannot unmount layers by other ids: {error}") from error

    def _mapped(
        self,
        snapshot: Snapshot,
        maps: IdMaps,
        rootfs: Sequence[Mount],
        sourced: Sequence[Sourced],
    ) -> tuple[list[Mount], list[Sourced]]:
        [overlay] = rootfs
        lower = _option(overlay, _LOWER).split(":")
        volumes = [one.source for one in sourced if _is_volume(one)]
        above = os.path.commonpath(lower)
        run = run_id(snapshot.id, snapshot.run)
        below, *places = self.mounts.make(run, [above, *volumes], maps)
        if _is_new(snapshot):
            _give(_option(overlay, _UPPER), maps)
        layers = ":".join(os.path.join(below, os.path.relpath(layer, above)) for layer in lower)
        return [_with_lower(overlay, layers)], list(_replaced(sourced, iter(places)))


def refuse_unmapped(who: Identity, maps: IdMaps | None, what: str) -> None:
    """Raise InvalidField if ``what`` would be done by somebody whom ``maps`` do not have."""
    if maps and (why := id_maps.why_not(who, maps)):
        raise errors.InvalidField(f"cannot {what}: {why}", Violation("spec.user", why))


def _option(mount: Mount, name: str) -> str:
    for option in mount.options:
        if option.startswith(name):
            return option.removeprefix(name)
    raise OSError(f"the layer is no overlay: it is mounted as {mount.type}")


def _with_lower(overlay: Mount, layers: str) -> Mount:
    options = (
        f"{_LOWER}{layers}" if option.startswith(_LOWER) else option for option in overlay.options
    )
    return replace(overlay, options=tuple(options))


def _is_new(snapshot: Snapshot) -> bool:
    """Whether nobody has written into the layer yet."""
    return any(r.kind is Kind.LAYER and r.run == snapshot.run for r in snapshot.resources)


def _give(directory: str, maps: IdMaps) -> None:
    """Let the top of a new layer belong to whom the image has it belong to, by the new ids."""
    status = os.stat(directory)
    os.chown(directory, *maps.owner(status.st_uid, status.st_gid))


def _is_volume(one: Sourced) -> bool:
    return one.placed.mount.type is MountType.VOLUME


def _replaced(sourced: Sequence[Sourced], places: Iterator[str]) -> Iterator[Sourced]:
    for one in sourced:
        yield replace(one, source=next(places)) if _is_volume(one) else one
