"""The mounts of a process, as the kernel tells them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class MountRow:
    identity: int
    parent: int
    writable: bool
    """Through this mount; its file system may still refuse."""
    shared: bool
    """What is mounted in it shows elsewhere too."""
    follows: bool
    """What is mounted elsewhere shows in it."""


def mounts_of(process: str) -> dict[int, MountRow]:
    """Return the mounts that ``process`` sees, a pid or "self", by their numbers."""
    lines = Path(f"/proc/{process}/mountinfo").read_bytes().splitlines()
    return {row.identity: row for row in map(_row, lines)}


def tree(rows: dict[int, MountRow], top: int) -> Iterator[MountRow]:
    """Yield a mount and all that are mounted in it, however deep."""
    children: dict[int, list[int]] = {}
    for row in rows.values():
        children.setdefault(row.parent, []).append(row.identity)
    waiting = [top]
    while waiting:
        identity = waiting.pop()
        if identity in rows:
            yield rows[identity]
        waiting.extend(child for child in children.get(identity, ()) if child != identity)


def _row(line: bytes) -> MountRow:
    fields, _, _ = line.partition(b" - ")
    identity, parent, _, _, _, options, *optional = fields.split(b" ")
    return MountRow(
        int(identity),
        int(parent),
        writable=b"ro" not in options.split(b","),
        shared=any(tag.startswith(b"shared:") for tag in optional),
        follows=any(tag.startswith((b"shared:", b"master:")) for tag in optional),
    )
