"""What people are shown of what containers use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moorage.cli.tables import table
from moorage.cli.times import size
from moorage.cli.views import SHORT

if TYPE_CHECKING:
    from moorage.v1.container_service_pb2 import StatsResponse
    from moorage.v1.stats_pb2 import ContainerStats, MemoryStats

_NOT_KNOWN: Final = "-"
_HEADINGS: Final = (
    "ID", "NAME", "CPU", "MEMORY", "LIMIT", "PIDS", "RECEIVED", "SENT", "READ", "WRITTEN",
)  # fmt: skip


def table_of(answer: StatsResponse) -> str:
    return table(_HEADINGS, [_row(shown) for shown in answer.containers])


def _row(shown: ContainerStats) -> tuple[str, ...]:
    has = shown.HasField
    return (
        shown.container[:SHORT],
        shown.name,
        f"{shown.cpu.processors:.2%}" if shown.cpu.HasField("processors") else _NOT_KNOWN,
        size(shown.memory.working_set) if has("memory") else _NOT_KNOWN,
        _limit(shown.memory),
        str(shown.pids.current) if has("pids") else _NOT_KNOWN,
        size(sum(one.received_bytes for one in shown.interfaces)),
        size(sum(one.sent_bytes for one in shown.interfaces)),
        size(shown.io.read_bytes) if has("io") else _NOT_KNOWN,
        size(shown.io.write_bytes) if has("io") else _NOT_KNOWN,
    )


def _limit(memory: MemoryStats) -> str:
    return size(memory.limit) if memory.HasField("limit") else _NOT_KNOWN
