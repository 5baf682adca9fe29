"""What moored tells the supervisor that started it, by systemd's protocol: sd_notify(3).

Nobody who listens: nothing is told. A message is a datagram that is never waited for; one that the
supervisor has no room for is lost, and it asks again by its own time limits.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored.errors import SetupRefused

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_SOCKET: Final = "NOTIFY_SOCKET"
_INTERVAL: Final = "WATCHDOG_USEC"
_WATCHED: Final = "WATCHDOG_PID"


@dataclass(frozen=True)
class Supervisor:
    address: str | bytes = ""
    """A unix socket's path, or an abstract name. Empty: nobody listens."""
    patience: float = 0.0
    """Seconds that may pass between two signs of life. 0: nobody counts."""

    @classmethod
    def found(cls, environ: MutableMapping[str, str], *, pid: int) -> Supervisor:
        """Return who started this process, and let no program that it starts speak for it.

        Raises SetupRefused for a socket that cannot be one.
        """
        address = environ.pop(_SOCKET, "")
        interval, watched = environ.pop(_INTERVAL, ""), environ.pop(_WATCHED, "")
        if address and address[0] not in "/@":
            raise SetupRefused(
                f"cannot notify {address!r} ({_SOCKET}): it is neither a path nor an abstract name"
            )
        counts = interval.isdecimal() and watched in ("", str(pid))
        return cls(_name(address), int(interval) / 1e6 if address and counts else 0.0)

    def serving(self, status: str) -> None:
        self._tell("READY=1", f"STATUS={status}")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def draining(self, *, at_most: float) -> None:
        """Say that the end has begun, and may take this many seconds."""
        self._tell("STOPPING=1", "STATUS=draining", f"EXTEND_TIMEOUT_USEC={int(at_most * 1e6)}")

    def _tell(self, *lines: str) -> None:
        if not self.address:
            return
        message = "\n".join(lines).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
            try:
                out.sendto(message, self.address)
            except BlockingIOError:
                logger.debug("the supervisor has no room for {}", lines[0])
            except OSError as error:
                logger.warning("cannot notify the supervisor: {}", error.strerror)


def _name(address: str) -> str | bytes:
    return b"\0" + os.fsencode(address[1:]) if address.startswith("@") else address
