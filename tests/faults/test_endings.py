"""The law: however a call ends, its caller, its span, its measure and its log say the same."""

from __future__ import annotations

import asyncio
import io
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from moored.telemetry import logging as log
from moored.telemetry.measures import Measures
from tests.faults.door import serving
from tests.faults.endings import ENDINGS, LARGEST, UNSEEN, Ending, Stage, Told
from tests.faults.world import WITHIN, bring_image, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.fakes.containerd import FakeContainerd
    from tests.faults.world import World
    from tests.real.wire import Wire

DOCUMENT = Path(__file__).parents[2] / "docs" / "endings.md"


@dataclass(frozen=True)
class Seen:
    """What one channel says of a call: its code, and why."""

    method: str
    code: str
    reason: str


@contextmanager
def listening() -> Iterator[io.StringIO]:
    out = io.StringIO()
    log.configure("json", "debug", out)
    yield out
    logger.remove()


def measured(reader: InMemoryMetricReader) -> list[Seen]:
    found = reader.get_metrics_data()
    points = [
        point
        for resource in (found.resource_metrics if found else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "rpc.server.call.duration"
        for point in metric.data.data_points
    ]
    return [_seen(point.attributes or {}) for point in points]


def _seen(said: Mapping[str, Any]) -> Seen:
    code, reason = said["rpc.response.status_code"], said.get("error.type", "")
    return Seen(str(said["rpc.method"]), str(code), str(reason))


def logged(text: str, method: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    short = method.rpartition("/")[2]
    return [line for line in lines if "code" in line and line.get("method") == short]


@dataclass(frozen=True)
class Report:
    """All that was said of one ending."""

    told: Told
    spans: list[tuple[Seen, str]]
    measures: list[Seen]
    lines: list[dict[str, Any]]


async def reported(home: Path, fake: FakeContainerd, ending: Ending) -> Report:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    with listening() as out:
        async with opened(
            home, fake, concurrent_starts=1, undo_timeout=1, largest_message=LARGEST
        ) as world:
            await bring_image(world)
            world.site = replace(world.site, measures=Measures(provider.get_meter("test")))
            async with serving(world) as (wire, server):
                told = await ending.bring(Stage(world, wire, server))
                fake.forgive()
                await _heard(world, wire, ending)
            spans = _spans(world, ending.method)
    return Report(told, spans, measured(reader), logged(out.getvalue(), ending.method))


async def _heard(world: World, wire: Wire, ending: Ending) -> None:
    """Return once the server knows that its caller is gone: the caller knew it first."""
    async with asyncio.timeout(WITHIN):
        while ending.method and not _spans(world, ending.method):
            await wire.list()


def _spans(world: World, method: str) -> list[tuple[Seen, str]]:
    return [
        (_seen(span.attributes), span.status.status_code.name)
        for span in world.finished
        if span.name == method
    ]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.way)
async def test_all_say_the_same(home: Path, fake: FakeContainerd, ending: Ending) -> None:
    report = await reported(home, fake, ending)
    wanted = Seen(ending.method, ending.code, ending.reason)
    assert report.told.code == ending.code
    assert report.told.reason in ("", ending.reason)
    assert (wanted, ending.span) in report.spans
    assert wanted in report.measures
    lines = {(line["code"], line.get("reason", ""), line["level"]) for line in report.lines}
    assert (ending.code, ending.reason, ending.level.lower()) in lines
    assert len(report.lines) == len(report.spans)
    assert all(len(line["trace_id"]) == 32 for line in report.lines)


@pytest.mark.parametrize("ending", UNSEEN, ids=lambda ending: ending.way)
async def test_what_grpc_answers_itself_is_not_seen(
    home: Path, fake: FakeContainerd, ending: Ending
) -> None:
    report = await reported(home, fake, ending)
    assert report.told == Told(ending.code)
    assert (report.spans, report.measures, report.lines) == ([], [], [])


def test_the_document_has_the_same_table() -> None:
    rows = re.findall(r"^\| ([^|]+) \|(.*)\|$", DOCUMENT.read_text(), re.MULTILINE)
    written = {way: [cell.strip(" `") for cell in cells.split("|")] for way, cells in rows[1:]}
    table = {
        ending.way: [
            ending.method.removeprefix("moorage.v1."),
            ending.code,
            ending.reason or "",
            ending.span,
            ending.level,
        ]
        for ending in (*ENDINGS, *UNSEEN)
    }
    assert written == table
