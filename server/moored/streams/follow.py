"""Who wants to know that a file grew: the index of every running run, and those who read along.

One inotify descriptor serves the whole daemon. Laws: a silent file costs nothing; a file that
is written without pause costs one look in each ``PACE``, however much is written; nothing
reads what was written; no failure here fails a run: where the kernel has no watch left, files
are looked at now and then instead.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Final

from moored.streams.index import Record
from moored.streams.inotify import Inotify
from moored.streams.output import Output, RunOutput, Stream
from moored.streams.recording import Complaint, Recorder
from moored.streams.rotation import Rotator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moored.model.identity import ContainerId
    from moored.model.output import Retention
    from moored.streams.inotify import Notifier

PACE: Final = 0.1
"""Seconds between two looks at one file."""
UNHEARD_PACE: Final = 10.0
"""Seconds between two looks at a file that the kernel does not watch and nobody follows."""
LOOKS_AT_ONCE: Final = 200
"""Looks in one go: after these, others have their turn on the loop."""


class _File:
    """One file that somebody wants to hear of, and the kernel's watch on it if there is one."""

    __slots__ = ("followers", "path", "recorded", "retention", "watch")

    def __init__(self, path: str) -> None:
        self.path: Final = path
        self.watch: int | None = None
        self.recorded: int | None = None
        """The size last put into the index; None: nobody asked for an index."""
        self.retention: Retention | None = None
        self.followers: set[Follow] = set()

    @property
    def wanted(self) -> bool:
        return self.recorded is not None or bool(self.followers)

    def ring(self) -> None:
        for follow in tuple(self.followers):
            follow.ring()


class Follow:
    """Some files under somebody's eye: ``ring`` is called when one may have changed.

    One ring answers one ``listen``: whoever wants the next calls it again, and looks at the
    files after it, since what changed before was not told.
    """

    def __init__(self, hub: Hub, files: Iterable[_File], ring: Callable[[], None]) -> None:
        self._hub = hub
        self._files = tuple(files)
        self.ring: Final = ring
        for file in self._files:
            file.followers.add(self)

    def listen(self) -> None:
        for file in self._files:
            self._hub.listen(file)

    def close(self) -> None:
        for file in self._files:
            file.followers.discard(self)
            self._hub.release(file)


class Hub:
    def __init__(
        self,
        output: Output,
        *,
        open_notifier: Callable[[], Notifier] = Inotify,
        unheard_pace: float = UNHEARD_PACE,
        retention: Callable[[ContainerId], Retention | None] = lambda _: None,
        rotator: Rotator | None = None,
    ) -> None:
        """``retention`` says how much is kept of each stream of a container; None: all."""
        self._output = output
        self._open_notifier = open_notifier
        self._unheard_pace = unheard_pace
        self._notifier: Notifier | None = None
        self._files: dict[str, _File] = {}
        self._watches: dict[int, _File] = {}
        self._changed: dict[_File, None] = {}
        """Those to look at when their time has come."""
        self._due: deque[_File] = deque()
        self._unheard: dict[_File, None] = {}
        self._looking: asyncio.Handle | None = None
        self._retrying: asyncio.Handle | None = None
        self._recorder = Recorder()
        self.rotator: Final = rotator or Rotator()
        self._retention = retention
        self._unwatched = Complaint("cannot watch output files: {}; their times get coarse")
        self.closed = True

    def start(self) -> None:
        """Begin to hear. To be called where the loop runs."""
        self._loop = asyncio.get_running_loop()
        self.closed = False
        try:
            self._notifier = self._open_notifier()
        except OSError as error:
            self._unwatched.make(error)
        else:
            self._loop.add_reader(self._notifier.fileno(), self._hear)

    async def close(self) -> None:
        """Write down what was seen, and let go of everything. Followers are rung and end."""
        if self.closed:
            return
        self.closed = True
        for handle in (self._looking, self._retrying):
            if handle is not None:
                handle.cancel()
        for file in self._files.values():
            self._note(file)
            file.ring()
        if self._notifier is not None:
            self._loop.remove_reader(self._notifier.fileno())
            self._notifier.close()
        await self.rotator.close()
        await self._recorder.close()

    def watch(self, container: ContainerId, run: int) -> None:
        """Keep the index of a run from now on. What was written before is noted as well."""
        output = self._output.paths(container, run)
        for stream in Stream:
            file = self._file(output.path(stream))
            file.recorded = file.recorded or 0
            file.retention = self._retention(container)
            self._look_soon(file)

    async def unwatch(self, container: ContainerId, run: int) -> None:
        """End the index of a run that writes no more. Its last record is written after this."""
        output = self._output.paths(container, run)
        paths = [os.fspath(output.path(stream)) for stream in Stream]
        for path in paths:
            if file := self._files.get(path):
                self._note(file)
                file.recorded = None
                self.rotator.forget(path)
                self.release(file)
        if not self.closed:
            await self._recorder.finish(paths)

    def follow(
        self, output: RunOutput, streams: Iterable[Stream], ring: Callable[[], None]
    ) -> Follow:
        return Follow(self, [self._file(output.path(stream)) for stream in streams], ring)

    def listen(self, file: _File) -> None:
        """``Follow.listen``'s work: call that."""
        if not self.closed and file.watch is None and not self._hears(file):
            self._look_soon(file)

    def release(self, file: _File) -> None:
        """Forget a file that nobody wants to hear of."""
        if file.wanted or self._files.get(file.path) is not file:
            return
        del self._files[file.path]
        self._changed.pop(file, None)
        self._unheard.pop(file, None)
        if file.watch is not None:
            del self._watches[file.watch]
            if self._notifier is not None and not self.closed:
                self._notifier.unwatch(file.watch)

    def _file(self, path: os.PathLike[str]) -> _File:
        name = os.fspath(path)
        if (file := self._files.get(name)) is None:
            file = self._files[name] = _File(name)
        return file

    def _hear(self) -> None:
        """Take what the kernel tells: called by the loop."""
        assert self._notifier is not None
        fired = self._notifier.fired()
        if fired is None:
            for file in tuple(self._files.values()):
                self._fired(file)
            return
        for number in fired:
            if heard := self._watches.get(number):
                self._fired(heard)

    def _fired(self, file: _File) -> None:
        if file.watch is not None:
            del self._watches[file.watch]
            file.watch = None
        if file.recorded is not None:
            self._look_soon(file)
        file.ring()

    def _look_soon(self, file: _File) -> None:
        self._changed[file] = None
        self._plan()

    def _plan(self) -> None:
        """See to it that everything is looked at: what is due at once, the rest in its time."""
        if self._looking is not None or self.closed:
            return
        if self._due:
            self._looking = self._loop.call_soon(self._look_around)
        elif self._changed:
            self._looking = self._loop.call_later(PACE, self._look_around)

    def _look_around(self) -> None:
        """Look at what changed, a part at a time."""
        self._looking = None
        if not self._due:
            self._due.extend(self._changed)
            self._changed.clear()
        for _ in range(min(LOOKS_AT_ONCE, len(self._due))):
            self._look(self._due.popleft())
        if not self._due:
            self._recorder.write()
        self._plan()

    def _look(self, file: _File) -> None:
        if not file.wanted:
            return
        unheard = file.watch is None
        if unheard and not self._hears(file):
            self._look_again(file)
        self._note(file)
        if unheard:  # it may have changed while nobody heard
            file.ring()

    def _look_again(self, file: _File) -> None:
        """Keep a file in mind that the kernel does not watch."""
        if file.followers:
            self._look_soon(file)
            return
        self._unheard[file] = None
        if self._retrying is None:
            self._retrying = self._loop.call_later(self._unheard_pace, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        unheard, self._unheard = self._unheard, {}
        for file in unheard:
            self._look_soon(file)

    def _hears(self, file: _File) -> bool:
        """Have the kernel watch ``file``. False: it does not, and the caller has to look."""
        if self._notifier is None:
            return False
        try:
            number = self._notifier.watch(file.path)
        except FileNotFoundError:
            return True  # nothing more to hear
        except OSError as error:
            self._unwatched.make(error)
            return False
        file.watch = number
        self._watches[number] = file
        return True

    def _note(self, file: _File) -> None:
        """Put down how large ``file`` is, if that is new."""
        if file.recorded is None:
            return
        try:
            found = os.stat(file.path)  # half the time of a Path's
        except OSError:
            return  # removed: whoever has it open reads it to its end
        if found.st_size > file.recorded:
            file.recorded = found.st_size
            self._recorder.note(file.path, Record(found.st_size, found.st_mtime_ns))
            if file.retention is not None and not self.closed:
                self.rotator.consider(file.path, found.st_size, file.retention)
