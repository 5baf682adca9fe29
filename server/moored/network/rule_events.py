"""What others do to the host's rules, as the kernel tells it when a transaction is committed."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored.network import netfilter
from moored.network.netfilter import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP: Final = 7
"""NFNLGRP_NFTABLES: all changes of nftables."""
_SUBSYSTEM: Final = 10 << 8
_NEW_GENERATION: Final = _SUBSYSTEM | 15
_ELEMENTS: Final = frozenset({_SUBSYSTEM | 12, _SUBSYSTEM | 14})
_GENERATION_PID: Final = 2
"""Of the thread that committed the transaction."""
_OUR_THREADS: Final = Path("/proc/self/task")
_TABLE: Final = 1
"""The attribute with the table's name, in messages of every other kind."""
_FAMILY_SIZE: Final = 4
_RECEIVE_BUFFER: Final = 1 << 20
_RECEIVE_BUFFER_FORCED: Final = 33
_LOST: Final = frozenset({errno.ENOBUFS})


@dataclass(frozen=True)
class Changes:
    """What others changed since the last look."""

    ours: bool = False
    """Something of our own table."""
    foreign: bool = False
    """Rules, chains or tables of others."""

    def __bool__(self) -> bool:
        return self.ours or self.foreign


EVERYTHING: Final = Changes(ours=True, foreign=True)


class RuleEvents:
    """The events of the network namespace in which it was opened. Never blocks."""

    def __init__(self, table: str) -> None:
        self._table: Final = table.encode() + b"\0"
        self._link: Final = netfilter.connect()
        self._link.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCED, _RECEIVE_BUFFER)
        self._link.bind((0, 1 << (_GROUP - 1)))
        self._link.setblocking(False)
        self._seen = Changes()

    def fileno(self) -> int:
        return self._link.fileno()

    def changes(self) -> Changes:
        """Return what others did since the last call; EVERYTHING where too much was told."""
        found = Changes()
        for kind, body in self._told():
            if kind == _NEW_GENERATION:
                found = _both(found, self._of_transaction(body))
                self._seen = Changes()
            elif kind == 0:
                found = EVERYTHING
            else:
                self._seen = _both(self._seen, self._of(kind, body))
        return found

    def close(self) -> None:
        self._link.close()

    def _told(self) -> Iterator[tuple[int, bytes]]:
        """Yield the messages that wait; kind 0 stands for those that were lost."""
        while True:
            try:
                yield from netfilter.messages(self._link.recv(netfilter.BUFFER))
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _LOST:
                    raise
                yield 0, b""

    def _of_transaction(self, body: bytes) -> Changes:
        """Return what the transaction that ends here changed; nothing if it was ours."""
        known = attributes(body[_FAMILY_SIZE:])
        author = int.from_bytes(known.get(_GENERATION_PID, b""), "big")
        return Changes() if (_OUR_THREADS / str(author)).exists() else self._seen

    def _of(self, kind: int, body: bytes) -> Changes:
        if attributes(body[_FAMILY_SIZE:]).get(_TABLE) == self._table:
            return Changes(ours=True)
        return Changes(foreign=kind not in _ELEMENTS)


def _both(one: Changes, other: Changes) -> Changes:
    return Changes(one.ours or other.ours, one.foreign or other.foreign)
