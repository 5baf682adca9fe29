"""Containers to test with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moored import errors
from moored.model.identity import ContainerId
from moored.model.spec import Image, Spec
from moored.model.state import Snapshot

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
