"""Containers to test with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moored import errors
from moored.ledger.changes import Drop, Happening, Put
from moored.ledger.tidings import Past
from moored.model.identity import ContainerId
from moored.model.spec import Image, Spec
from moored.model.state import Snapshot
from moored.model.tidings import of_container

if TYPE_CHECKING:
    from moored.ledger.changes import Change

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IMAGE = Image("docker.io/library/busybox:latest", "sha256:1", "sha256:2", args=("sh",))


def now() -> datetime:
    return AT


def snapshot(number: int = 1, name: str = "") -> Snapshot:
    return Snapshot(
        id=ContainerId(f"{number:032x}"),
        spec=Spec(image="busybox", name=name),
        image=IMAGE,
        runtime="runc",
        created=AT.replace(microsecond=number % 1_000_000),
    )


def happening(revision: int, kind: str = "Changed") -> Happening:
    return Happening(of_container(kind, snapshot(), revision=revision, at=AT), "{}")


class Journal:
    """A ledger in memory, that can be held up and can fail."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.fails = False
        self.open = asyncio.Event()
        self.open.set()
        self.reached = asyncio.Event()

    async def commit(self, change: Change) -> None:
        self.reached.set()
        await self.open.wait()
        if self.fails:
            raise errors.LedgerFailed("cannot write the ledger: disk full")
        self.changes.append(change)

    async def tidings(self, after: int, limit: int) -> Past:
        happenings = [h for c in self.changes if isinstance(c, Put | Drop) for h in c.happenings]
        kept = [happening.tiding for happening in happenings]
        later = [tiding for tiding in kept if tiding.revision > after]
        return Past(later[:limit], kept[0].revision if kept else None)
