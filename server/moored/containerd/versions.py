"""Which containerd answers, and whether we know how to talk to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from google.protobuf.empty_pb2 import Empty

from moored import errors
from moored.containerd.connection import CALL_LIMIT
from moored.containerd_api import version_pb2_grpc

if TYPE_CHECKING:
    from moored.containerd.connection import Connection

SERVED: Final = "1.6, 1.7 and 2.x"
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)(?:[.~+-].*)?")


async def server_version(
    connection: Connection, *, within: float = CALL_LIMIT, wait_for_ready: bool = True
) -> str:
    """Return what containerd calls itself, such as ``1.6.20~ds1``."""
    stub = version_pb2_grpc.VersionStub(connection.channel)
    reply = await connection.unary(
        stub.Version,
        Empty(),
        "ask containerd for its version",
        within=within,
        wait_for_ready=wait_for_ready,
    )
    return reply.version


def check(version: str) -> None:
    """Raise SetupRefused unless ``version`` is one that we serve."""
    match = _VERSION.fullmatch(version.strip())
    if match is None:
        raise errors.SetupRefused(
            f"cannot use this containerd: it calls its version {version!r}, and {SERVED} are served"
        )
    major, minor = int(match[1]), int(match[2])
    if not ((major == 1 and minor in (6, 7)) or major == 2):
        raise errors.SetupRefused(
            f"cannot use containerd {version}: only {SERVED} are served; install one of these"
        )
