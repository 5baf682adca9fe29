"""What a real moored exports to a collector that is a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from moorage.v1 import container_service_pb2 as wire_
from moorage.v1.exec_service_pb2 import ExecSpec, ExecSyncRequest
from tests.real.receiver import Receiver, attributes, receiving
from tests.real.specs import sleeper
from tests.real.traced import Stories, drawn, lived
from tests.real.wire import Wire, duration, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

DOCUMENT = Path(__file__).parents[2] / "docs" / "traces.md"
STEP = re.compile(r"start\.[a-z]+(\.claim|\.queue)?")


@pytest.fixture(scope="module")
def stories(site: Site, archive: Path) -> Stories:
    return asyncio.run(lived(site, archive))


def vocabulary() -> list[re.Pattern[str]]:
    """Return the patterns of docs/traces.md: what is in capitals there stands for many."""
    cells = re.findall(r"^\| (`[^|]+`) \|", DOCUMENT.read_text(), re.MULTILINE)
    rows = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    return [re.compile(re.sub(r"[A-Z]{3,}", r"[A-Za-z0-9_.]+", re.escape(row))) for row in rows]


def parents(stories: Stories) -> dict[str, set[str]]:
    """Return what each name was found directly below; "" where it begins a trace."""
    names = {span.id: span.name for span in stories.spans}
    found: dict[str, set[str]] = {}
    for span in stories.spans:
        found.setdefault(span.name, set()).add(names.get(span.parent, span.parent))
    return found


def test_each_span_has_its_place(stories: Stories) -> None:
    below = parents(stories)
    rpc = "moorage.v1.ContainerService"
    assert below["start"] == {f"{rpc}/Start"}
    assert below["cni.add"] == {"start.attach"}
    assert below["cni.del"] <= {"start.attach.undo", "release.attachment"}
    assert below["containerd.services.tasks.v1.Tasks/Create"] == {"start.task"}
    assert below["containerd.services.tasks.v1.Tasks/Start"] == {"start.run"}
    assert "start.rootfs" in below["containerd.services.snapshots.v1.Snapshots/Prepare"]
    steps = {name for name in below if name.startswith("start.")}
    inner = {name for name in steps if name.endswith((".claim", ".queue"))}
    assert all(below[name] == {"start.admit"} for name in inner)
    assert all(below[name] == {"start"} for name in steps - inner)


def test_no_span_is_an_orphan_and_only_calls_and_background_work_begin_a_trace(
    stories: Stories,
) -> None:
    known = {span.id for span in stories.spans}
    assert [span.name for span in stories.spans if span.parent and span.parent not in known] == []
    beginnings = {span.name for span in stories.spans if not span.parent}
    assert {name for name in beginnings if "/" not in name} == {"exit"}
    assert not any(name.startswith("containerd") for name in beginnings)


def test_names_are_of_the_documents_and_no_id_is_in_one(stories: Stories) -> None:
    names = {span.name for span in stories.spans}
    known = vocabulary()
    assert sorted(n for n in names if not any(each.fullmatch(n) for each in known)) == []
    assert not any(re.search(r"[0-9a-f]{8}", name) for name in names)


def test_a_failed_step_is_undone_in_reverse(stories: Stories) -> None:
    spans = [span for span in stories.spans if span.trace == stories.failed]
    [failed] = [s for s in spans if s.status == "ERROR" and STEP.fullmatch(s.name)]
    assert failed.name == "start.run"
    undone = [span for span in spans if span.name.endswith(".undo")]
    assert min(span.began for span in undone) >= failed.ended
    order = [span.name.split(".")[1] for span in undone]
    assert order.index("task") < order.index("attach") < order.index("container")
    assert order.index("container") < order.index("mounts") < order.index("rootfs")
    assert Counter(span.status for span in undone) == {"UNSET": len(undone)}


def test_an_exit_is_linked_to_the_start_of_its_run(stories: Stories) -> None:
    exits = [span for span in stories.spans if span.name == "exit"]
    assert [span.links for span in exits] == [[stories.run]]
    assert exits[0].attributes["container.id"] == stories.container
    released = {s.name for s in stories.spans if s.parent == exits[0].id}
    assert {"release.task", "release.bridge", "release.container"} <= released


def test_the_drawing_has_every_span_of_the_trace_once(stories: Stories) -> None:
    lines = drawn(stories.spans, stories.failed).splitlines()
    assert len(lines) == sum(span.trace == stories.failed for span in stories.spans)
    assert lines[0].startswith("moorage.v1.ContainerService/Start ")
    assert lines[1].startswith("└─ start ")


CODES = {
    "Inspect": ("NOT_FOUND", "CONTAINER_NOT_FOUND", "UNSET", "info"),
    "Create": ("INVALID_ARGUMENT", "INVALID_FIELD", "UNSET", "info"),
    "Pause": ("FAILED_PRECONDITION", "CONTAINER_NOT_RUNNING", "UNSET", "info"),
    "Stop": ("ABORTED", "ETAG_MISMATCH", "UNSET", "info"),
    "Wait": ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "ERROR", "warning"),
    "Watch": ("CANCELLED", "CANCELLED", "ERROR", "info"),
    "Start": ("INTERNAL", "RUNTIME_REFUSED", "ERROR", "error"),
    "_OTHER": ("UNIMPLEMENTED", "UNIMPLEMENTED", "ERROR", "warning"),
    "Logs": ("UNAVAILABLE", "SHUTTING_DOWN", "ERROR", "warning"),
}
"""The one call of each method that does not end well, below."""
ENV, STDIN = "envs3cretw0rd", "std1ns3cret"


async def _ended_in_many_ways(wire: Wire, site: Site) -> None:
    spec = sleeper(name="made", env=[f"PASSWORD={ENV}"])
    made = await wire.create(spec)
    await refused(wire.inspect("nobody"))
    await refused(wire.create(sleeper(name="no name")))
    await refused(wire.containers.Pause(wire_.PauseRequest(container=made.id)))
    await refused(wire.containers.Stop(wire_.StopRequest(container=made.id, etag="999")))
    with site.gate.failing("create"):
        await refused(wire.run(sleeper(name="broken", runtime="gated")))
    await wire.start(made.id)
    told = ExecSpec(args=["cat"])
    await wire.execs.ExecSync(ExecSyncRequest(container=made.id, spec=told, stdin=STDIN.encode()))
    wait = wire_.WaitRequest(container=made.id, condition=wire_.WAIT_CONDITION_EXITED)
    wait.timeout.CopyFrom(duration(60))
    await refused(wire.containers.Wait(wait, timeout=0.5))
    call = wire.containers.Watch(wire_.WatchRequest())
    await anext(aiter(call))
    call.cancel()
    dance: Any = wire.channel.unary_unary("/moorage.v1.ContainerService/Dance")
    await refused(dance(b""))


async def _ends_under_a_stream(daemon: Moored, wire: Wire) -> None:
    request = wire_.LogsRequest(container="made", follow=True)
    call = wire.containers.Logs(request)
    reading = asyncio.ensure_future(_read(call))
    await wire.list()
    await wire.list()
    daemon.terminate()
    with pytest.raises(grpc.aio.AioRpcError):
        await reading
    assert await asyncio.to_thread(daemon.await_end) == 0


async def _read(call: Any) -> None:
    async for _ in call:
        pass


async def test_span_measure_and_line_say_the_same_of_a_real_moored(
    site: Site, archive: Path, tmp_path: Path
) -> None:
    with receiving(site.directory) as receiver:
        daemon = site.moored({"log_format": "json", "log_level": "trace"})
        daemon.spans_to = receiver.address
        daemon.start()
        daemon.import_image(archive)
        async with Wire(daemon.address) as wire:
            await _ended_in_many_ways(wire, site)
            await _ends_under_a_stream(daemon, wire)
        _agree(receiver, daemon.log.read_text())
        for word in (ENV, STDIN):
            assert word not in daemon.log.read_text()
            assert word not in receiver.file.read_text()
        daemon.spans_to = ""
        daemon.start()
        async with Wire(daemon.address) as wire:
            for container in await wire.list():
                await wire.remove(container.id)
        daemon.stop()


def _agree(receiver: Receiver, log: str) -> None:
    lines = [json.loads(line) for line in log.splitlines()]
    said = [line for line in lines if line.get("reason")]
    logged = {m["method"]: (m["code"], m["reason"], m["level"]) for m in said}
    assert logged == {method: (c, r, level) for method, (c, r, _, level) in CODES.items()}
    traced = {
        span.name.rpartition("/")[2]: (
            span.attributes["rpc.response.status_code"],
            span.attributes["error.type"],
            span.status,
        )
        for span in receiver.spans()
        if span.said["kind"] == "SPAN_KIND_SERVER" and "error.type" in span.attributes
    }
    assert traced == {method: (c, r, span) for method, (c, r, span, _) in CODES.items()}
    assert _measured(receiver) == {(m, c, r) for m, (c, r, _, _) in CODES.items()}


def _measured(receiver: Receiver) -> set[tuple[str, str, str]]:
    points = [
        attributes(point)
        for metric in receiver.metrics()
        if metric["name"] == "rpc.server.call.duration"
        for point in metric["histogram"]["dataPoints"]
    ]
    return {
        (
            point["rpc.method"].rpartition("/")[2],
            point["rpc.response.status_code"],
            point["error.type"],
        )
        for point in points
        if "error.type" in point
    }


async def test_log_lines_leave_by_otlp_where_they_are_asked_for(site: Site, archive: Path) -> None:
    with receiving(site.directory) as receiver:
        daemon = site.moored()
        daemon.spans_to, daemon.logs_too = receiver.address, True
        daemon.start()
        daemon.import_image(archive)
        async with Wire(daemon.address) as wire:
            box = await wire.run(sleeper(name="told"))
            await wire.remove(box.id)
        daemon.stop()
        [line] = [log for log in receiver.logs() if log["body"]["stringValue"] == "Start OK"]
        [trace] = {span.trace for span in receiver.spans() if span.name.endswith("/Start")}
    facts = {pair["key"]: next(iter(pair["value"].values())) for pair in line["attributes"]}
    assert facts["container"] == box.id
    assert (line["severityText"], line["traceId"]) == ("INFO", trace)
