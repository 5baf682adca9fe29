"""The sockets that callers come in by, closed by ourselves when the server ends.

gRPC's own end of a server tells CANCELLED to calls that have arrived and that no handler has
got yet (grpc/grpc#41785), and nobody tries again what was cancelled. A connection that is closed
tells UNAVAILABLE. So nobody else is let in, whoever is in has the line closed, and only then is
the server ended, with nobody left to tell.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN: Final = "/proc/self/fd"


class Doors:
    def __init__(self) -> None:
        self._places: set[str | int] = set()
        """Paths of unix sockets, and ports."""

    def add(self, place: str | int) -> None:
        """Know of a unix socket's path, or of a port, that the server listens on."""
        self._places.add(place)

    def close(self) -> None:
        """Let nobody else in, and close the line to all who are. What was written still arrives."""
        for listening in (True, False):
            for descriptor in map(int, os.listdir(_OWN)):
                with suppress(OSError), _copy(descriptor) as sock:
                    if _is_listening(sock) is listening and _place(sock) in self._places:
                        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def _copy(descriptor: int) -> Iterator[socket.socket]:
    """A descriptor of our own for somebody's socket. Raises OSError for what is none, or gone."""
    own = os.dup(descriptor)
    try:
        sock = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise
    with sock:
        yield sock


def _is_listening(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _place(sock: socket.socket) -> str | int | None:
    """Return what a socket is bound to, as ``add`` takes it."""
    match sock.family, sock.getsockname():
        case socket.AF_UNIX, str(path):
            return path
        case ((socket.AF_INET | socket.AF_INET6), (_, int(port), *_)):
            return port
    return None
