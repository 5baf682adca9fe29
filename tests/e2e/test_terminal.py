"""A terminal that is connected to a container feels like one to a local shell: keys, size and
signals arrive, the exit code comes back, and it is afterwards what it was before, whatever happens.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.outside import kernel
from tests.real.command import Command
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.terminals import terminal

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

PROMPT = "/ # "
DETACH = b"\x10\x11"
CTRL_C = b"\x03"


def a_name() -> str:
    return f"tty-{secrets.token_hex(3)}"


async def test_run_it_is_a_shell_with_our_terminal(moored: Moored) -> None:
    words = ("run", "-it", "--rm", "busybox", "sh")
    async with terminal(moored.address, *words, width=91, height=33) as here:
        before = here.modes()
        await here.shows(PROMPT)
        assert here.is_raw()
        here.type("stty size; echo $TERM\n")
        await here.shows("33 91\r\nxterm")
        here.type("until stty size | grep '20 50'; do sleep 0.1; done\n")
        here.resize(50, 20)
        await here.shows("20 50\r\n")
        here.type("exit 42\n")
        assert await here.ended() == 42
        assert here.modes() == before


async def test_ctrl_c_is_for_what_runs_there(moored: Moored) -> None:
    async with terminal(moored.address, "run", "-it", "--rm", "busybox", "sh") as here:
        await here.shows(PROMPT)
        here.type("sh -c 'echo go; sleep 100000'\n")
        await here.shows("go\r\n")  # only now keys are for it, and not for the shell's own line
        here.type(CTRL_C)
        await here.shows(PROMPT)
        here.type("echo $?\n")
        await here.shows("130\r\n")
        here.type("exit\n")
        assert await here.ended() == 0


async def test_detached_it_goes_on_and_can_be_attached_to_again(moored: Moored, wire: Wire) -> None:
    box = a_name()
    async with terminal(moored.address, "run", "-it", "--name", box, "busybox", "sh") as here:
        before = here.modes()
        await here.shows(PROMPT)
        here.type("echo one\n")
        await here.shows("one\r\n")
        here.type(DETACH)
        assert await here.ended() == 0
        await here.shows("detached from container")
        assert here.modes() == before
    found = await wire.inspect(box)
    assert found.status.state == container_pb2.CONTAINER_STATE_RUNNING
    async with terminal(moored.address, "attach", box) as here:
        await here.shows("one\r\n")  # what was written before
        here.type("echo two\n")
        await here.shows("two\r\n")
        here.type("exit 7\n")
        assert await here.ended() == 7
        assert here.modes() == before
    await wire.remove(box)


async def test_the_detach_keys_are_ours_to_choose(moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper(tty=True, stdin=True)) as box:
        words = ("attach", "--detach-keys", "ctrl-x,d", box.id)
        async with terminal(moored.address, *words) as here:
            await eventually(here.is_raw, "it is attached")
            here.type(DETACH)
            here.type(b"\x18d")
            assert await here.ended() == 0


async def test_exec_it_is_a_shell_beside_the_first_process(moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper(name=a_name())) as box:
        words = ("exec", "-it", "-e", "COLOUR=blue", "-w", "/tmp", box.id, "sh")
        async with terminal(moored.address, *words, width=70, height=30) as here:
            before = here.modes()
            await here.shows("/tmp # ")
            here.type("stty size; echo $COLOUR\n")
            await here.shows("30 70\r\nblue")
            here.type("exit 5\n")
            assert await here.ended() == 5
            assert here.modes() == before


async def test_a_terminal_that_is_closed_ends_the_exec(moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        async with terminal(moored.address, "exec", "-it", box.id, "sh") as here:
            await here.shows(PROMPT)
            os.killpg(here.process.pid, signal.SIGHUP)
            assert await here.ended() == 128 + signal.SIGHUP
            assert not here.is_raw()
        await only_the_first_process(moored, box)


async def test_the_terminal_is_given_back_when_the_server_is_killed(
    own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.running(sleeper()) as box:
        async with terminal(own_moored.address, "exec", "-it", box.id, "sh") as here:
            before = here.modes()
            await here.shows(PROMPT)
            own_moored.kill()
            assert await here.ended() == 125
            await here.shows("moorage: cannot execute command")
            assert here.modes() == before
        own_moored.start()
        await only_the_first_process(own_moored, box)


async def test_what_cannot_be_executed_ends_as_in_a_shell(moored: Moored, wire: Wire) -> None:
    command = Command(moored.address)
    async with wire.running(sleeper()) as box:
        for words, code in ((("nope",), 127), (("/etc",), 126), (("sh", "-c", "exit 3"), 3)):
            assert (await asyncio.to_thread(command, "exec", box.id, *words)).code == code


async def test_a_pipe_goes_through_an_exec_byte_by_byte(moored: Moored, wire: Wire) -> None:
    data = os.urandom(8 << 20)
    async with wire.running(sleeper()) as box:
        words = ("exec", "-i", box.id, "cat")
        done = await asyncio.to_thread(_piped, moored.address, words, data)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


async def test_a_pipe_goes_through_a_run_and_ends_it(moored: Moored) -> None:
    words = ("run", "-i", "--rm", "busybox", "sh", "-c", "wc -c; echo no >&2; exit 9")
    done = await asyncio.to_thread(_piped, moored.address, words, b"x" * 100_000)
    assert (done.returncode, done.stdout, done.stderr) == (9, b"100000\n", b"no\n")


async def test_one_that_ends_at_once_is_heard_whole(moored: Moored) -> None:
    words = ("run", "-i", "--rm", "busybox", "sh", "-c", "echo quick; exit 4")
    for _ in range(5):
        done = await asyncio.to_thread(_piped, moored.address, words, b"")
        assert (done.returncode, done.stdout) == (4, b"quick\n"), done.stderr


async def test_a_run_that_does_not_begin_says_why(moored: Moored, wire: Wire) -> None:
    words = ("run", "-i", "--name", "nothing-runs", "busybox", "nope")
    done = await asyncio.to_thread(_piped, moored.address, words, b"")
    assert (done.returncode, b"COMMAND_NOT_FOUND" in done.stderr) == (127, True)
    await wire.remove("nothing-runs")


async def test_a_terminal_is_not_made_up(moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        done = await asyncio.to_thread(Command(moored.address), "exec", "-it", box.id, "sh")
    assert done.code == 2
    assert "needs a terminal" in done.err


async def test_signals_are_passed_on_where_there_is_no_terminal(moored: Moored, wire: Wire) -> None:
    script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done"
    async with wire.running(shell(script)) as box:
        ended = await Command(moored.address).interrupted("ready", "attach", box.id)
    assert (ended.code, ended.out) == (3, "ready\ncaught\n")


async def test_a_detached_exec_is_listed(moored: Moored, wire: Wire) -> None:
    command = Command(moored.address)
    async with wire.running(sleeper()) as box:
        begun = await asyncio.to_thread(command, "exec", "-d", box.id, "sleep", "100000")
        listed = await asyncio.to_thread(command, "execs", box.id)
        told = await asyncio.to_thread(command, "execs", "--json")
    assert begun.out.strip() in listed.out
    assert "sleep 100000" in listed.out
    assert begun.out.strip() in [exec_["id"] for exec_ in told.answer["execs"]]


async def only_the_first_process(moored: Moored, box: container_pb2.Container) -> None:
    async def alone() -> bool:
        return set(kernel.grouped_processes([moored.instance])) == {box.status.pid}

    await eventually(alone, "nothing but the container's own process lives")


def _piped(address: str, words: tuple[str, ...], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "moorage", *words],
        env={**os.environ, "MOORAGE_ADDRESS": address},
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )
