"""``run`` in the foreground: the container's output, signals and exit code are the command's."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from moorage.v1 import container_pb2, container_service_pb2
from tests.fakes.command import WITHIN, Command
from tests.fakes.service import FakeMoored, Refusal, not_found

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

FIRST = f"{1:032x}"
NOISE = bytes(range(256)) * 4096

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


async def begun(moored: FakeMoored, moorage: Command, *args: str) -> Process:
    """Start ``run`` and return once it follows its container."""
    command = await moorage.begin("run", *args)
    async with asyncio.timeout(WITHIN):
        await moored.script.asked("Logs")
        await moored.script.asked("Wait")
    return command


async def ended(command: Process) -> tuple[int | None, bytes, str]:
    async with asyncio.timeout(WITHIN):
        out, err = await command.communicate()
    return command.returncode, out, err.decode()


async def test_both_streams_come_out_exactly_as_written(
    moored: FakeMoored, moorage: Command
) -> None:
    command = await begun(moored, moorage, "busybox", "cat", "/dev/urandom")
    process = moored.process(FIRST)
    await process.write(NOISE)
    await process.write(b"no newline", stderr=True)
    await process.write(b"\0\xff\r\n")
    await moored.containers.exit(FIRST, 0)
    assert await ended(command) == (0, NOISE + b"\0\xff\r\n", "no newline")


async def test_output_comes_out_while_the_container_runs(
    moored: FakeMoored, moorage: Command
) -> None:
    command = await begun(moored, moorage, "busybox", "sh")
    await moored.process(FIRST).write(b"ready\n")
    assert command.stdout is not None
    assert await command.stdout.readline() == b"ready\n"
    await moored.containers.exit(FIRST, 0)
    assert await ended(command) == (0, b"", "")


@pytest.mark.parametrize(
    ("code", "origin"),
    [
        (1, container_pb2.EXIT_ORIGIN_PROCESS),
        (42, container_pb2.EXIT_ORIGIN_PROCESS),
        (137, container_pb2.EXIT_ORIGIN_SIGNAL),
    ],
)
async def test_it_ends_with_the_exit_code_of_the_container(
    moored: FakeMoored, moorage: Command, code: int, origin: container_pb2.ExitOrigin
) -> None:
    command = await begun(moored, moorage, "busybox", "false")
    await moored.containers.exit(FIRST, code, origin=origin)
    assert await ended(command) == (code, b"", "")


async def test_an_exit_that_nobody_saw_is_said_to_be_unknown(
    moored: FakeMoored, moorage: Command
) -> None:
    command = await begun(moored, moorage, "busybox")
    await moored.containers.exit(FIRST, 255, origin=container_pb2.EXIT_ORIGIN_HOST_REBOOT)
    assert await ended(command) == (
        255,
        b"",
        "moorage: cannot tell the exit code: 255 (not known: the host was rebooted)\n",
    )


async def test_a_container_that_is_removed_as_it_exits_still_tells_its_code(
    moored: FakeMoored, moorage: Command
) -> None:
    command = await begun(moored, moorage, "--rm", "busybox", "true")
    await moored.process(FIRST).write(b"done\n")
    await moored.containers.exit(FIRST, 5, remove=True)
    assert await ended(command) == (5, b"done\n", "")


async def test_output_that_was_removed_before_it_was_read_is_told(
    moored: FakeMoored, moorage: Command
) -> None:
    moored.script.refuse("Logs", not_found(FIRST))
    command = await begun(moored, moorage, "--rm", "busybox", "true")
    await moored.containers.exit(FIRST, 0, remove=True)
    code, _, err = await ended(command)
    assert code == 0
    assert err.startswith(f"moorage: cannot find container '{FIRST}'")


async def test_every_option_has_its_field(moored: FakeMoored, moorage: Command) -> None:
    options = (
        "--detach --name web -e A=1 -e FROM_HERE --workdir /srv --user 1:2 -l tier=front -l bare"
        " --hostname h --stop-signal INT --stop-timeout 1500ms --network none --runtime runc"
        " --entrypoint sh --entrypoint -c --rm busybox -e not -- --an-option"
    )
    result = await moorage("run", *options.split(), env={"FROM_HERE": "x=y"})
    assert (result.code, result.text, result.err) == (0, f"{FIRST}\n", "")
    expected = container_pb2.ContainerSpec(
        name="web",
        image="busybox",
        command=["sh", "-c"],
        args=["-e", "not", "--", "--an-option"],
        env=["A=1", "FROM_HERE=x=y"],
        working_dir="/srv",
        user="1:2",
        labels={"tier": "front", "bare": ""},
        hostname="h",
        stop_signal="INT",
        auto_remove=True,
        runtime="runc",
        network="none",
    )
    expected.stop_timeout.FromMilliseconds(1500)
    assert moored.script.requests["Start"] == [container_service_pb2.StartRequest(spec=expected)]


async def test_a_variable_that_is_not_set_here_is_refused(
    moored: FakeMoored, moorage: Command
) -> None:
    result = await moorage("run", "-e", "NOT_SET_ANYWHERE", "busybox")
    assert result.code == 2
    assert "'NOT_SET_ANYWHERE' has no value, and none in this environment" in result.err
    assert not moored.script.requests["Start"]


@pytest.mark.parametrize("detach", [(), ("-d",)])
@pytest.mark.parametrize(
    ("reason", "code"),
    [("COMMAND_NOT_FOUND", 127), ("COMMAND_NOT_EXECUTABLE", 126), ("IMAGE_NOT_FOUND", 125)],
)
async def test_a_start_that_fails_has_exit_codes_of_its_own(
    moored: FakeMoored, moorage: Command, reason: str, code: int, detach: tuple[str, ...]
) -> None:
    moored.script.refuse(
        "Start",
        Refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            reason,
            "cannot start container 'x': why",
            {"step": "task"},
        ),
    )
    result = await moorage("run", *detach, "busybox")
    assert (result.code, result.text) == (code, "")
    assert result.err == f"moorage: cannot start container 'x': why ({reason}, step task)\n"


async def test_without_moored_nothing_was_started(tmp_path: Path) -> None:
    result = await Command(f"unix://{tmp_path}/nowhere")("run", "busybox")
    assert result.code == 125
    assert "there is no such socket" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_the_container(
    moored: FakeMoored, moorage: Command, number: signal.Signals
) -> None:
    command = await begun(moored, moorage, "busybox", "sleep", "100")
    command.send_signal(number)
    assert await ended(command) == (143, b"", "")
    (asked,) = moored.script.requests["Stop"]
    assert asked == container_service_pb2.StopRequest(container=FIRST)


async def test_a_second_signal_kills_it(moored: FakeMoored, moorage: Command) -> None:
    moored.containers.stubborn = True
    command = await begun(moored, moorage, "busybox", "sleep", "100")
    command.send_signal(signal.SIGINT)
    await moored.script.asked("Stop")
    command.send_signal(signal.SIGINT)
    assert await ended(command) == (137, b"", "")


async def test_output_written_while_it_stops_still_comes_out(
    moored: FakeMoored, moorage: Command
) -> None:
    moored.containers.stubborn = True
    command = await begun(moored, moorage, "busybox", "sleep", "100")
    command.send_signal(signal.SIGTERM)
    await moored.script.asked("Stop")
    await moored.process(FIRST).write(b"bye\n")
    await moored.containers.exit(FIRST, 0)
    assert await ended(command) == (0, b"bye\n", "")


async def test_a_signal_before_the_start_is_answered_stops_what_was_started(
    moored: FakeMoored, moorage: Command
) -> None:
    hold = moored.script.hold("Start")
    command = await moorage.begin("run", "busybox")
    await hold.entered.wait()
    command.send_signal(signal.SIGTERM)
    hold.release.set()
    assert (await ended(command))[0] == 143


async def test_a_second_signal_before_the_start_is_answered_gives_up(
    moored: FakeMoored, moorage: Command
) -> None:
    hold = moored.script.hold("Start")
    command = await moorage.begin("run", "busybox")
    await hold.entered.wait()
    command.send_signal(signal.SIGINT)
    command.send_signal(signal.SIGTERM)
    assert await ended(command) == (
        130,
        b"",
        "moorage: cannot tell whether the container was started: see moorage ps\n",
    )


async def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    moored: FakeMoored, moorage: Command
) -> None:
    ignoring = await asyncio.create_subprocess_exec(
        *("env", "--ignore-signal=HUP"),
        *(sys.executable, "-m", "moorage", "run", "busybox"),
        env={**os.environ, "MOORAGE_ADDRESS": moorage.address},
    )
    await moored.script.asked("Wait")
    ignoring.send_signal(signal.SIGHUP)
    await moored.containers.exit(FIRST, 4)
    assert await ignoring.wait() == 4
    assert not moored.script.requests["Stop"]


async def test_a_stop_that_is_refused_is_told(moored: FakeMoored, moorage: Command) -> None:
    refusal = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION, "CONTAINER_PAUSED", "cannot stop: it is paused"
    )
    moored.script.refuse("Stop", refusal)
    command = await begun(moored, moorage, "busybox")
    command.send_signal(signal.SIGTERM)
    assert command.stderr is not None
    line = await command.stderr.readline()
    assert line == b"moorage: cannot stop: it is paused (CONTAINER_PAUSED)\n"
    await moored.containers.exit(FIRST, 0)
    assert (await ended(command))[0] == 0


async def test_it_goes_on_through_a_restart_of_moored(moored: FakeMoored, moorage: Command) -> None:
    command = await begun(moored, moorage, "busybox", "sh")
    process = moored.process(FIRST)
    await process.write(b"one ")
    await process.write(b"ONE ", stderr=True)
    assert command.stdout is not None
    assert await command.stdout.readexactly(4) == b"one "
    await moored.vanish()
    await process.write(b"two ")
    await moored.serve()
    await process.write(b"three")
    await moored.containers.exit(FIRST, 9)
    assert await ended(command) == (9, b"two three", "ONE ")


async def test_a_reader_that_goes_away_ends_the_container(
    moored: FakeMoored, moorage: Command
) -> None:
    command = await begun(moored, moorage, "busybox", "yes")
    process = moored.process(FIRST)
    await process.write(b"y\n")
    assert command.stdout is not None
    await command.stdout.readline()
    command._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # as head does
    await process.write(b"y\n")
    async with asyncio.timeout(WITHIN):
        assert await command.wait() == 141
    assert command.stderr is not None
    assert await command.stderr.read() == b""
    assert moored.containers.containers[FIRST].status.exit.code == 137


async def test_a_reader_that_stalls_does_not_stop_a_signal(
    moored: FakeMoored, moorage: Command
) -> None:
    command = await begun(moored, moorage, "busybox", "yes")
    await moored.process(FIRST).write(NOISE)
    command.send_signal(signal.SIGTERM)
    async with asyncio.timeout(WITHIN):
        await moored.script.asked("Stop")
    assert await ended(command) == (143, NOISE, "")


async def test_in_json_each_answer_is_a_line(moored: FakeMoored, moorage: Command) -> None:
    command = await begun(moored, moorage, "--json", "busybox")
    await moored.process(FIRST).write(b"hi")
    await moored.containers.exit(FIRST, 1)
    code, out, err = await ended(command)
    assert (code, err) == (1, "")
    started, piece, over = map(json.loads, out.splitlines())
    assert started["container"]["status"]["state"] == "CONTAINER_STATE_RUNNING"
    assert (piece["stream"], piece["data"]) == ("LOG_STREAM_STDOUT", "aGk=")
    assert over["reached"] is True
    assert over["container"]["status"]["exit"]["code"] == 1
