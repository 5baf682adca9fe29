"""The command ``moorage`` on a terminal of its own, as a person in front of it sees it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

END_WITHIN: Final = 60.0
_SIZE: Final = struct.Struct("HHHH")


class Terminal:
    """``screen`` is all that was written to it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process: Final = process
        self.screen = bytearray()
        self._master = master

    def type(self, keys: str | bytes) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, _SIZE.pack(height, width, 0, 0))

    async def shows(self, text: str) -> None:
        """Return once ``text`` was written after what was waited for before."""

        async def there() -> bool:
            self.look()
            at = self.screen.find(text.encode())
            if at >= 0:
                del self.screen[: at + len(text)]
            return at >= 0

        try:
            await eventually(there, f"the terminal shows {text!r}", within=END_WITHIN)
        except BaseException as error:
            error.add_note(f"it shows {bytes(self.screen)!r}")
            raise

    async def ended(self) -> int:
        """Return the command's exit code once it has ended."""

        async def over() -> bool:
            self.look()
            return self.process.poll() is not None

        await eventually(over, "the command has ended", within=END_WITHIN)
        self.look()
        assert self.process.returncode is not None
        return self.process.returncode

    def modes(self) -> list[Any]:
        """Return the terminal's modes: what has to be afterwards as it was before."""
        return termios.tcgetattr(self._master)

    def is_raw(self) -> bool:
        local = self.modes()[3]
        return not local & (termios.ICANON | termios.ECHO | termios.ISIG)

    def look(self) -> None:
        """Take what was written to it by now."""
        with suppress(BlockingIOError, OSError):  # EIO: nobody has it open any more
            while piece := os.read(self._master, 65536):
                self.screen += piece


@asynccontextmanager
async def terminal(
    address: str, *words: str, width: int = 80, height: int = 24
) -> AsyncIterator[Terminal]:
    """Run ``moorage`` on a new terminal. It is ended with the context, if it has not by itself."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, _SIZE.pack(height, width, 0, 0))
    process = _launched(slave, address, words)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        await asyncio.to_thread(process.wait, END_WITHIN)
        os.close(slave)
        os.close(master)


def _launched(slave: int, address: str, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _OWN_TERMINAL, *words],
        env={**os.environ, "MOORAGE_ADDRESS": address, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )


_OWN_TERMINAL: Final = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from moorage.cli import main
main()
"""
"""Makes what is its stdin its controlling terminal, as a shell's is: resizing it is a signal."""
