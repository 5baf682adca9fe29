"""Forgetting what the kernel remembers of UDP to ports whose meaning changes.

A client that keeps sending keeps its entry alive, and with it the container, or the want of
one, that the port led to when it began. Raw messages to ctnetlink: no process, no library.
"""

from __future__ import annotations

import errno
import socket
import struct
from functools import cache
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.model.ports import Family
from moored.network import netfilter
from moored.network.held_ports import is_local
from moored.network.netfilter import attributes, nested, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
"""Messages of ctnetlink, the subsystem included."""
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_TUPLE_ORIG, _ZONE, _FILTER = 1, 18, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_TO = {socket.AF_INET: 2, socket.AF_INET6: 4}
"""Where the destination's address is among those of a tuple."""
_PROTO_NUMBER, _PROTO_TO_PORT = 1, 3
_FILTER_ORIG: Final = 1
_BY_PROTOCOL, _BY_TO_PORT = 1 << 3, 1 << 5
_UDP: Final = 17
_WITHIN: Final = 5.0
_FAMILIES: Final = {socket.AF_INET: Family.V4, socket.AF_INET6: Family.V6}


def forget_udp(ports: range, families: Iterable[Family]) -> int:
    """Forget what was sent by UDP to ``ports`` of this host, and return how much there was.

    The kernel walks through all that it has room for, once for each family: about 10 ms.
    """
    is_ours, wanted = cache(is_local), frozenset(families)
    try:
        with netfilter.connect() as link:
            link.settimeout(_WITHIN)
            found = [
                (family, entry)
                for family, name in _FAMILIES.items()
                if name in wanted
                for entry in _entries(link, family, ports, is_ours)
            ]
            return sum(_delete(link, family, entry) for family, entry in found)
    except OSError as error:
        why = error.strerror or str(error)
        raise errors.NetworkFailed(f"cannot forget conversations by UDP: {why}") from error


def _entries(
    link: socket.socket,
    family: socket.AddressFamily,
    ports: range,
    is_ours: Callable[[str, Family], bool],
) -> Iterator[bytes]:
    """Yield what names each entry to the kernel: its first tuple, and its zone."""
    netfilter.send(link, _GET, _REQUEST | _DUMP, family, _wish(ports))
    for kind, body in netfilter.answers(link):
        if kind != _NEW:
            continue
        known = attributes(body)
        first = attributes(known[_TUPLE_ORIG])
        proto = attributes(first[_TUPLE_PROTO])
        port = int.from_bytes(proto.get(_PROTO_TO_PORT, b""), "big")
        if proto[_PROTO_NUMBER][0] != _UDP or port not in ports:
            continue
        address = socket.inet_ntop(family, attributes(first[_TUPLE_IP])[_TO[family]])
        if is_ours(address, _FAMILIES[family]):
            zone = packed(_ZONE, known[_ZONE]) if _ZONE in known else b""
            yield nested(_TUPLE_ORIG, known[_TUPLE_ORIG]) + zone


def _wish(ports: range) -> bytes:
    """Return a filter that spares the kernel from telling of everything.

    Kernels before 5.8 do not know it, and tell: what comes is looked at in any case.
    """
    flags, aim = _BY_PROTOCOL, packed(_PROTO_NUMBER, bytes([_UDP]))
    if len(ports) == 1:
        flags |= _BY_TO_PORT
        aim += packed(_PROTO_TO_PORT, struct.pack("!H", ports[0]))
    wanted = packed(_FILTER_ORIG, struct.pack("=I", flags))
    return nested(_TUPLE_ORIG, nested(_TUPLE_PROTO, aim)) + nested(_FILTER, wanted)


def _delete(link: socket.socket, family: int, entry: bytes) -> bool:
    netfilter.send(link, _DELETE, _REQUEST | _ACK, family, entry)
    try:
        list(netfilter.answers(link))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False  # it was over by itself
    return True
