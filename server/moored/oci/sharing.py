"""Namespaces and shared memory of the runtime spec: whose each is, where /dev/shm comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.model import sharing
from moored.oci import defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moored.model.spec import Spec
    from moored.oci.defaults import Json

SHARED_MEMORY: Final = 64 * 1024 * 1024
"""Bytes, unless the spec says otherwise."""
_PLACE: Final = "/dev/shm"  # not a file of ours: where programs look for it


def namespaces(spec: Spec, kinds: Iterable[str], joined: Mapping[str, str]) -> list[Json]:
    """Return the namespaces of ``kinds``: new ones, or those at the paths of ``joined``.

    One that is not listed is the runtime's own, which is the host's.
    """
    own = (kind for kind in kinds if getattr(spec, kind, "") != sharing.HOST)
    return [
        {"type": kind, "path": joined[kind]} if kind in joined else {"type": kind} for kind in own
    ]


def shared_memory(spec: Spec, source: str) -> Json:
    """Return the mount of /dev/shm; ``source`` is a directory of the host's, or empty."""
    if spec.ipc == sharing.HOST:
        source = _PLACE
    if source:
        return defaults.mount(_PLACE, "bind", source, "rbind", "rprivate", *defaults.SAFE)
    size = spec.shm_size or SHARED_MEMORY
    return defaults.mount(_PLACE, "tmpfs", "shm", *defaults.SAFE, "mode=1777", f"size={size}")
