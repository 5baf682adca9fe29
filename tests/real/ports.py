"""Ports of the loopback that nobody has."""

from __future__ import annotations

import socket


def unused_port() -> int:
    """Return one that a process which is started again can have again."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
