"""Whether this host can give a container a user namespace. Only asked for one that wants it.

What cannot change while containerd goes on is found out once: whether the kernel mounts its layers
by other ids, and whether it keeps bundles where only root gets to.
"""

from __future__ import annotations

import os
import stat
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored.errors import Violation
from moored.model import id_maps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.containerd.places import Places
    from moored.model.spec import Spec
    from moored.storage.mounting import Kernel

_MOST: Final = Path("/proc/sys/user/max_user_namespaces")


class IdSupport:
    def __init__(self, kernel: Kernel, places: Places, instance: str) -> None:
        self._kernel = kernel
        self._places = places
        self._bundles = places.state / "io.containerd.runtime.v2.task" / instance

    def problems(self, spec: Spec) -> Iterator[Violation]:
        """Yield why ``spec`` cannot have its user namespace on this host. Blocks."""
        if id_maps.asks(spec) and (why := _off() or self._barred() or self._unmappable):
            yield Violation("user_namespace", f"cannot be had on this host: {why}")

    def _barred(self) -> str:
        """Return which directory keeps the container's root from its own bundle."""
        for place in reversed((self._bundles, *self._bundles.parents)):
            try:
                mode = place.stat().st_mode
            except FileNotFoundError:  # containerd has yet to make it
                return ""
            if not mode & stat.S_IXOTH:
                return (
                    f"containerd keeps bundles in {str(place)!r}, where others than root cannot go"
                )
        return ""

    @cached_property
    def _unmappable(self) -> str:
        return self._kernel.unmappable(str(self._places.root))


def _off() -> str:
    if not os.path.exists("/proc/self/ns/user"):
        return "this kernel has no user namespaces"
    if _MOST.exists() and not int(_MOST.read_text()):
        return f"{_MOST} is 0"
    return ""
