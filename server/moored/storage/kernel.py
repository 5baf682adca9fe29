"""System calls that Python has no function for yet. Each raises OSError as those that it has do.

Their numbers are the same on every architecture: calls this new have one table.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from typing import Final

_OPEN_TREE: Final = 428
_MOVE_MOUNT: Final = 429
_FSOPEN: Final = 430
_FSCONFIG: Final = 431
_FSMOUNT: Final = 432
_OPENAT2: Final = 437
_MOUNT_SETATTR: Final = 442
_CLOSE_ON_EXEC: Final = 1
_SET_FLAG: Final = 0
_SET_STRING: Final = 1
_CREATE: Final = 6
_READ_ONLY_AND_HARMLESS: Final = 0x1 | 0x2 | 0x4 | 0x8
"""Nothing can be written, no setuid counts, no device opens, nothing executes."""
_OWN_DIRECTORY: Final = 0x200
NO_XDEV: Final = 0x01
NO_MAGIC_LINKS: Final = 0x02
NO_SYMLINKS: Final = 0x04
BENEATH: Final = 0x08
IN_ROOT: Final = 0x10
"""How ``open_path`` resolves a path: no step into another mount, through a link of /proc's, through
any link, above where it begins; and as if it began at the root."""
_WORKING_DIRECTORY: Final = -100
_NO_REPLACE: Final = 1
_CLONE_TREE: Final = 0x1
_OF_DESCRIPTOR: Final = 0x1000
"""AT_EMPTY_PATH."""
_FROM_DESCRIPTOR: Final = 0x4
_BY_IDS: Final = 0x00100000
"""MOUNT_ATTR_IDMAP."""
_PRIVATE: Final = 1 << 18
_ATTRIBUTES: Final = struct.Struct("=QQQQ")
_HOW: Final = struct.Struct("=QQQ")

_libc: Final = ctypes.CDLL(None, use_errno=True)


def open_filesystem(kind: str) -> int:
    """Return the descriptor of a filesystem that is still to be configured: fsopen(2)."""
    return _call(_FSOPEN, kind.encode(), _CLOSE_ON_EXEC)


def configure(filesystem: int, key: str, value: str | None = None) -> None:
    """Set an option of it; one without a value is a flag. A value has at most 255 bytes."""
    if value is None:
        _call(_FSCONFIG, filesystem, _SET_FLAG, key.encode(), None, 0)
    else:
        _call(_FSCONFIG, filesystem, _SET_STRING, key.encode(), os.fsencode(value), 0)


def mount_nowhere(filesystem: int) -> int:
    """Return the root of a mount that is on no path, read-only, and gone with its descriptor."""
    _call(_FSCONFIG, filesystem, _CREATE, None, None, 0)
    return _call(_FSMOUNT, filesystem, _CLOSE_ON_EXEC, _READ_ONLY_AND_HARMLESS)


def open_inside(root: int, path: str, flags: int) -> int:
    """Open ``path`` as a process would whose root directory is ``root``: no link leads out."""
    return open_path(path, flags, IN_ROOT | NO_MAGIC_LINKS, within=root)


def open_path(path: str, flags: int, resolve: int, *, within: int = _WORKING_DIRECTORY) -> int:
    """Open ``path``, which counts from the directory ``within``: openat2(2)."""
    how = _HOW.pack(flags | os.O_CLOEXEC, 0, resolve)
    return _call(_OPENAT2, within, os.fsencode(path), how, len(how))


def release() -> tuple[int, int]:
    """Return the first two numbers of the kernel's version."""
    major, minor = re.findall(r"[0-9]+", os.uname().release)[:2]
    return int(major), int(minor)


def mount_identity(descriptor: int) -> int:
    """Return the number of the mount that an open file is in."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as about:
        for line in about:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    raise OSError(f"the kernel does not tell the mount of descriptor {descriptor}")


def clone_mapped(source: str, namespace: int) -> int:
    """Return a mount on no path that shows ``source`` by the ids of a user namespace.

    Raises OSError with EINVAL where the file system cannot be shown so.
    """
    tree = _call(_OPEN_TREE, _WORKING_DIRECTORY, os.fsencode(source), _CLONE_TREE | os.O_CLOEXEC)
    try:
        wanted = _ATTRIBUTES.pack(_BY_IDS, 0, _PRIVATE, namespace)
        _call(_MOUNT_SETATTR, tree, b"", _OF_DESCRIPTOR, wanted, len(wanted))
    except BaseException:
        os.close(tree)
        raise
    return tree


def attach(tree: int, place: str) -> None:
    """Put a mount that is on no path at ``place``."""
    _call(_MOVE_MOUNT, tree, b"", _WORKING_DIRECTORY, os.fsencode(place), _FROM_DESCRIPTOR)


def move_unless_there(name: str, source: int, target: int) -> bool:
    """Move an entry from a directory to another. False: there is one of that name already."""
    called = os.fsencode(name)
    if _libc.renameat2(source, called, target, called, _NO_REPLACE) == 0:
        return True
    refusal = _refusal()
    if isinstance(refusal, FileExistsError):
        return False
    raise refusal


def leave_shared_directory() -> None:
    """Give this thread a working directory of its own, for as long as it lives."""
    if _libc.unshare(_OWN_DIRECTORY) != 0:
        raise _refusal()


def _call(number: int, *arguments: int | bytes | None) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        raise _refusal()
    return result


def _refusal() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
