"""The wire in front of a world: the real servicers on a socket, in this process.

What a verb answers is then what its callers see, with code, reason and all.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from moored.api.server import Server
from moored.containerd.locate import Located
from moored.containerd.versions import server_version
from moored.keepers.pulse import Pulse
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.api.certificates import Certificates
    from tests.faults.world import World


@asynccontextmanager
async def connected(world: World) -> AsyncIterator[Wire]:
    """Serve a world's house, and return one connection to it."""
    async with serving(world) as (wire, _):
        yield wire


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[tuple[Wire, Server]]:
    """The same, with the server itself."""
    address = f"unix://{world.home}/m.sock"
    async with listening(world, address) as (server, _), Wire(address) as wire:
        yield wire, server


@asynccontextmanager
async def listening(
    world: World, *addresses: str, certificates: Certificates | None = None
) -> AsyncIterator[tuple[Server, list[int]]]:
    """Serve a world's house on these addresses; the port of each is returned, too."""
    site, connection = world.site, world.house.adapters.connection
    located = Located(site.address, embedded=False, version="fake", places=site.places)
    pulse = Pulse(ask=lambda: server_version(connection, within=1.0))
    server = Server.build(site, world.house, located=located, runtimes=(), pulse=pulse)
    ports = server.bind(addresses, certificates)
    await server.start()
    try:
        yield server, ports
    finally:
        await server.stop()
