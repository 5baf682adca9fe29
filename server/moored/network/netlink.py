"""Netlink: requests to the kernel's networking, a batch at a time, each with its own answer.

A socket belongs to the network namespace of the thread that opened it. The kernel does what a
request says before the call that sends it returns: where an answer is an error, it is known whose.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.failpoints import NONE, Failpoints, ToldToFail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

REQUEST: Final = 0x1
ACK: Final = 0x4
CREATE: Final = 0x400
EXCLUSIVE: Final = 0x200
REPLACE: Final = 0x100
DUMP: Final = 0x300
_ACK_HAS_WORDS: Final = 0x200
_ACK_IS_SHORT: Final = 0x100

_ERROR: Final = 2
_DONE: Final = 3
_SOL_NETLINK: Final = 270
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11
_GET_STRICT_CHECK: Final = 12
_WORDS: Final = 1
"""The attribute of an answer in which the kernel says why."""
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_TYPE_MASK: Final = 0x3FFF
"""What is above are marks: nested, and in network byte order."""
_LARGEST: Final = 64 * 1024
ANSWER_WITHIN: Final = 5.0
"""Seconds that the kernel may take to answer what it has done already."""


@dataclass(frozen=True)
class Message:
    kind: int
    flags: int
    payload: bytes
    what: str
    """What it asks for, for whoever is told that it failed."""
    point: str = "look"
    """What its fail points are called."""


class Refused(OSError):
    """The kernel did not do what a message asked for."""

    def __init__(self, number: int, what: str, words: str) -> None:
        why = os.strerror(number) + (f" ({words})" if words else "")
        super().__init__(number, f"cannot {what}: {why}")

    def __str__(self) -> str:
        return str(self.strerror)


class Netlink:
    """One socket for routes and links, in the namespace of the thread that makes it."""

    def __init__(self, failpoints: Failpoints = NONE) -> None:
        self._failpoints = failpoints
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.settimeout(ANSWER_WITHIN)
        for option in (_CAP_ACK, _EXT_ACK, _GET_STRICT_CHECK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def ask(self, *messages: Message) -> None:
        """Let the kernel do all of ``messages``, in order. Raises Refused of the first it did not.

        Those after one that was refused are done nevertheless.
        """
        if not self._failpoints:
            self._ask(messages)
            return
        for message in messages:
            with self._passing(message):
                self._ask([message])

    def _ask(self, messages: Sequence[Message]) -> None:
        first = self._sequence + 1
        self._socket.send(b"".join(self._packed(m, m.flags | ACK) for m in messages))
        waiting = {first + n: message for n, message in enumerate(messages)}
        refused: dict[int, Refused] = {}
        while waiting:
            for kind, flags, sequence, body in self._received():
                message = waiting.pop(sequence, None) if kind == _ERROR else None
                if message and (number := -struct.unpack_from("=i", body)[0]):
                    refused[sequence] = Refused(number, message.what, _words(flags, body))
        if refused:
            raise refused[min(refused)]

    def list(self, message: Message) -> Iterator[bytes]:
        """Yield the payload of everything that a dump answers with."""
        self._socket.send(self._packed(message, message.flags | DUMP))
        while True:
            for kind, flags, sequence, body in self._received():
                if sequence != self._sequence:
                    continue
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", body)[0]
                    raise Refused(number, message.what, _words(flags, body))
                yield body

    def get(self, message: Message) -> bytes | None:
        """Return the payload of the one answer; None: there is no such thing."""
        self._socket.send(self._packed(message, message.flags))
        while True:
            for kind, flags, sequence, body in self._received():
                if sequence != self._sequence:
                    continue
                if kind != _ERROR:
                    return body
                number = -struct.unpack_from("=i", body)[0]
                if number in (errno.ENODEV, errno.ENOENT):
                    return None
                raise Refused(number, message.what, _words(flags, body))

    @contextmanager
    def _passing(self, message: Message) -> Iterator[None]:
        """Come by the fail points of a message."""
        try:
            for side in ("before", "after"):
                name = f"netlink.{message.point}.{side}"
                self._failpoints.reach_in_thread(name, limit=ANSWER_WITHIN)
                if side == "before":
                    yield
        except ToldToFail as told:
            raise OSError(f"cannot {message.what}: {told}") from told

    def _packed(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        length = _HEADER.size + len(message.payload)
        header = _HEADER.pack(length, message.kind, flags | REQUEST, self._sequence, 0)
        return header + message.payload

    def _received(self) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(_LARGEST)
        while data:
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data)
            yield kind, flags, sequence, data[_HEADER.size : length]
            data = data[_aligned(length) :]


def attribute(kind: int, value: bytes | int | str) -> bytes:
    """Return an attribute: bytes as they are, a number as 32 bits, a text with its NUL."""
    if isinstance(value, int):
        value = struct.pack("=I", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (_aligned(length) - length)


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind, b"".join(attributes))


def attributes(data: bytes) -> Mapping[int, bytes]:
    """Return the attributes in ``data`` by their types; of equal ones the last."""
    return dict(_attributes(data))


def _attributes(data: bytes) -> Iterable[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _words(flags: int, body: bytes) -> str:
    if not flags & _ACK_HAS_WORDS:
        return ""
    begin = 4 + _HEADER.size
    if not flags & _ACK_IS_SHORT:  # the request is repeated whole
        begin = 4 + _aligned(_HEADER.unpack_from(body, 4)[0])
    return text(attributes(body[begin:]).get(_WORDS, b""))


def _aligned(length: int) -> int:
    return (length + 3) & ~3
