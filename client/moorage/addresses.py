"""Where a moored listens, as people write it and as gRPC takes it."""

from __future__ import annotations

import os
from typing import Final

DEFAULT_ADDRESS: Final = "unix:///run/moorage/moored.sock"
_LONGEST_SOCKET: Final = 107
"""Bytes: what Linux takes as the path of a unix socket."""


def target(address: str) -> str:
    """Return what gRPC calls ``address``; raise ValueError for what cannot be one.

    ``unix:///PATH``, ``tls://HOST:PORT`` and ``tcp://HOST:PORT`` are what moored listens on.
    Whatever else gRPC can resolve (``dns:///…``, ``HOST:PORT``) is passed on as it is.
    """
    if (path := socket_path(address)) is not None:
        return f"unix:{_checked(path, address)}"
    for scheme in ("tcp://", "tls://"):
        if address.startswith(scheme):
            return _checked_port(address.removeprefix(scheme), address)
    if not address or any(c.isspace() for c in address):
        raise _refused(address, "it must be unix:///PATH or tcp://HOST:PORT")
    return address


def socket_path(address: str) -> str | None:
    """Return the path of a unix socket's address; None for all others."""
    for scheme in ("unix://", "unix:"):
        if address.startswith(scheme):
            return address.removeprefix(scheme)
    return None


def _checked(path: str, address: str) -> str:
    if not path.startswith("/"):
        raise _refused(address, "the path of a socket must be absolute")
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise _refused(address, f"the path of a socket has at most {_LONGEST_SOCKET} bytes")
    return path


def _checked_port(place: str, address: str) -> str:
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise _refused(address, f"it must be {address[:6]}HOST:PORT")
    return place


def _refused(address: str, why: str) -> ValueError:
    return ValueError(f"cannot use address {address!r}: {why}")
