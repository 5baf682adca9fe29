"""Attachments by scripted plugins, with names for namespaces that are no mounts."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import NoOpTracer

from moored.network.cni import configuration
from moored.network.cni.attachments import Attachments
from moored.network.cni.plugins import Plugins
from moored.network.cni.records import AttachmentId, Records
from moored.network.cni.upkeep import Upkeep
from moored.network.cni.wishes import Wish
from tests.cni.scripted import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.network.cni.results import Result

RUN = f"{7:032x}.1"
ETH0 = AttachmentId(RUN, "eth0")
ETH1 = AttachmentId(RUN, "eth1")


@dataclass
class PaperPins:
    """Namespaces by name: only the names."""

    held: dict[str, str] = field(default_factory=dict)

    def path(self, run: str) -> Path:
        return Path("/names", run)

    def pin(self, run: str, namespace: str) -> None:
        self.held.setdefault(run, namespace)

    def is_pinned(self, run: str) -> bool:
        return run in self.held

    def all(self) -> list[str]:
        return sorted(self.held)

    def unpin(self, run: str) -> bool:
        return self.held.pop(run, None) is not None


@dataclass
class Bench:
    """Everything that attaches, on plugins that do as they are told."""

    attachments: Attachments
    plugin: Scripted
    pins: PaperPins
    records: Records
    upkeep: Upkeep

    async def add(self, document: dict[str, Any], id_: AttachmentId = ETH0, **wish: Any) -> Result:
        network = configuration.from_document(document)
        return await self.attachments.add(id_, network, namespace="/proc/1/fd/9", wish=Wish(**wish))

    @property
    def left(self) -> list[str]:
        """What is still there of anything that was attached."""
        return [*self.plugin.world, *(id_.key for id_ in self.records.all()), *self.pins.held]

    def with_limits(self, seconds: float) -> Bench:
        limited = replace(self.attachments, add_limit=seconds, delete_limit=seconds)
        return replace(self, attachments=limited)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    plugin = Scripted(tmp_path, "one", "two", "three")
    pins, records = PaperPins(), Records(tmp_path / "cache")
    with ThreadPoolExecutor(4) as executor:
        environ = {**os.environ, "MOORED_SECRET": "x", "CNI_ARGS": "stale"}
        plugins = Plugins([tmp_path / "nowhere", plugin.programs], executor, environ)
        attachments = Attachments(
            records=records,
            pins=pins,
            plugins=plugins,
            tracer=NoOpTracer(),
            add_limit=20,
            delete_limit=20,
        )
        upkeep = Upkeep(records=records, plugins=plugins, limit=20)
        yield Bench(attachments, plugin, pins, records, upkeep)
