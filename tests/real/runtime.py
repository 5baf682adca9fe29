"""An OCI runtime that stops, breaks or lies where a test wants it to, and is runc otherwise.

A script in front of runc, configured as a runtime of its own. Held, it says by one FIFO that
it has come to a verb, and waits at another until it is let go: the start that called it is
then in its ``task`` (create) or ``run`` (start) step, on the real thing, for as long as the
test likes. Nobody has to guess when.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Lie: TypeAlias = Literal["idle", "deny"]

ARRIVE_WITHIN: Final = 30.0
_MOST_WAITERS: Final = 64

_SCRIPT: Final = """\
#!/bin/sh
verb=none log=/dev/stderr before=
for word in "$@"; do
    [ "$before" = --log ] && log=$word
    before=$word
    case "$word" in create|start|kill|delete|exec) verb=$word; break ;; esac
done
if [ -e "{place}/hold-$verb" ]; then
    echo "$verb" >"{place}/arrived"
    read -r _ <"{place}/gate"
fi
if [ -e "{place}/fail-$verb" ]; then
    printf '{{"level":"error","msg":"told to fail at %s"}}' "$verb" >"$log"
    exit 1
fi
if [ -e "{place}/lie-$verb" ]; then
    read -r lie <"{place}/lie-$verb"
    rm "{place}/lie-$verb"
    [ "$lie" = idle ] && exit 0
    "{runc}" "$@" || exit
    printf '{{"level":"error","msg":"told to deny %s"}}' "$verb" >"$log"
    exit 1
fi
exec "{runc}" "$@"
"""


class GatedRuntime:
    """Its FIFOs stay open at both ends here, so that no script waits once this has gone."""

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._place = place
        self.binary: Final = place / "runc-gated"
        self.binary.write_text(_SCRIPT.format(place=place, runc=shutil.which("runc")))
        self.binary.chmod(0o755)
        self._arrived = _fifo(place / "arrived")
        self._gate = _fifo(place / "gate")
        self._seen: list[str] = []

    def close(self) -> None:
        os.close(self._arrived)
        os.close(self._gate)

    @contextlib.contextmanager
    def holding(self, verb: str) -> Iterator[None]:
        """Hold whoever comes to ``verb``; all who wait at the end go on."""
        self._seen.clear()
        _drain(self._arrived)
        _drain(self._gate)
        mark = self._place / f"hold-{verb}"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()
            self.let_go(_MOST_WAITERS)

    @contextlib.contextmanager
    def failing(self, verb: str) -> Iterator[None]:
        """Fail whoever comes to ``verb``."""
        mark = self._place / f"fail-{verb}"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()

    def lie(self, verb: str, lie: Lie) -> None:
        """Lie to whoever comes to ``verb`` next, once.

        "idle" does nothing and says that it did, "deny" does it and says that it failed.
        """
        whole = self._place / "lie"
        whole.write_text(f"{lie}\n")
        whole.rename(self._place / f"lie-{verb}")

    def has_lied(self, verb: str) -> bool:
        """Whether somebody came to ``verb`` since."""
        return not (self._place / f"lie-{verb}").exists()

    async def arrival(self) -> str:
        """Return the verb at which somebody is held, once somebody is."""
        if not self._seen:
            await self._readable()
            self._seen += os.read(self._arrived, 4096).decode().split()
        return self._seen.pop(0)

    def let_go(self, waiters: int = 1) -> None:
        os.write(self._gate, b"\n" * waiters)

    async def _readable(self) -> None:
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._arrived, readable.set)
        try:
            async with asyncio.timeout(ARRIVE_WITHIN):
                await readable.wait()
        finally:
            loop.remove_reader(self._arrived)


def _fifo(path: Path) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def _drain(fifo: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fifo, 4096):
            pass
