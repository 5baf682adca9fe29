"""What lies in moored's root and state, and should not while no container is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_QUIET: Final = frozenset(
    {
        "root/ledger.db",
        "root/ledger.db-wal",
        "root/ledger.db-shm",
        "root/lock",
        "root/secrets.key",
        "root/containerd-address",
        "state/moored.sock",
        "state/lock",
    }
)
"""What a daemon has that has nothing to do."""
_EMPTY: Final = frozenset(
    {
        *("root", "root/output", "root/cni", "root/volumes", "root/trash"),
        *(
            "state",
            "state/runs",
            "state/shm",
            "state/secrets",
            "state/idmaps",
            "state/cni",
            "state/streams",
        ),
    }
)
"""Directories that it may keep."""
_EMBEDDED: Final = "containerd"
"""An embedded containerd's own root and state: others look there."""


def unexpected(directory: Path, instances: Iterable[str]) -> frozenset[str]:
    """Return what is below the root and state of each instance and should not be."""
    return frozenset(
        str(path)
        for instance in instances
        for path in _below(directory / instance)
        if (name := str(path.relative_to(directory / instance))) not in _QUIET
        and not (name in _EMPTY and path.is_dir())
    )


def _below(home: Path) -> Iterator[Path]:
    for top in ("root", "state"):
        for place, directories, names in os.walk(home / top):
            if _EMBEDDED in directories:
                directories.remove(_EMBEDDED)
            yield from (Path(place, name) for name in (*directories, *names))
