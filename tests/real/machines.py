"""Machines for tests of traffic: network namespaces, joined by virtual cables.

Each has a thread that lives in it. A socket stays in the namespace in which it was made, so that
a test can hold both ends of a conversation. Nothing of the host's own network is touched.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")

_NEW_NETWORK: Final = 0x40000000
_PLACES: Final = Path("/run/netns")
_WITHIN: Final = 10.0
ANSWER_WITHIN: Final = 10.0
SILENT_FOR: Final = 0.4
"""Seconds without an answer after which nobody is expected to give one any more."""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Place:
    """A network namespace that somebody else made, and a thread in it, until it is left."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._thread = ThreadPoolExecutor(1, initializer=_move_to, initargs=(path,))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    def run(self, deed: Callable[[], T]) -> T:
        """Return what ``deed`` does, in this network."""
        return self._thread.submit(deed).result()

    def socket(self, kind: int, address: str, port: int) -> socket.socket:
        """Return a socket that is bound here; a stream listens."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        one = self.run(lambda: socket.socket(family, kind))
        try:
            one.settimeout(ANSWER_WITHIN)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address, port))
            if kind == socket.SOCK_STREAM:
                one.listen()
        except OSError:
            one.close()
            raise
        return one


def network_of(pid: int) -> Place:
    """Return the network that a process is in."""
    return Place(Path(f"/proc/{pid}/ns/net"))


class Machine(Place):
    """A network namespace of its own, with loopback up."""

    def __init__(self, name: str) -> None:
        self.name: Final = f"{name}-{secrets.token_hex(3)}"
        command("ip", "netns", "add", self.name)
        super().__init__(_PLACES / self.name)
        # Addresses of IPv6 are there at once: nobody else can have them here.
        self.sysctl("ipv6/conf/default/accept_dad", "0")
        self.ip("link", "set", "lo", "up")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        command("ip", "netns", "delete", self.name)

    @property
    def entering(self) -> tuple[str, ...]:
        """The words before those of a command that is to run here."""
        return ("nsenter", f"--net={self.path}")

    def command(self, *words: str, within: float = _WITHIN) -> str:
        return command(*self.entering, *words, within=within)

    def ip(self, *words: str) -> str:
        return self.command("ip", *words)

    def nft(self, *words: str) -> str:
        return self.command("nft", *words)

    def rules(self) -> str:
        """Return all rules, without counters."""
        return self.nft("-s", "list", "ruleset")

    def sysctl(self, name: str, value: str) -> None:
        path = Path("/proc/sys/net", name)
        self.run(lambda: path.write_text(value))


def cable(one: Machine, other: Machine, ends: tuple[str, str]) -> None:
    """Join two machines. Each end gets its name."""
    one.ip(
        *("link", "add", ends[0], "type", "veth"),
        *("peer", "name", ends[1], "netns", other.name),
    )  # fmt: skip
    one.ip("link", "set", ends[0], "up")
    other.ip("link", "set", ends[1], "up")


def address(machine: Machine, interface: str, *addresses: str) -> None:
    for one in addresses:
        machine.ip("address", "add", one, "dev", interface, *(["nodad"] if ":" in one else []))


def heard_by_tcp(client: Place, to: tuple[str, int], server: socket.socket) -> str | None:
    """Return whom the server hears when the client connects; None where it hears nobody."""
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with client.run(lambda: socket.socket(family, socket.SOCK_STREAM)) as calling:
        calling.settimeout(SILENT_FOR)
        try:
            calling.connect(to)
        except OSError:
            return None
        with suppress(TimeoutError), ExitStack() as held:
            server.settimeout(SILENT_FOR)
            answering, peer = server.accept()
            held.enter_context(answering)
            answering.settimeout(ANSWER_WITHIN)
            calling.settimeout(ANSWER_WITHIN)
            calling.sendall(b"ping")
            assert answering.recv(4) == b"ping"
            answering.sendall(b"pong")
            assert calling.recv(4) == b"pong"
            return str(peer[0])
    return None


def heard_by_udp(client: Place, to: tuple[str, int], server: socket.socket) -> str | None:
    """Return whom the server hears when the client sends; the answer comes back, too."""
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with client.run(lambda: socket.socket(family, socket.SOCK_DGRAM)) as calling:
        return exchanged(calling, to, server)


def exchanged(calling: socket.socket, to: tuple[str, int], server: socket.socket) -> str | None:
    """Send by UDP and be answered; return whom the server heard, None where it did not."""
    calling.settimeout(ANSWER_WITHIN)
    server.settimeout(SILENT_FOR)
    with suppress(ConnectionRefusedError):
        calling.sendto(b"ping", to)
    try:
        _, peer = server.recvfrom(16)
    except TimeoutError:
        return None
    server.sendto(b"pong", peer)
    assert calling.recv(16) == b"pong"
    return str(peer[0])


def command(*words: str, within: float = _WITHIN) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=within, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _move_to(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _LIBC.setns(descriptor, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
