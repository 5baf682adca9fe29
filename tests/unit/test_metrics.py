"""The law: docs/metrics.md names what is measured; where nobody collects, nothing is."""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from moored.errors import SetupRefused
from moored.keepers.census import STATES, Tally
from moored.model import state
from moored.model.identity import ContainerId
from moored.telemetry import metrics, process
from moored.telemetry.measures import Measures

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ELSEWHERE = {
    "moored.containers",
    "moored.leftovers",
    "moored.orphans",
    "moored.start.queue",
    "moored.containerd.reachable",
    "moored.reloads",
    "moored.certificate.remaining",
}
"""Made where their numbers are; the test of a real moored looks for them."""


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def measures(reader: InMemoryMetricReader) -> Measures:
    return Measures(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))


def seen(reader: InMemoryMetricReader) -> dict[str, list[Mapping[str, object]]]:
    """Return the attributes of each point, by the instrument's name and unit."""
    found: dict[str, list[Mapping[str, object]]] = {}
    collected = reader.get_metrics_data()
    assert collected is not None
    for resource in collected.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points: list[Mapping[str, object]] = [
                    dict(point.attributes or {}) for point in metric.data.data_points
                ]
                found[f"{metric.name} {metric.unit}"] = points
    return found


def documented() -> dict[str, set[str]]:
    ours = DOCUMENT.read_text().partition("\n## Of each container")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (\S+) \|([^|]*)\|", ours, re.MULTILINE)
    return {f"{name} {unit}": set(re.findall(r"`([\w.]+)`", said)) for name, unit, said in rows}


def test_the_document_names_what_is_measured_with_its_unit_and_its_attributes(
    reader: InMemoryMetricReader, measures: Measures
) -> None:
    measures.call("moorage.v1.ContainerService/Start", "NOT_FOUND", "IMAGE_NOT_FOUND", 0.1)
    measures.step("start.task", "done", 0.1)
    measures.release("task", "released", 0.1)
    measures.claim(0.1)
    measures.commit(3, "done", 0.001)
    measures.probe("http", "succeeded", 0.1)
    measures.exec_start("begun", 0.1)
    measures.exec_end("exited")
    measures.exit("process")
    measures.start_failure("task", "COMMAND_NOT_FOUND")
    measures.restart()
    measures.interference()
    loop = asyncio.new_event_loop()
    process.watch(measures, loop)
    found = {name: set(points[0]) for name, points in seen(reader).items()}
    wanted = {
        name: said for name, said in documented().items() if name.split(" ")[0] not in ELSEWHERE
    }
    assert found == wanted
    loop.close()


def test_what_is_watched_is_read_when_somebody_collects(
    reader: InMemoryMetricReader, measures: Measures
) -> None:
    numbers = {"a": 1}
    measures.watch("some.number", "1", "Some", lambda: numbers, by="kind")
    numbers["b"] = 2
    assert seen(reader)["some.number 1"] == [{"kind": "a"}, {"kind": "b"}]


def test_nobody_who_collects_means_nothing_that_measures() -> None:
    metering = metrics.build("1", "x", "", {})
    assert isinstance(metering.meter, NoOpMeter)
    assert metering.shutdown()


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_METRICS_EXPORTER": "prometheus"},
        {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
    ],
)
def test_an_exporter_that_is_not_served_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SetupRefused, match="cannot export metrics"):
        metrics.build("1", "x", "", environ)


def test_an_endpoint_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupRefused, match="cannot serve metrics"):
            metrics.build("1", "x", f"127.0.0.1:{port}", {})


def test_prometheus_is_answered_and_the_endpoint_ends_with_the_rest() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    metering = metrics.build("1", "x", address, {})
    Measures(metering.meter).exit("oom")
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert metering.shutdown()
    assert re.search(r'^moored_exits_total\{.*origin="oom".*\} 1\.0$', text, re.MULTILINE)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{address}/metrics", timeout=10)


def test_each_state_has_a_name_that_callers_know() -> None:
    assert set(STATES) == {kind.__name__ for kind in state.State.__args__}


def test_a_number_that_was_seen_goes_to_nothing_and_does_not_vanish() -> None:
    tally, one, other = Tally(), ContainerId("1"), ContainerId("2")
    tally.set(one, Counter(["running"]))
    tally.set(other, Counter(["running"]))
    tally.set(one, Counter(["exited"]))
    before = tally.now
    tally.set(other, Counter())
    assert before == {"running": 1, "exited": 1}
    assert tally.now == {"running": 0, "exited": 1}
    tally.clear()
    tally.set(other, Counter(["running"]))
    assert tally.now == {"running": 1, "exited": 0}
