"""Writes the indexes: in one thread of its own, since the loop must not wait for a disk.

What cannot be written is left out. It costs the exactness of a time and never a run.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored.streams.index import Record, append_all

if TYPE_CHECKING:
    from collections.abc import Iterable

COMPLAINT_PACE: Final = 3600.0


class Complaint:
    """A warning that is given now and then: as long as its cause lasts, there is nothing new."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._next = 0.0

    def make(self, cause: OSError) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + COMPLAINT_PACE
            logger.warning(self._message, cause)


class Recorder:
    """Takes records at any rate and writes the newest of each file, batch after batch."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._writing: asyncio.Future[OSError | None] | None = None
        self._thread = ThreadPoolExecutor(1, "index")
        self._unwritten = Complaint(
            "cannot write down when output was written: {}; its times get coarse"
        )

    def note(self, file: str, record: Record) -> None:
        self._records[file] = record

    def write(self) -> None:
        """Hand over what was noted, at once or as soon as the batch before is written."""
        if self._records and self._writing is None:
            records, self._records = self._records, {}
            self._writing = self._submit(records)
            self._writing.add_done_callback(self._written)

    async def finish(self, files: Iterable[str]) -> None:
        """Return when what was noted of ``files`` is written."""
        last = {file: self._records.pop(file) for file in files if file in self._records}
        # Also with none: there is one thread, so the batch before is written after this.
        self._complain(await self._submit(last))

    async def close(self) -> None:
        try:
            await self.finish(tuple(self._records))
        finally:
            self._thread.shutdown(wait=False)

    def _submit(self, records: dict[str, Record]) -> asyncio.Future[OSError | None]:
        return asyncio.get_running_loop().run_in_executor(self._thread, append_all, records)

    def _written(self, writing: asyncio.Future[OSError | None]) -> None:
        self._writing = None
        if not writing.cancelled():
            self._complain(writing.result())
        self.write()

    def _complain(self, failure: OSError | None) -> None:
        if failure is not None:
            self._unwritten.make(failure)
