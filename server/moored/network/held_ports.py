"""Holding ports of the host, so that nobody else can take them while they are published.

A port is held by a socket that listens and hears nothing: a filter drops whatever comes before
the socket knows of it. Packets for a published port never come this far, and when our rules are
gone for a moment, a client is not refused but tries again. The socket lives as long as moored:
what is published goes on while moored is away, and is held again as soon as it is back.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from moored.model.ports import Family, PortMapping, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

_SO_ATTACH_FILTER: Final = 26
_RET: Final = 6
"""BPF_RET | BPF_K: with 0, not one byte of a packet is let through."""
_SCTP: Final = 132
_TRIES: Final = 16
"""Of finding ports in a row, free on all addresses, among those that the kernel offers."""
_KINDS: Final = {
    Protocol.TCP: (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    Protocol.UDP: (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    Protocol.SCTP: (socket.SOCK_STREAM, _SCTP),
}
_FAMILIES: Final = {Family.V4: socket.AF_INET, Family.V6: socket.AF_INET6}
_ANY: Final = {Family.V4: "0.0.0.0", Family.V6: "::"}
_NOT_HERE: Final = frozenset({errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT})


class Hold:
    """Ports that are held, until they are let go."""

    def __init__(self, mapping: PortMapping, sockets: ExitStack) -> None:
        self.mapping: Final = mapping
        self._sockets = sockets

    def let_go(self) -> None:
        self._sockets.close()


class PortBusy(Exception):
    """One port is taken; ``port`` says which, ``why`` what the kernel said."""

    def __init__(self, port: int, why: OSError) -> None:
        super().__init__(f"{port}: {why.strerror}")
        self.port = port
        self.why = why


def hold(mapping: PortMapping, families: Iterable[Family]) -> Hold:
    """Hold all ports of ``mapping``, or raise PortBusy. Chosen here where it names none."""
    wanted = sorted(mapping.families & frozenset(families))
    if mapping.host_port:
        return _hold(mapping, wanted)
    for attempt in range(1, _TRIES + 1):
        chosen = mapping.at(_offered(mapping, wanted))
        try:
            return _hold(chosen, wanted)
        except PortBusy:
            if attempt == _TRIES:
                raise
    raise AssertionError("unreachable")


def is_local(host_ip: str, family: Family) -> bool:
    """Whether this host has the address."""
    with socket.socket(_FAMILIES[family], socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host_ip, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def _hold(mapping: PortMapping, families: Iterable[Family]) -> Hold:
    with ExitStack() as held:
        for family in families:
            for port, _ in mapping.pairs:
                if one := _taken(mapping, family, port):
                    held.callback(one.close)
        return Hold(mapping, held.pop_all())


def _taken(mapping: PortMapping, family: Family, port: int) -> socket.socket | None:
    """Return the socket that holds one port; None where the kernel has none of this protocol."""
    try:
        one = _silent(mapping.protocol, family)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return None
        raise PortBusy(port, error) from error
    try:
        one.bind((mapping.host_ip or _ANY[family], port))
        if one.type != socket.SOCK_DGRAM:
            one.listen(1)
    except OSError as error:
        one.close()
        raise PortBusy(port, error) from error
    return one


def _silent(protocol: Protocol, family: Family) -> socket.socket:
    kind, number = _KINDS[protocol]
    one = socket.socket(_FAMILIES[family], kind | socket.SOCK_CLOEXEC, number)
    if family is Family.V6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_STREAM:
        # Connections of an earlier owner that are not quite over must not keep the port busy.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if protocol is not Protocol.SCTP:
        _drop_everything(one)
    return one


def _drop_everything(one: socket.socket) -> None:
    rule = ctypes.create_string_buffer(struct.pack("=HBBI", _RET, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(rule))
    one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _offered(mapping: PortMapping, families: list[Family]) -> int:
    """Return a port that is free now, from which the row may fit below the last one."""
    with _silent(mapping.protocol, families[0]) as probe:
        probe.bind((mapping.host_ip or _ANY[families[0]], 0))
        port: int = probe.getsockname()[1]
    return min(port, 65536 - mapping.width)
