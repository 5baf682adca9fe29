"""What is told to a supervisor is what sd_notify(3) and sd_watchdog_enabled(3) have."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from moored.errors import SetupRefused
from moored.keepers.heartbeat import Heartbeat
from moored.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PID = os.getpid()
WITHIN = 10.0


@contextmanager
def listening(address: str | bytes) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(WITHIN)
        yield listener


def test_a_supervisor_hears_each_turn_of_a_life(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "PATH": "/bin"}
    supervisor = Supervisor.found(environ, pid=PID)
    with listening(path) as listener:
        supervisor.serving("serves 3 containers")
        supervisor.alive()
        supervisor.draining(at_most=40)
        heard = [listener.recv(4096) for _ in range(3)]
    assert heard == [
        b"READY=1\nSTATUS=serves 3 containers",
        b"WATCHDOG=1",
        b"STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=40000000",
    ]
    assert supervisor.patience == 30.0


def test_what_moored_starts_cannot_speak_for_it() -> None:
    environ = {
        "NOTIFY_SOCKET": "/run/notify",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "7",
        "PATH": "/bin",
    }
    Supervisor.found(environ, pid=PID)
    assert environ == {"PATH": "/bin"}


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"moored-test-{secrets.token_hex(8)}"
    with listening(f"\0{name}") as listener:
        Supervisor.found({"NOTIFY_SOCKET": f"@{name}"}, pid=PID).alive()
        assert listener.recv(64) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(PID + 1)},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-5"},
    ],
)
def test_a_watchdog_of_somebody_else_is_not_fed(watchdog: dict[str, str]) -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", **watchdog}
    assert Supervisor.found(environ, pid=PID).patience == 0.0


def test_a_watchdog_without_a_socket_cannot_be_fed() -> None:
    assert Supervisor.found({"WATCHDOG_USEC": "1000"}, pid=PID) == Supervisor()


def test_an_address_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(SetupRefused, match="cannot notify 'vsock:2:1'"):
        Supervisor.found({"NOTIFY_SOCKET": "vsock:2:1"}, pid=PID)


def test_a_supervisor_that_is_gone_or_full_holds_up_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    supervisor = Supervisor(path)
    supervisor.alive()
    with listening(path) as listener:
        for _ in range(2000):
            supervisor.alive()
        assert listener.recv(64) == b"WATCHDOG=1"


async def test_a_heart_beats_as_long_as_the_loop_turns(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with listening(path) as listener:
        listener.setblocking(False)
        heart = asyncio.create_task(Heartbeat(Supervisor(path, patience=0.02)).run())
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WITHIN):
            for _ in range(3):
                assert await loop.sock_recv(listener, 64) == b"WATCHDOG=1"
        heart.cancel()
        await asyncio.wait([heart])


async def test_no_heart_beats_where_nobody_counts() -> None:
    async with asyncio.timeout(WITHIN):
        await Heartbeat(Supervisor("/nobody")).run()
