"""The mounts of a runtime spec, beside those of every container: what each is to the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.model.mounts import Mount, MountType, Placed, Propagation, depth
from moored.oci import defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moored.oci.defaults import Json

_USUAL_MODE: Final = 0o1777


@dataclass(frozen=True)
class Sourced:
    """A mount, and the path on the host that it shows."""

    placed: Placed
    source: str


def ordered(files: Mapping[str, str], mounts: Iterable[Sourced]) -> list[Json]:
    """Return the mounts of files of ours, and all others, each after what it may lie in.

    A mount that was asked for at the place of such a file takes it.
    """
    mounts = tuple(mounts)
    taken = {one.placed.destination for one in mounts}
    ours = {destination: path for destination, path in files.items() if destination not in taken}
    whole = [*defaults.binds(ours), *map(_mount, mounts)]
    return sorted(whole, key=lambda mount: depth(mount["destination"]))


def propagation(mounts: Iterable[Sourced]) -> str:
    """Return how the container's root has to stand to the host's mounts, or an empty text."""
    wanted = {one.placed.mount.propagation for one in mounts}
    if Propagation.SHARED in wanted:
        return "rshared"
    return "rslave" if Propagation.SLAVE in wanted else ""


def options(mount: Mount) -> list[str]:
    if mount.type is MountType.TMPFS:
        return _of_tmpfs(mount)
    whole = mount.type is MountType.BIND and mount.recursive
    told = ["rbind" if whole else "bind", f"r{mount.propagation}"]
    if mount.read_only:
        # A runtime that does not know the second at least does the first, and is found out.
        told += ["ro", "rro"] if whole else ["ro"]
    return told


def _of_tmpfs(mount: Mount) -> list[str]:
    mode = _USUAL_MODE if mount.mode is None else mount.mode
    told = ["nosuid", "nodev", *(() if mount.executable else ("noexec",)), f"mode={mode:o}"]
    if mount.size:
        told.append(f"size={mount.size}")
    return [*told, "ro"] if mount.read_only else told


def _mount(one: Sourced) -> Json:
    kind = "tmpfs" if one.placed.mount.type is MountType.TMPFS else "bind"
    return {
        "destination": one.placed.destination,
        "type": kind,
        "source": one.source,
        "options": options(one.placed.mount),
    }
