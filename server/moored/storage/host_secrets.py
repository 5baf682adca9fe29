"""Contents that lie in files of the host's: read below some roots only, and never through a link.

Law: what is opened lies at or below a root, whatever anybody moves or links there meanwhile.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from moored.model.secrets import lies_below

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK: Final = 1 << 16


def read(path: str, roots: Sequence[str], limit: int) -> bytes:
    """Return the content of ``path``. Raises OSError, and ValueError for what is no such file."""
    descriptor = _open(path, roots)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        content = _read(descriptor, limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise ValueError(f"it is larger than {limit} bytes")
    return content


def _open(path: str, roots: Sequence[str]) -> int:
    root = lies_below(path, roots)
    if not root:
        raise ValueError("it is below none of the policy's secret_roots")
    *parents, name = path[len(root.rstrip("/")) + 1 :].split("/")
    directory = os.open(root, _DIRECTORY)
    try:
        for parent in parents:
            below = os.open(parent, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = below
        return os.open(name, _FILE, dir_fd=directory)
    finally:
        os.close(directory)


def _read(descriptor: int, most: int) -> bytes:
    chunks = []
    while most and (chunk := os.read(descriptor, min(most, _CHUNK))):
        chunks.append(chunk)
        most -= len(chunk)
    return b"".join(chunks)
