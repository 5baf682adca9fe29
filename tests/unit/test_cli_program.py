"""The command as a whole: quick, quiet when nobody reads, and at home in a shell."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.fakes.command import Command
from tests.fakes.service import FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

COMMANDS = [
    *(
        "run",
        "create",
        "start",
        "inspect",
        "ps",
        "logs",
        "attach",
        "exec",
        "execs",
        "exec-inspect",
        "exec-kill",
        "events",
        "stats",
        "stop",
        "restart",
        "kill",
    ),
    *(
        "pause",
        "resume",
        "rename",
        "update",
        "wait",
        "cleanup",
        "rm",
        "prune",
        "audit",
        "images",
        "volume",
        "info",
    ),
    "completion",
]

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


async def test_help_lists_every_command_and_exit_code(moorage: Command) -> None:
    result = await moorage("--help")
    assert result.code == 0
    listed = result.text.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == COMMANDS
    for code in ("125", "126", "127", "130"):
        assert f"\n    {code}  " in result.text


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_has_help(moorage: Command, command: str) -> None:
    result = await moorage(command, "--help")
    assert result.code == 0
    assert result.text.startswith(f"Usage: moorage {command} ")


async def test_help_loads_neither_grpc_nor_an_event_loop() -> None:
    script = (
        "import sys, moorage.cli\n"
        "print(*({'grpc', 'google.protobuf', 'asyncio', 'moored'} & set(sys.modules)))"
    )
    python = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=PIPE)
    out, _ = await python.communicate()
    assert (python.returncode, out) == (0, b"\n")


@pytest.mark.parametrize(
    "args",
    [
        ("frobnicate",),
        ("inspect",),
        ("--timeout", "0", "ps"),
        ("--timeout", "soon", "ps"),
        ("--address", "unix://here", "ps"),
        ("run", "--stop-timeout", "1 week", "busybox"),
        ("completion", "tcsh"),
    ],
)
async def test_wrong_usage_has_exit_code_2(moorage: Command, args: tuple[str, ...]) -> None:
    result = await moorage(*args)
    assert (result.code, result.text) == (2, "")
    assert "Error: " in result.err


async def test_a_reference_that_is_no_text_is_wrong_usage(moorage: Command) -> None:
    result = await moorage("inspect", os.fsdecode(b"\xff"))
    assert result.code == 2
    assert result.err == "moorage: cannot send '\\udcff': it is not UTF-8\n"


async def test_the_address_option_wins_over_the_environment(moored: FakeMoored) -> None:
    result = await Command("unix:///nowhere")("--address", moored.address, "ps")
    assert result.code == 0


@pytest.mark.parametrize("args", ["ps", "completion bash", "images ls"])
async def test_without_a_reader_it_ends_quietly(moorage: Command, args: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = await moorage.begin(*args.split(), stdout=theirs)
    os.close(theirs)
    _, err = await command.communicate()
    assert (command.returncode, err) == (141, b"")


async def test_on_a_full_disk_it_says_so(moorage: Command) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    command = await moorage.begin("ps", stdout=full)
    os.close(full)
    _, err = await command.communicate()
    assert command.returncode == 1
    assert err == b"moorage: cannot use our own output: No space left on device\n"


async def test_without_standard_streams_no_socket_takes_their_place(
    moored: FakeMoored, moorage: Command
) -> None:
    running = await moored.running(name="web")
    await moored.process(running).write(b"nowhere to go")
    await moored.containers.exit(running.id, 0)
    shell = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m moorage logs web <&- >&- 2>&-",
        env={**os.environ, "MOORAGE_ADDRESS": moorage.address},
    )
    assert await shell.wait() == 0


async def _on_a_terminal(moorage: Command, *args: str, env: dict[str, str]) -> bytes:
    ours, theirs = pty.openpty()
    try:
        command = await moorage.begin(*args, stdout=theirs, env=env)
        await command.communicate()
        return os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


async def test_colours_are_for_terminals_that_want_them(
    moored: FakeMoored, moorage: Command
) -> None:
    await moored.running(name="web")
    assert b"\x1b[32mRUNNING" in await _on_a_terminal(moorage, "ps", env={"NO_COLOR": ""})
    assert b"\x1b" not in await _on_a_terminal(moorage, "ps", env={"NO_COLOR": "1"})
    assert b"\x1b" not in (await moorage("ps")).out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_each_shell_gets_its_completion(moorage: Command, shell: str) -> None:
    result = await moorage("completion", shell)
    assert result.code == 0
    assert "_MOORAGE_COMPLETE" in result.text


async def _completed(moorage: Command, *words: str) -> list[str]:
    """Return what bash would be offered for the last of ``words``."""
    result = await moorage(
        env={
            "_MOORAGE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("moorage", *words)),
            "COMP_CWORD": str(len(words)),
        }
    )
    assert (result.code, result.err) == (0, "")
    return [line.partition(",")[2] for line in result.lines if line]


async def test_names_of_containers_are_completed(moored: FakeMoored, moorage: Command) -> None:
    for name in ("web", "worker", ""):
        await moored.running(name=name)
    assert await _completed(moorage, "inspect", "w") == ["web", "worker"]
    assert await _completed(moorage, "stop", "we") == ["web"]
    assert await _completed(moorage, "logs", "0000000000") == ["000000000000"] * 3
    assert await _completed(moorage, "ins") == ["inspect"]


async def test_a_completion_that_fails_offers_nothing(tmp_path: Path) -> None:
    assert await _completed(Command(f"unix://{tmp_path}/nowhere"), "inspect", "w") == []


async def test_a_completion_does_not_wait_for_a_slow_server(
    moored: FakeMoored, moorage: Command
) -> None:
    moored.script.hold("List")
    assert await _completed(moorage, "inspect", "w") == []
