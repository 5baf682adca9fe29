"""Which mounts make sense anywhere. Where a source may be is the policy's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.errors import Violation
from moored.model.identity import is_volume_name
from moored.model.mounts import Mount, MountType, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MOUNTS: Final = 128
LONGEST_PATH: Final = 4096
"""Bytes, with the NUL that Linux adds."""
LARGEST_SIZE: Final = 2**53
LARGEST_MODE: Final = 0o7777
NAME: Final = 'must be a letter or digit, then up to 127 letters, digits, "_", "." or "-"'
_TAKEN: Final = ("/proc", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue")
"""Every container has a mount of its own here, which nothing may cover or be in."""


def violations(mounts: tuple[Mount, ...]) -> Iterator[Violation]:
    if len(mounts) > MOST_MOUNTS:
        yield Violation("mounts", f"are more than {MOST_MOUNTS}")
        return
    seen: dict[str, int] = {}
    for number, mount in enumerate(mounts):
        field = f"mounts[{number}]"
        if why := source_fault(mount):
            yield Violation(f"{field}.source", why)
        if why := destination_fault(mount.destination):
            yield Violation(f"{field}.destination", why)
        elif (first := seen.setdefault(plain(mount.destination), number)) != number:
            yield Violation(f"{field}.destination", f"is that of mounts[{first}]")
        yield from _options(field, mount)


def source_fault(mount: Mount) -> str:
    match mount.type:
        case MountType.BIND:
            return _path_fault(mount.source)
        case MountType.VOLUME:
            return "" if not mount.source or is_volume_name(mount.source) else NAME
        case MountType.TMPFS:
            return "does not go with TMPFS" if mount.source else ""


def destination_fault(path: str) -> str:
    """Return why nothing can be mounted there, or an empty text."""
    if why := _path_fault(path):
        return why
    where = plain(path)
    if where in ("/", "/dev"):
        return f"cannot be {where}"
    for taken in _TAKEN:
        if where == taken or where.startswith(f"{taken}/"):
            return f"cannot be at or below {taken}"
    return ""


def _path_fault(path: str) -> str:
    if not path:
        return "is required"
    if "\0" in path or len(path.encode()) >= LONGEST_PATH:
        return f"must be shorter than {LONGEST_PATH} bytes, without NUL"
    if not path.startswith("/"):
        return "must be an absolute path"
    return 'must not contain ".."' if ".." in path.split("/") else ""


def _options(field: str, mount: Mount) -> Iterator[Violation]:
    if not 0 <= mount.size <= LARGEST_SIZE:
        yield Violation(f"{field}.tmpfs.size", f"must be between 0 and {LARGEST_SIZE} bytes")
    if mount.mode is not None and mount.mode > LARGEST_MODE:
        yield Violation(f"{field}.tmpfs.mode", "must be a file mode, up to 07777")
