"""Where a containerd keeps its files. It does not say so in its API, so it is looked up.

Its root is above what its snapshotter exports; its state directory is in the command line or
the configuration of the process that listens at its socket.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moored.containerd import sockets
from moored.containerd_api import introspection_pb2, introspection_pb2_grpc
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.containerd.connection import Connection

DEFAULT_ROOT: Final = Path("/var/lib/containerd")
DEFAULT_STATE: Final = Path("/run/containerd")
_DEFAULT_CONFIG: Final = "/etc/containerd/config.toml"


@dataclass(frozen=True)
class Places:
    address: str
    """Its socket; shims are named after it."""
    root: Path
    """Persistent."""
    state: Path
    """Volatile: the bundles of tasks are here."""


async def find(connection: Connection) -> Places:
    """Return where the containerd at the other end keeps its files."""
    found = await in_thread(lambda: told(connection.address))
    return replace(found, root=await _exported_root(connection) or found.root)


async def _exported_root(connection: Connection) -> Path | None:
    stub = introspection_pb2_grpc.IntrospectionStub(connection.channel)
    request = introspection_pb2.PluginsRequest(filters=["type~=io.containerd.snapshotter.v1"])
    reply = await connection.unary(stub.Plugins, request, "ask containerd for its plugins")
    for plugin in reply.plugins:
        root = Path(plugin.exports.get("root", ""))
        if root.name == f"{plugin.type}.{plugin.id}":
            return root.parent
    return None


def told(address: str) -> Places:
    """Return what the process that listens at ``address`` was told, or the usual places."""
    process = Path("/proc") / str(sockets.listener(address))
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    config = _config(process, _option(words, "--config", "-c") or _DEFAULT_CONFIG)
    root = _option(words, "--root") or config.get("root")
    state = _option(words, "--state") or config.get("state")
    return Places(
        address,
        Path(root) if isinstance(root, str) and root else DEFAULT_ROOT,
        Path(state) if isinstance(state, str) and state else DEFAULT_STATE,
    )


def _option(words: Sequence[str], *names: str) -> str:
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else "".join(words[number + 1 : number + 2])
    return ""


def _config(process: Path, path: str) -> dict[str, Any]:
    """Return the configuration as that process sees it, which may have a root of its own."""
    try:
        with (process / "root" / path.lstrip("/")).open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):
        return {}
