"""HTTP: one GET, of which only the line with the status is read."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Final

from moored.probes.finding import Finding, failed, succeeded

if TYPE_CHECKING:
    import socket

    from moored.model.health import HttpProbe

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_GOOD: Final = range(200, 400)
_LONGEST_LINE: Final = 4096


async def get(connected: socket.socket, probe: HttpProbe) -> Finding:
    """Ask over ``connected``, which is closed at the end. OSError: the server did not answer."""
    tls = _any_certificate() if probe.tls else None
    reader, writer = await asyncio.open_connection(
        sock=connected, ssl=tls, server_hostname="" if tls else None, limit=_LONGEST_LINE
    )
    try:
        writer.write(_request(probe))
        await writer.drain()
        line = await reader.readline()
    except ValueError:
        return failed("the answer is no HTTP: its first line is too long")
    finally:
        writer.transport.abort()  # whatever else the server has to say
    return _judged(line)


def _judged(line: bytes) -> Finding:
    if not line:
        return failed("the connection was closed without an answer")
    said = line.decode("latin-1").strip()
    if (match := _STATUS.fullmatch(line)) is None:
        return failed(f"the answer is no HTTP: {said[:80]!r}")
    return succeeded(said) if int(match[1]) in _GOOD else failed(said)


def _request(probe: HttpProbe) -> bytes:
    headers = {"host": ("Host", _authority(probe)), "user-agent": ("User-Agent", "moored")}
    headers |= {name.lower(): (name, value) for name, value in probe.headers}
    lines = [
        f"GET {probe.path or '/'} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.values()),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _authority(probe: HttpProbe) -> str:
    host = probe.host or "localhost"
    return f"[{host}]:{probe.port}" if ":" in host else f"{host}:{probe.port}"


def _any_certificate() -> ssl.SSLContext:
    """Return settings that take every certificate: whether it serves is asked, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
