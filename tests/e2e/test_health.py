"""Health: what runs is probed from inside, by whatever it asked for; what is found is shown, told
and waited for; and a probe is nobody's burden: no claim, no cleanup and no leak because of it.

Row S31 of what these behaviours descend from, and the part of S36 that is about probes.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_service
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from moorage.v1 import container_pb2, container_service_pb2, event_pb2, exec_service_pb2
from moorage.v1.health_pb2 import (
    PROBE_OUTCOME_FAILED,
    PROBE_OUTCOME_SUCCEEDED,
    PROBE_OUTCOME_TIMED_OUT,
    ExecProbe,
    GrpcProbe,
    HealthCheck,
    HttpProbe,
    TcpProbe,
)
from tests.outside import processes
from tests.real import health_server
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, duration, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.site import Site
pytestmark = pytest.mark.real

STARTING = container_pb2.HEALTH_STATE_STARTING
HEALTHY = container_pb2.HEALTH_STATE_HEALTHY
UNHEALTHY = container_pb2.HEALTH_STATE_UNHEALTHY
NOT_CONFIGURED = container_pb2.HEALTH_STATE_NOT_CONFIGURED
UNTIL_HEALTHY = container_service_pb2.WAIT_CONDITION_HEALTHY
QUICK = 0.2
WITHIN = 60.0
WEB = "mkdir -p /www && echo ok >/www/ready && exec httpd -f -p 8080 -h /www"


def check(*, every: float = QUICK, **fields: Any) -> HealthCheck:
    fields.setdefault("retries", 1)
    return HealthCheck(interval=duration(every), **fields)


def by_command(script: str, **fields: Any) -> HealthCheck:
    return check(exec=ExecProbe(args=["/bin/sh", "-c", script]), **fields)


async def until(
    wire: Wire, container: str, met: Callable[[container_pb2.Health], bool]
) -> container_pb2.Health:
    """Return the health of a container once it is as asked for."""
    seen = container_pb2.Health()

    async def look() -> bool:
        seen.CopyFrom((await wire.inspect(container)).status.health)
        return met(seen)

    await eventually(look, f"health of {container}", within=WITHIN)
    return seen


async def until_state(wire: Wire, container: str, state: int) -> container_pb2.Health:
    return await until(wire, container, lambda health: health.state == state)


async def changes(wire: Wire, container: Container, number: int) -> list[int]:
    """Return the first changes of a container's health, as they were told."""
    request = container_service_pb2.WatchRequest(since_revision=0)
    call = wire.containers.Watch(request, timeout=WITHIN)
    found: list[int] = []
    try:
        async for answer in call:
            event = answer.event
            if event.container == container.id:
                found += [event.health] * (event.kind == event_pb2.EVENT_KIND_HEALTH_CHANGED)
            if len(found) == number:
                return found
    finally:
        call.cancel()
    raise AssertionError(f"ended after {found}")


@pytest.mark.parametrize("network", ["none", "host"])
async def test_s31_what_runs_is_probed_and_what_changes_is_shown_and_told(
    own_site: Site, network: str
) -> None:
    daemon = own_site.start_moored({"allow_host_network": "true"})
    async with Wire(daemon.address) as wire:
        port = 8080 if network == "none" else 18080
        http = HttpProbe(port=port, path="/ready")
        script = WEB.replace("8080", str(port))
        async with wire.running(
            shell(script, network=network, health_check=check(http=http))
        ) as web:
            assert web.status.health.state == STARTING
            found = (await wire.wait(web.id, UNTIL_HEALTHY, within=WITHIN)).status.health
            assert found.state == HEALTHY
            assert found.results[-1].outcome == PROBE_OUTCOME_SUCCEEDED
            assert found.results[-1].output == "HTTP/1.1 200 OK"
            await executed(wire, web.id, "rm /www/ready")
            found = await until_state(wire, web.id, UNHEALTHY)
            assert found.results[-1].outcome == PROBE_OUTCOME_FAILED
            assert found.results[-1].output == "HTTP/1.1 404 Not Found"
            assert await changes(wire, web, 2) == [HEALTHY, UNHEALTHY]
    daemon.stop()


async def executed(wire: Wire, container: str, script: str) -> exec_service_pb2.ExecSyncResponse:
    request = exec_service_pb2.ExecSyncRequest(
        container=container, spec=exec_service_pb2.ExecSpec(args=["/bin/sh", "-c", script])
    )
    return await wire.execs.ExecSync(request, timeout=WITHIN)


async def test_a_connection_is_made_from_inside(wire: Wire) -> None:
    probe = check(tcp=TcpProbe(port=8080))
    script = "while [ ! -e /go ]; do sleep 0.1; done; exec httpd -f -p 8080"
    async with wire.running(shell(script, health_check=probe)) as box:
        found = await until_state(wire, box.id, UNHEALTHY)
        assert found.results[-1].output == "Connection refused"
        await executed(wire, box.id, "touch /go")
        await until_state(wire, box.id, HEALTHY)


async def test_grpc_is_asked_by_its_own_health_service(own_site: Site) -> None:
    daemon = own_site.start_moored({"allow_host_network": "true"})
    checks, server = health_service.HealthServicer(), grpc.aio.server()
    add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await checks.set("web", health_pb2.HealthCheckResponse.NOT_SERVING)
    probe = check(grpc=GrpcProbe(port=port, service="web"))
    try:
        async with (
            Wire(daemon.address) as wire,
            wire.running(sleeper(network="host", health_check=probe)) as box,
        ):
            found = await until_state(wire, box.id, UNHEALTHY)
            assert found.results[-1].output == "NOT_SERVING"
            await checks.set("web", health_pb2.HealthCheckResponse.SERVING)
            await wire.wait(box.id, UNTIL_HEALTHY, within=WITHIN)
    finally:
        await server.stop(None)
    daemon.stop()


@pytest.mark.parametrize(
    "probe",
    [
        {"http": HttpProbe(port=8080, path="/ready")},
        {"tcp": TcpProbe(port=8080)},
    ],
    ids=["http", "tcp"],
)
async def test_on_the_bridge_a_socket_is_asked_from_inside(
    wire: Wire, probe: dict[str, Any]
) -> None:
    async with wire.running(shell(WEB, network="bridge", health_check=check(**probe))) as box:
        await wire.wait(box.id, UNTIL_HEALTHY, within=WITHIN)
        assert box.status.networks[0].name == "bridge"


async def test_on_the_bridge_grpc_is_asked_from_inside(wire: Wire) -> None:
    probe = check(grpc=GrpcProbe(port=9090, service="web"))
    async with wire.running(sleeper(network="bridge", health_check=probe)) as box:
        await until_state(wire, box.id, UNHEALTHY)
        with health_server.serving(box.status.pid, "127.0.0.1:9090") as checks:
            checks.set("web", health_pb2.HealthCheckResponse.SERVING)
            await wire.wait(box.id, UNTIL_HEALTHY, within=WITHIN)


async def test_a_command_is_judged_by_its_exit_code_and_its_output_is_kept(wire: Wire) -> None:
    probe = by_command("test -e /ok && echo fine || { echo bad >&2; exit 3; }")
    async with wire.running(sleeper(health_check=probe)) as box:
        found = await until_state(wire, box.id, UNHEALTHY)
        last = found.results[-1]
        assert (last.outcome, last.exit_code, last.output) == (PROBE_OUTCOME_FAILED, 3, "bad\n")
        await executed(wire, box.id, "touch /ok")
        found = await until_state(wire, box.id, HEALTHY)
        last = found.results[-1]
        assert (last.outcome, last.exit_code, last.output) == (PROBE_OUTCOME_SUCCEEDED, 0, "fine\n")
        listed = await wire.execs.ListExecs(
            exec_service_pb2.ListExecsRequest(container=box.id), timeout=10
        )
        assert [e for e in listed.execs if e.spec.args[-1].startswith("test -e")] == []


async def test_the_output_of_a_command_is_bounded(wire: Wire) -> None:
    probe = by_command("yes | head -c 1000000")
    async with wire.running(sleeper(health_check=probe)) as box:
        found = await until_state(wire, box.id, HEALTHY)
        assert len(found.results[-1].output) == 4096


async def test_a_command_that_is_not_there_has_failed(wire: Wire) -> None:
    probe = check(exec=ExecProbe(args=["/no/such"]))
    async with wire.running(sleeper(health_check=probe)) as box:
        found = await until_state(wire, box.id, UNHEALTHY)
        assert found.results[-1].outcome == PROBE_OUTCOME_FAILED


async def test_a_command_that_hangs_is_ended_with_all_its_children(wire: Wire) -> None:
    probe = by_command("sleep 98765 & sleep 98765; true", timeout=duration(0.3))
    async with wire.running(sleeper(health_check=probe)) as box:
        found = await until_state(wire, box.id, UNHEALTHY)
        assert found.results[-1].outcome == PROBE_OUTCOME_TIMED_OUT
        await wire.containers.Pause(  # no other begins, and the one under way is ended
            container_service_pb2.PauseRequest(container=box.id), timeout=WITHIN
        )
        await wire.containers.Resume(
            container_service_pb2.ResumeRequest(container=box.id), timeout=WITHIN
        )
        hung = set(processes.naming("98765"))
        await eventually(
            lambda: not hung & set(processes.naming("98765")), "probes that hung are gone"
        )


async def test_what_is_paused_is_not_probed(wire: Wire) -> None:
    async with wire.running(sleeper(health_check=by_command("true"))) as box:
        await until_state(wire, box.id, HEALTHY)
        request = container_service_pb2.PauseRequest(container=box.id)
        await wire.containers.Pause(request, timeout=WITHIN)
        before = (await wire.inspect(box.id)).status.health
        other = await wire.run(sleeper(health_check=by_command("true")))
        await until(wire, other.id, lambda h: len(h.results) == 5)
        await wire.remove(other.id)
        assert (await wire.inspect(box.id)).status.health == before
        again = container_service_pb2.ResumeRequest(container=box.id)
        await wire.containers.Resume(again, timeout=WITHIN)
        last = before.results[-1].end_time.ToDatetime()
        await until(wire, box.id, lambda h: h.results[-1].end_time.ToDatetime() > last)


async def test_s36_after_its_exit_nothing_is_probed_and_the_last_finding_stays(wire: Wire) -> None:
    async with wire.running(sleeper(health_check=by_command("true"))) as box:
        await until_state(wire, box.id, HEALTHY)
        await wire.stop(box.id, grace=0)
        before = (await wire.inspect(box.id)).status.health
        assert before.state == HEALTHY
        other = await wire.run(sleeper(health_check=by_command("true")))
        await until(wire, other.id, lambda h: len(h.results) == 5)
        await wire.remove(other.id)
        assert (await wire.inspect(box.id)).status.health == before
        again = await wire.start(box.id)
        assert again.container.status.health.state == STARTING
        assert not again.container.status.health.results


async def test_a_probe_that_hangs_delays_no_cleanup(wire: Wire) -> None:
    probe = by_command("echo begun >/begun; exec sleep 98764", timeout=duration(600))
    async with wire.running(sleeper(health_check=probe)) as box:
        await eventually(lambda: bool(processes.naming("98764")), "a probe under way")
        answer = await wire.cleanup(box.id)
        assert answer.complete
        assert all(row.duration.ToTimedelta().total_seconds() < 10 for row in answer.resources)
    assert processes.naming("98764") == set()


async def test_killed_in_mid_probe_the_server_leaves_no_exec_behind(site: Site) -> None:
    daemon = site.start_moored()
    probe = by_command("exec sleep 98763", timeout=duration(600))
    async with Wire(daemon.address) as wire:
        box = await wire.run(sleeper(health_check=probe))
        await eventually(lambda: bool(processes.naming("98763")), "a probe under way")
        old = set(processes.naming("98763"))
        daemon.kill()
        daemon.start()
        await eventually(lambda: not old & set(processes.naming("98763")), "the old probe is gone")
        await wire.remove(box.id)
    daemon.stop()


async def test_a_server_that_comes_back_knows_what_was_found(site: Site) -> None:
    daemon = site.start_moored()
    async with Wire(daemon.address) as wire:
        box = await wire.run(sleeper(health_check=by_command("true")))
        await until_state(wire, box.id, HEALTHY)
        daemon.kill()
        daemon.start()
        found = (await wire.inspect(box.id)).status.health
        assert found.state == HEALTHY
        await until(wire, box.id, lambda h: len(h.results) > 2)
        await wire.remove(box.id)
    daemon.stop()


def with_healthcheck(archive: Path, to: Path, healthcheck: dict[str, Any], name: str) -> Path:
    """Return a copy of a docker archive whose image has a HEALTHCHECK and another name."""
    with tarfile.open(archive) as old:
        files = {m.name: old.extractfile(m).read() for m in old if m.isfile()}  # type: ignore[union-attr]
    manifest = json.loads(files["manifest.json"])
    config = json.loads(files[manifest[0]["Config"]])
    config["config"]["Healthcheck"] = healthcheck
    del files[manifest[0]["Config"]]
    written = json.dumps(config).encode()
    manifest[0]["Config"] = f"{hashlib.sha256(written).hexdigest()}.json"
    files[manifest[0]["Config"]] = written
    manifest[0]["RepoTags"] = [name]
    files["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(to, "w") as new:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return to


async def test_an_images_healthcheck_is_honoured_and_can_be_disabled(
    site: Site, archive: Path, tmp_path: Path
) -> None:
    daemon = site.start_moored()
    asked = {"Test": ["CMD-SHELL", "echo from the image"], "Interval": 200_000_000, "Retries": 1}
    image = with_healthcheck(archive, tmp_path / "probed.tar", asked, "probed:1")
    daemon.import_image(image)
    async with Wire(daemon.address) as wire:
        async with wire.running(sleeper_of("probed:1")) as box:
            found = await until_state(wire, box.id, HEALTHY)
            assert found.results[-1].output == "from the image\n"
        off = sleeper_of("probed:1", health_check=HealthCheck(disabled=True))
        async with wire.running(off) as box:
            assert box.status.health.state == NOT_CONFIGURED
    daemon.stop()


def sleeper_of(image: str, **fields: Any) -> container_pb2.ContainerSpec:
    spec = sleeper(**fields)
    spec.image = image
    return spec


async def test_whoever_waits_for_a_health_that_cannot_come_is_told(wire: Wire) -> None:
    def waiting(container: str) -> Any:
        return wire.containers.Wait(
            container_service_pb2.WaitRequest(container=container, condition=UNTIL_HEALTHY),
            timeout=WITHIN,
        )

    async with wire.running(sleeper()) as box:
        assert (await refused(waiting(box.id))).reason == "HEALTH_NOT_CONFIGURED"
    async with wire.running(shell("exit 3", health_check=by_command("true", every=60))) as box:
        assert (await refused(waiting(box.id))).reason == "CONTAINER_NOT_RUNNING"


async def test_bad_checks_are_refused_by_their_field(wire: Wire) -> None:
    async def fields(checked: HealthCheck) -> tuple[str, ...]:
        return (await refused(wire.create(sleeper(health_check=checked)))).fields

    assert await fields(check(http=HttpProbe())) == ("spec.health_check.http.port",)
    assert await fields(HealthCheck(retries=2)) == ("spec.health_check",)
    assert await fields(check(exec=ExecProbe())) == ("spec.health_check.exec.args",)


async def crowd(wire: Wire, number: int, seconds: float) -> None:
    """Let containers be probed each second, remove each, and see that nothing waits for a probe."""
    probe = by_command("true", every=1, timeout=duration(30), retries=3)
    boxes = await asyncio.gather(
        *(wire.run(sleeper(health_check=probe, name=f"crowd-{n}")) for n in range(number))
    )
    await asyncio.gather(*(until_state(wire, box.id, HEALTHY) for box in boxes))
    enough = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < enough:
        states = [c.status.health.state for c in await wire.list()]
        assert set(states) == {HEALTHY}
        await asyncio.sleep(1)
    answers = await asyncio.gather(*(wire.cleanup(box.id) for box in boxes))
    assert all(answer.complete for answer in answers)


async def test_containers_that_are_probed_each_second_leave_nothing(
    site: Site,
) -> None:
    daemon = site.start_moored()
    async with Wire(daemon.address) as wire:
        await crowd(wire, 5, 3)
    daemon.stop()


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_fifty_containers_probed_each_second_for_minutes_leave_nothing(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    daemon: Moored = site.start_moored()
    async with Wire(daemon.address) as wire:
        before = processes.processor_seconds(daemon.pid)
        await crowd(wire, 50, 300)
        used = processes.processor_seconds(daemon.pid) - before
        record_property("moored_processor_seconds", used)
    daemon.stop()
