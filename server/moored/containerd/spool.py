"""An incoming stream, put into a file that has no name, and bounded.

The archive is read where it lies: nothing of it is extracted. gzip around the whole archive
is taken off on the way in, so that the limit counts what it unpacks to.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import zlib
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SILENCE_LIMIT: Final = 60.0
"""Seconds that a stream may be silent."""
_PIECE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_MOST_GZIP_MEMBERS: Final = 4096
_FOREIGN: Final = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
}
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spool:
    """What has arrived. Blocking: for threads."""

    def __init__(self, directory: Path, limit: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Unlinked from the first moment: a crash leaves nothing.
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        self._limit = limit
        self._head = b""
        self._gzip: _Gunzip | None = None
        self.size = 0

    def close(self) -> None:
        self._file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``, fewer only at the end."""
        return os.pread(self._file.fileno(), size, offset)

    def take(self, chunk: bytes) -> None:
        if self.size or self._gzip:
            self._unpack(chunk)
            return
        self._head += chunk
        if len(self._head) >= max(map(len, _FOREIGN)):
            self._begin()

    def finish(self) -> None:
        """Say that all has arrived, and refuse what cannot be an archive."""
        if self._head:
            self._begin()
        if self._gzip is not None:
            self._gzip.finish()
        if not self.size:
            raise errors.ArchiveInvalid("cannot import: the archive is empty")

    def _begin(self) -> None:
        head, self._head = self._head, b""
        for magic, name in _FOREIGN.items():
            if head.startswith(magic):
                raise errors.ArchiveInvalid(
                    f"cannot import: the archive is compressed by {name}; tar and gzip are read"
                )
        if head.startswith(_GZIP):
            self._gzip = _Gunzip()
        self._unpack(head)

    def _unpack(self, chunk: bytes) -> None:
        if self._gzip is None:
            self._append(chunk)
            return
        self._gzip.feed(chunk)
        while piece := self._gzip.read():
            self._append(piece)

    def _append(self, piece: bytes) -> None:
        if self.size + len(piece) > self._limit:
            raise errors.ArchiveTooLarge(
                f"cannot import: the archive has more than {self._limit} bytes",
                limit=str(self._limit),
            )
        try:
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            raise errors.ArchiveTooLarge(
                f"cannot import: no room to put the archive: {error.strerror}"
            ) from error
        self.size += len(piece)


class _Gunzip:
    """gzip members one after another, a bounded piece at a time."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._members = 1

    def feed(self, chunk: bytes) -> None:
        self._pending += chunk

    def read(self) -> bytes:
        """Return the next piece, or nothing until more is fed."""
        while self._pending:
            if self._inflate.eof and not self._next_member():
                return b""
            try:
                piece = self._inflate.decompress(self._pending, _PIECE)
            except zlib.error as error:
                raise errors.ArchiveInvalid(f"cannot import: broken gzip: {error}") from error
            self._pending = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                return piece
        return b""

    def finish(self) -> None:
        if not self._inflate.eof:
            raise errors.ArchiveInvalid("cannot import: the gzip stream ends in the middle")

    def _next_member(self) -> bool:
        self._pending = self._pending.lstrip(b"\0")  # padding is allowed
        if not self._pending:
            return False
        self._members += 1
        if self._members > _MOST_GZIP_MEMBERS:
            raise errors.ArchiveInvalid(
                f"cannot import: gzip of more than {_MOST_GZIP_MEMBERS} parts"
            )
        self._inflate = zlib.decompressobj(wbits=31)
        return True


@asynccontextmanager
async def spooled(
    chunks: AsyncIterator[bytes], directory: Path, limit: int, *, silence: float = SILENCE_LIMIT
) -> AsyncIterator[Spool]:
    """Hold all that ``chunks`` bring, until the block ends; then it is gone."""
    spool = Spool(directory, limit)
    try:
        while (chunk := await _next(chunks, silence)) is not None:
            await in_thread(partial(spool.take, chunk))
        await in_thread(spool.finish)
        yield spool
    finally:
        spool.close()


async def _next(chunks: AsyncIterator[bytes], silence: float) -> bytes | None:
    try:
        async with asyncio.timeout(silence):
            return await anext(chunks, None)
    except TimeoutError as error:
        raise errors.ArchiveInvalid(
            f"cannot import: nothing has arrived for {silence:g} s"
        ) from error
