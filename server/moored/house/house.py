"""The whole: everything built once, and taken down again last first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.house.ground import Ground
from moored.house.keepers import Keepers, build_exits
from moored.house.verbs import Verbs

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from moored.feed import Feed
    from moored.house.adapters import Adapters
    from moored.house.site import Site
    from moored.network.networks import Networks
    from moored.owner import Owner
    from moored.registry import Registry
    from moored.requests import Requests
    from moored.streams.follow import Hub
    from moored.verbs.run_streams import RunStreams


@dataclass(frozen=True, kw_only=True)
class House:
    registry: Registry
    feed: Feed
    requests: Requests
    adapters: Adapters
    hub: Hub
    owner: Owner
    networks: Networks
    streams: RunStreams
    verbs: Verbs
    keepers: Keepers

    @classmethod
    async def build(cls, site: Site, stack: AsyncExitStack) -> House:
        """Read the ledger and build all. ``stack`` takes it down again, last first."""
        ground = await Ground.build(site, stack)
        exits = build_exits(ground)
        stack.push_async_callback(exits.close)
        verbs = Verbs.build(ground, exits)
        return cls(
            registry=ground.registry,
            feed=ground.feed,
            requests=ground.requests,
            adapters=ground.adapters,
            hub=ground.hub,
            owner=ground.owner,
            networks=ground.networks,
            streams=ground.streams,
            verbs=verbs,
            keepers=Keepers.build(ground, exits, verbs),
        )
