"""User namespaces that only say which ids stand for which, held by descriptor.

A thread cannot leave its process's user namespace, so each is made by a child. It shares our
memory and runs a function of the C library's that returns at once, no line of Python: it costs no
copy of anything, and ends by itself, whatever becomes of us. The kernel tells of its namespace, and
lets the maps be written, as long as nobody has waited for it.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from moored.model import id_maps
from moored.model.id_maps import IdMapping, IdMaps
from moored.storage import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CLONE_VM: Final = 0x100
_CLONE_NEWUSER: Final = 0x10000000
_WAIT_ALL: Final = 0x40000000
"""__WALL: it tells nobody of its end by a signal."""
_STACK: Final = 64 * 1024
"""Bytes."""
_LAYERS_SINCE: Final = (5, 19)
_SOME: Final = (IdMapping(0, 1, 1),)
_ANY: Final = IdMaps(_SOME, _SOME)

_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def opened(maps: IdMaps) -> Iterator[int]:
    """Hold a descriptor of a new user namespace with ``maps``. Blocks: less than a millisecond."""
    descriptor = _made(maps)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def of_process(pid: int) -> IdMaps | None:
    """Return which ids of the host's a process's are, or None: it is gone."""
    try:
        return IdMaps(_read(f"/proc/{pid}/uid_map"), _read(f"/proc/{pid}/gid_map"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def unmappable(directory: str) -> str:
    """Return why ``directory`` cannot be a layer by the ids of a namespace, or an empty text."""
    try:
        with opened(_ANY) as namespace:
            os.close(kernel.clone_mapped(directory, namespace))
    except OSError as error:
        return f"what is in {directory!r} cannot be mounted by other ids here: {error.strerror}"
    if kernel.release() < _LAYERS_SINCE:
        return (
            f"an overlay takes layers by other ids since Linux {'.'.join(map(str, _LAYERS_SINCE))}"
        )
    return ""


def _made(maps: IdMaps) -> int:
    stack = ctypes.create_string_buffer(_STACK)
    child = _child(stack)
    try:
        _write(f"/proc/{child}/uid_map", maps.uids)
        _write(f"/proc/{child}/gid_map", maps.gids)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.waitpid(child, _WAIT_ALL)  # and only now may the stack go


def _child(stack: ctypes.Array[ctypes.c_char]) -> int:
    top = ctypes.addressof(stack) + _STACK
    returns = ctypes.cast(_libc.abs, ctypes.c_void_p)
    arguments = (ctypes.c_void_p(top - top % 16), ctypes.c_int(_CLONE_VM | _CLONE_NEWUSER))
    child: int = _libc.clone(returns, *arguments, ctypes.c_void_p(0))
    if child < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"clone: {os.strerror(number)}")
    return child


def _read(path: str) -> tuple[IdMapping, ...]:
    with open(path, encoding="ascii") as file:
        return tuple(IdMapping(*map(int, line.split())) for line in file)


def _write(path: str, mappings: Sequence[IdMapping]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        # The kernel takes them all at once, or none.
        os.write(descriptor, id_maps.text(mappings).encode())
    finally:
        os.close(descriptor)
