"""Messages between us and the kernel's netfilter: a header, a family, and attributes."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BUFFER: Final = 1 << 18
"""Bytes: no message, and no block of an answer, is larger."""
_NETFILTER: Final = 12
_HEADER: Final = struct.Struct("=IHHII")
_FAMILY: Final = struct.Struct("!BBH")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NESTED: Final = 0x8000
_TYPE: Final = 0x3FFF
_ERROR, _DONE = 2, 3


def connect() -> socket.socket:
    """Return a socket to the netfilter of the calling thread's network namespace."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER)


def send(link: socket.socket, kind: int, flags: int, family: int, body: bytes) -> None:
    whole = _FAMILY.pack(family, 0, 0) + body
    link.send(_HEADER.pack(_HEADER.size + len(whole), kind, flags, 1, 0) + whole)


def answers(link: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and attributes of each message of one answer, or raise its refusal."""
    while True:
        for kind, body in messages(link.recv(BUFFER)):
            if kind == _DONE:
                return
            if kind == _ERROR:
                if number := -int.from_bytes(body[:4], "little", signed=True):
                    raise OSError(number, os.strerror(number))
                return
            yield kind, body[_FAMILY.size :]


def messages(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the rest of each message in ``block``."""
    while len(block) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(block)
        yield kind, block[_HEADER.size : length]
        block = block[(length + 3) & ~3 :]


def packed(kind: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + padding


def nested(kind: int, value: bytes) -> bytes:
    return packed(kind | _NESTED, value)


def attributes(block: bytes) -> dict[int, bytes]:
    """Return the attributes in ``block`` by their type; of several of one type the last."""
    found: dict[int, bytes] = {}
    while len(block) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(block)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE] = block[_ATTRIBUTE.size : length]
        block = block[(length + 3) & ~3 :]
    return found
