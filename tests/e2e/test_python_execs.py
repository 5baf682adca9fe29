"""Exec and attach from Python: asynchronous contexts, streams, and errors by their names."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moorage import Client, errors
from moorage.v1 import exec_service_pb2 as wire
from tests.real.specs import shell, sleeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moorage.v1.container_pb2 import ContainerSpec
    from tests.real.moored import Moored

pytestmark = pytest.mark.real


@pytest.fixture
async def client(moored: Moored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


async def run(client: Client, spec: ContainerSpec) -> str:
    return (await client.start(spec=spec)).container.id


async def test_a_command_is_written_to_and_read_from(client: Client) -> None:
    box = await run(client, sleeper())
    script = "cat; echo no >&2; exit 3"
    async with client.exec(box, ["sh", "-c", script], stdin=True) as execution:
        assert execution.started.state == wire.EXEC_STATE_RUNNING
        await execution.write(b"x" * 300_000)
        await execution.end_stdin()
        out = [output async for output in execution]
    assert sum(len(o.data) for o in out if not o.stderr) == 300_000
    assert b"".join(o.data for o in out if o.stderr) == b"no\n"
    assert execution.ended is not None
    assert execution.ended.exit.code == 3
    await client.cleanup(box, force=True, remove=True)


async def test_a_terminal_is_resized_and_signalled(client: Client) -> None:
    box = await run(client, sleeper())
    async with client.exec(box, ["sh"], tty=True, stdin=True, window=(91, 33)) as execution:
        await execution.write(b"stty size; trap 'exit 9' USR1; echo ready; read x\n")
        seen = b""
        async for output in execution:
            seen += output.data
            if seen.endswith(b"ready\r\n"):
                await execution.resize(50, 20)
                await execution.signal("USR1")
    assert b"33 91" in seen
    assert execution.ended is not None
    assert execution.ended.exit.code == 9
    await client.cleanup(box, force=True, remove=True)


async def test_what_the_server_refuses_is_raised_by_its_name(client: Client) -> None:
    box = await run(client, sleeper())
    with pytest.raises(errors.CommandNotFound):
        async with client.exec(box, ["nope"]):
            pass
    with pytest.raises(errors.ContainerNotFound):
        async with client.attach("nobody"):
            pass
    with pytest.raises(errors.TtyMissing):
        await _resized(client, box)
    with pytest.raises(errors.InvalidField, match="args"):
        await client.exec_sync(box, [])
    await client.cleanup(box, force=True, remove=True)


async def _resized(client: Client, box: str) -> None:
    async with client.exec(box, ["sleep", "100000"]) as execution:
        await execution.resize(1, 1)
        async for _ in execution:
            pass


async def test_a_command_is_executed_to_its_end_or_to_its_limit(client: Client) -> None:
    box = await run(client, sleeper())
    done = await client.exec_sync(box, ["cat"], stdin=b"hello")
    assert (done.stdout, done.exec.exit.code) == (b"hello", 0)
    late = await client.exec_sync(box, ["sleep", "100000"], limit=timedelta(seconds=0.2))
    assert late.exec.end_reason == wire.EXEC_END_REASON_TIMED_OUT
    named = [
        await client.exec_sync(box, ["sh", "-c", "echo x >> /n; wc -l < /n"], request_id=box)
        for _ in range(2)
    ]
    assert [answer.stdout for answer in named] == [b"1\n", b"1\n"]
    await client.cleanup(box, force=True, remove=True)


async def test_a_detached_command_is_found_and_killed(client: Client) -> None:
    box = await run(client, sleeper())
    begun = (await client.exec_detached(box, ["sleep", "100000"])).exec
    assert [e.id for e in (await client.list_execs(box)).execs] == [begun.id]
    await client.kill_exec(begun.id, signal="TERM")
    async with asyncio.timeout(20):
        while not (seen := (await client.inspect_exec(begun.id)).exec).HasField("exit"):
            pass
    assert seen.exit.signal == 15
    with pytest.raises(errors.ExecNotFound):
        await client.inspect_exec("0" * 32)
    await client.cleanup(box, force=True, remove=True)


async def test_attached_and_gone_and_attached_again_at_the_byte(client: Client) -> None:
    script = "echo one; read x; echo two; exit 4"
    box = await run(client, shell(script, stdin=True))
    async with client.attach(box) as attachment:
        async for output in attachment:
            offset = (output.offset or 0) + len(output.data)
            break
    async with client.attach(box, stdin=True, stdout_offset=offset) as attachment:
        await attachment.write(b"x\n")
        rest = b"".join([output.data async for output in attachment])
    assert rest == b"two\n"
    assert attachment.ended is not None
    assert attachment.ended.exit.code == 4
    await client.cleanup(box, remove=True)
