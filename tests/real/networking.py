"""Networks as a test sees them: by ``ip``, by sockets, and by what containers say to each other."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import struct
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from tests.real.specs import shell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moorage.v1.container_pb2 import Container, ContainerSpec, NetworkStatus

PORT: Final = 7777
NOBODY: Final = "nobody"
_WITHIN: Final = 10.0
_HEADER: Final = struct.Struct("!6H")
_ANSWER: Final = 0x8580
_ADDRESS_FOLLOWS: Final = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04"
_TYPE_A: Final = b"\x00\x01"


def ip(*words: str, inside: int = 0) -> Any:
    """Return what ``ip`` says, in the host or in the network of a process."""
    enter = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside else []
    command = [*enter, "ip", "-json", *words]
    done = subprocess.run(command, capture_output=True, timeout=_WITHIN, check=True)
    return json.loads(done.stdout or b"[]")


def only(container: Container) -> NetworkStatus:
    (network,) = container.status.networks
    return network


def address(container: Container, version: int = 4) -> str:
    """Return an address of the container's, without the length of the prefix."""
    found = (ipaddress.ip_interface(text).ip for text in only(container).addresses)
    return next(str(each) for each in found if each.version == version)


def server(name: str, **more: Any) -> ContainerSpec:
    """A container that answers with a name, and says so once it listens."""
    script = f"echo {name} >/tmp/it; httpd -p {PORT} -h /tmp; echo ready; exec sleep 100000"
    return shell(script, **more)


def client(*targets: str, **more: Any) -> ContainerSpec:
    """A container that prints who answers at each target, or that nobody does."""
    return shell("; ".join(f"{_asks(target)} || echo {NOBODY}" for target in targets), **more)


def _asks(target: str) -> str:
    host = f"[{target}]" if ":" in target else target
    return f"timeout 3 wget -q -O - http://{host}:{PORT}/it"


async def ask(target: str) -> str:
    """Return who answers at a target, asked from the host."""
    async with asyncio.timeout(_WITHIN):
        reader, writer = await asyncio.open_connection(target, PORT)
        writer.write(b"GET /it HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer.decode().rpartition("\r\n\r\n")[2].strip()


@asynccontextmanager
async def name_server(at: str, found: str) -> AsyncIterator[list[str]]:
    """Answer every question for a name with one address; yield the names that were asked for."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _NameServer(asked, found), local_addr=(at, 53)
    )
    try:
        yield asked
    finally:
        transport.close()


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, asked: list[str], found: str) -> None:
        self._asked = asked
        self._found = ipaddress.ip_address(found).packed

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        (number, *_), question = _HEADER.unpack_from(data), data[_HEADER.size :]
        end = question.index(b"\0") + 1
        self._asked.append(_name(question[:end]))
        wanted = question[end : end + 2] == _TYPE_A
        answer = _ADDRESS_FOLLOWS + self._found if wanted else b""
        header = _HEADER.pack(number, _ANSWER, 1, int(wanted), 0, 0)
        self._transport.sendto(header + question[: end + 4] + answer, addr)


def _name(labels: bytes) -> str:
    parts = []
    while labels[0]:
        parts.append(labels[1 : 1 + labels[0]].decode())
        labels = labels[1 + labels[0] :]
    return ".".join(parts)
