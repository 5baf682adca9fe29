"""Connections from inside a container's network, whatever kind of network that is.

A socket belongs to the network namespace that it was made in, whoever uses it afterwards: a
short thread enters, makes one, and ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Final

from moored.network import namespaces
from moored.oci import processes
from moored.uninterrupted import in_thread

LOOPBACK: Final = ("127.0.0.1", "::1")


class Gone(Exception):
    """The process whose network was to be entered has ended."""


@dataclass(frozen=True)
class Process:
    """Somebody in the namespace: its first process, told from one that got its pid later."""

    pid: int
    ticks: int


async def connect(process: Process, host: str, port: int) -> socket.socket:
    """Return a connection to ``host``, or to the loopback that answers first.

    Raises OSError as the last address tried does, and Gone. The caller closes it.
    """
    addresses = [host] if host else list(LOOPBACK)
    while True:
        address = addresses.pop(0)
        try:
            return await _connect(process, address, port)
        except OSError:
            if not addresses:
                raise


async def _connect(process: Process, address: str, port: int) -> socket.socket:
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    made = await in_thread(partial(_make, process, family))
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


def _make(process: Process, family: socket.AddressFamily) -> socket.socket:
    try:
        namespace = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone from error
    try:
        # Only now: what the descriptor stands for cannot become another's any more.
        found = processes.identity(process.pid)
        if found is None or found.start_ticks != process.ticks:
            raise Gone
        made = namespaces.within(namespace, partial(socket.socket, family, socket.SOCK_STREAM))
    finally:
        os.close(namespace)
    made.setblocking(False)
    return made
