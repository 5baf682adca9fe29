"""Callers who come through Envoy get what moored answers, and Envoy sees how moored is."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_service_pb2 as service
from moorage.v1 import exec_service_pb2
from tests.envoy.conftest import behind, on_loopback
from tests.real.collector import collecting
from tests.real.conversations import attached, executing
from tests.real.crowd import STREAMS, Crowd
from tests.real.deadlines import eventually
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.envoy.conftest import Mesh, Trust
    from tests.envoy.process import Envoy
    from tests.envoy.sample import Bootstrap
    from tests.real.collector import Collector
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

BUF = Path(sys.executable).parent / "buf"
PROTOS = Path(__file__).parents[2] / "protos"
CONTAINERS = "/moorage.v1.ContainerService"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LONGER_THAN_IDLE = 75.0


async def test_a_life_is_lived_through_envoy(through: Wire) -> None:
    async with through.running(shell(OBEYS)) as container:
        await through.until_printed(container.id, "ready")
        async with executing(through, container.id, "cat", stdin=True) as talk:
            await talk.hear()
            await talk.type("through and back\n")
            await talk.until("through and back")
            await talk.end_stdin()
            assert (await talk.to_end()).exit.code == 0
        async with attached(through, container.id) as talk:
            await talk.until("ready")
        assert (await through.stop(container.id)).container.status.exit.code == 7
    assert container.id not in {found.id for found in await through.list()}


async def test_an_error_arrives_with_its_reason(through: Wire) -> None:
    found = await refused(through.inspect("nobody"))
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "CONTAINER_NOT_FOUND")
    assert found.metadata == {"reference": "nobody"}


async def test_a_deadline_reaches_moored_and_a_cancel_its_handler(
    through: Wire, meshed: Moored
) -> None:
    async with through.running(sleeper()) as container:
        forever = service.WaitRequest(container=container.id)
        answer = await through.containers.Wait(forever, timeout=2)
        assert not answer.reached, "moored answers before its caller's deadline"
        meshed.mark()
        call = through.containers.Wait(forever, timeout=CALL_WITHIN)
        await through.inspect(container.id)
        call.cancel()
        await eventually(lambda: "Wait CANCELLED" in meshed.tail(), "moored hears of it")


async def test_the_limit_of_a_route_is_a_deadline_for_moored_too(mesh: Mesh) -> None:
    def end_after_two_seconds(bootstrap: Bootstrap) -> None:
        for method in (f"{CONTAINERS}/Wait", "/moorage.v1.ExecService/ExecSync"):
            limit = {"max_stream_duration": "2s", "grpc_timeout_header_max": "0s"}
            bootstrap.routes[method]["max_stream_duration"] = limit

    with mesh.front(end_after_two_seconds) as envoy:
        async with mesh.wire(envoy) as wire, wire.running(sleeper()) as container:
            forever = service.WaitRequest(container=container.id)
            assert not (await wire.containers.Wait(forever)).reached
            asleep = exec_service_pb2.ExecSpec(args=["sleep", "100000"])
            request = exec_service_pb2.ExecSyncRequest(container=container.id, spec=asleep)
            found = await refused(wire.execs.ExecSync(request))
            assert found.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_more_calls_than_the_circuit_takes_are_unavailable_at_once(mesh: Mesh) -> None:
    def take_two(bootstrap: Bootstrap) -> None:
        bootstrap.moored["circuit_breakers"]["thresholds"][0]["max_requests"] = 2

    with mesh.front(take_two) as envoy:
        async with mesh.wire(envoy) as wire, wire.running(sleeper()) as container:
            waits = [
                wire.containers.Wait(service.WaitRequest(container=container.id), timeout=20)
                for _ in range(2)
            ]
            active = "cluster.moored.upstream_rq_active"
            await eventually(lambda: envoy.counted(active) == 2, "both wait")
            found = await refused(wire.containers.List(service.ListRequest(), timeout=20))
            assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "")
            assert "overflow" in found.message
            for wait in waits:
                wait.cancel()
            await eventually(lambda: envoy.counted(active) == 0, "neither waits")


def test_a_page_calls_by_grpc_web(plain: tuple[Mesh, Envoy]) -> None:
    mesh, envoy = plain
    authority, caller = mesh.trust.authority, mesh.trust.caller
    command = [
        *(str(BUF), "curl", "--protocol", "grpcweb", "--schema", str(PROTOS)),
        *("--cacert", str(authority.certificate)),
        *("--cert", str(caller.certificate), "--key", str(caller.key)),
        f"https://localhost:{envoy.port}{CONTAINERS}/GetServerInfo",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"]


async def test_one_trace_goes_through_envoy_and_moored(
    site: Site, trust: Trust, tmp_path: Path
) -> None:
    with collecting() as collector:
        moored = on_loopback(site, trust, spans_to=collector.address)
        mesh = behind(moored, tmp_path, trust)
        port = int(collector.address.rpartition(":")[2])
        with mesh.front(collector=port) as envoy:
            async with mesh.wire(envoy) as wire:
                await wire.containers.List(
                    service.ListRequest(),
                    metadata=(("traceparent", f"00-{TRACE}-{SPAN}-01"),),
                    wait_for_ready=True,
                    timeout=CALL_WITHIN,
                )
            moored.stop()
            await eventually(lambda: len(_of_trace(collector)) == 2, "both have exported")
        front, server = sorted(_of_trace(collector), key=lambda span: span.name != "ingress")
        assert front.parent_span_id.hex() == SPAN
        assert server.parent_span_id == front.span_id
        assert server.name == "moorage.v1.ContainerService/List"


def _of_trace(collector: Collector) -> list[Span]:
    return [span for span in collector.spans if span.trace_id.hex() == TRACE]


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_silent_streams_outlive_the_idle_timeout_by_their_heartbeats(
    through: Wire,
) -> None:
    async with through.running(sleeper()) as container:
        crowd = Crowd([through], container.id, "silent")
        listening = asyncio.create_task(crowd.listen(len(STREAMS), within=LONGER_THAN_IDLE))
        await listening
        told = {stream.method: stream.refused for stream in crowd.streams}
        assert {method: each and each.code for method, each in told.items()} == dict.fromkeys(
            STREAMS, grpc.StatusCode.DEADLINE_EXCEEDED
        )
