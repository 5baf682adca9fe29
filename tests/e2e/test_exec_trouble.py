"""Execs while things go wrong around them: containerd is killed or stands still, callers are
killed or deaf, a container ends under many at once. Nothing hangs, and nothing is left.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from moorage.v1 import exec_service_pb2
from tests.outside import kernel
from tests.real.conversations import executing
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

MANY = 24
TOO_LATE = ("its container ended", "has just ended", "cannot find container", "has no process")
ENDED = exec_service_pb2.EXEC_END_REASON_CONTAINER_ENDED


def command(container: str, *args: str) -> exec_service_pb2.ExecSyncRequest:
    spec = exec_service_pb2.ExecSpec(args=args)
    return exec_service_pb2.ExecSyncRequest(container=container, spec=spec)


async def test_an_exec_does_not_feel_the_death_of_containerd(own_site: Site) -> None:
    daemon = own_site.start_moored()
    async with Wire(daemon.address) as wire, wire.running(sleeper()) as box:
        script = "echo one; read x; echo two; read y; exit 7"
        async with executing(wire, box.id, "sh", "-c", script, stdin=True) as talk:
            await talk.until("one")
            own_site.containerd.kill()
            await talk.type("x\n")
            await talk.until("two")
            own_site.containerd.start()
            await talk.type("y\n")
            end = await talk.to_end()
        assert (end.exit.code, end.end_reason) == (7, exec_service_pb2.EXEC_END_REASON_EXITED)
        done = await wire.execs.ExecSync(command(box.id, "echo", "back"), timeout=60)
        assert done.stdout == b"back\n"


async def test_nothing_waits_for_ever_for_a_containerd_that_stands_still(own_site: Site) -> None:
    daemon = own_site.start_moored({"step_timeout": "3", "undo_timeout": "3"})
    async with Wire(daemon.address) as wire, wire.running(sleeper()) as box:
        own_site.containerd.pause()
        found = await refused(wire.execs.ExecSync(command(box.id, "true"), timeout=60))
        assert found.reason in ("RUNTIME_UNREACHABLE", "STEP_TIMED_OUT")
        listed = await wire.execs.ListExecs(exec_service_pb2.ListExecsRequest(), timeout=5)
        assert len(listed.execs) <= 1
        own_site.containerd.resume()

        async def forgotten() -> bool:
            answer = await wire.execs.ListExecs(exec_service_pb2.ListExecsRequest(), timeout=5)
            return not answer.execs

        await eventually(forgotten, "what could not begin is let go of")
        done = await wire.execs.ExecSync(command(box.id, "echo", "back"), timeout=60)
        assert done.stdout == b"back\n"


async def test_a_cleanup_does_not_wait_for_callers_who_do_not_read(
    moored: Moored, wire: Wire
) -> None:
    box = await wire.run(sleeper())
    async with executing(wire, box.id, "yes") as deaf, executing(wire, box.id, "yes") as other:
        for talk in (deaf, other):
            assert (await talk.hear()).WhichOneof("part") == "started"
        assert (await wire.cleanup(box.id)).complete
        assert kernel.grouped_processes([moored.instance]) == {}
        end = await deaf.to_end()
        assert (end.end_reason, end.exit.code) == (ENDED, 137)


async def test_a_caller_that_is_killed_takes_its_exec_with_it(moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "moorage", "-H", moored.address, "exec", box.id),
            *("sh", "-c", "trap '' HUP; echo here; sleep 100000 & wait"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert client.stdout is not None
        assert await client.stdout.readline() == b"here\n"
        client.kill()
        await client.wait()
        await eventually(
            lambda: set(kernel.grouped_processes([moored.instance])) == {box.status.pid},
            "nothing but the container's own process lives",
        )


async def test_a_container_that_ends_under_many_execs_ends_them_all(
    moored: Moored, wire: Wire
) -> None:
    box = await wire.run(shell("read x; exit 0", stdin=True))

    async def one(number: int) -> str:
        script = f"echo {number}; sleep 100000"
        try:
            done = await wire.execs.ExecSync(command(box.id, "sh", "-c", script), timeout=60)
        except grpc.aio.AioRpcError as error:
            return error.details() or ""
        assert done.exec.end_reason == ENDED
        return done.stdout.decode()

    calls = [asyncio.create_task(one(number)) for number in range(MANY)]

    async def some_run() -> bool:
        request = exec_service_pb2.ListExecsRequest(container=box.id)
        listed = (await wire.execs.ListExecs(request, timeout=10)).execs
        return any(e.state == exec_service_pb2.EXEC_STATE_RUNNING for e in listed)

    await eventually(some_run, "some run")
    assert (await wire.cleanup(box.id)).complete
    for number, answer in enumerate(await asyncio.gather(*calls)):
        assert answer in ("", f"{number}\n") or any(why in answer for why in TOO_LATE), answer
    assert kernel.grouped_processes([moored.instance]) == {}


async def test_many_execs_at_once_each_get_what_is_theirs(moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        requests = [
            command(box.id, "sh", "-c", f"echo {number}; exit {number}") for number in range(MANY)
        ]
        answers = await asyncio.gather(
            *(wire.execs.ExecSync(request, timeout=60) for request in requests)
        )
        for number, answer in enumerate(answers):
            assert answer.stdout.decode().strip() == str(number)
            assert answer.exec.exit.code == number
        assert set(kernel.grouped_processes([moored.instance])) == {box.status.pid}


async def test_execs_end_with_a_container_that_shares_the_processes_of_another(
    moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as owner:
        guest = await wire.run(sleeper(pid=f"container:{owner.id}"))
        async with executing(wire, guest.id, "sh", "-c", "echo here; sleep 100000; :") as talk:
            await talk.until("here")
            assert (await wire.cleanup(guest.id)).complete
            end = await talk.to_end()
        assert end.exit.code == 137
        assert set(kernel.grouped_processes([moored.instance])) == {owner.status.pid}
