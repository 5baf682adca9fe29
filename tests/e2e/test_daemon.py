"""moored as a program: it says in one line why it cannot start, and touches nothing then."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.site import SETTLE_WITHIN
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real


def test_a_root_that_another_one_uses_is_refused(site: Site, own_moored: Moored) -> None:
    second = site.moored()
    line = _refused(second, "--root", str(own_moored.root))
    assert str(own_moored.root) in line
    assert not (second.home / "state" / "moored.sock").exists()


def test_a_socket_that_another_one_uses_is_refused_and_left_to_it(
    site: Site, own_moored: Moored, archive: Path
) -> None:
    second = site.moored()
    before = own_moored.socket.stat().st_ino
    line = _refused(second, "--listen", own_moored.address)
    assert str(own_moored.socket) in line
    assert own_moored.socket.stat().st_ino == before
    own_moored.import_image(archive)
    assert not second.socket.exists(), "nothing is half started"


def test_an_instance_that_another_one_is_is_refused(site: Site, own_moored: Moored) -> None:
    second = site.moored()
    line = _refused(second, "--instance", own_moored.instance)
    assert own_moored.instance in line
    assert not second.socket.exists()


def test_a_socket_that_a_dead_one_left_is_taken_over(own_moored: Moored) -> None:
    own_moored.kill()
    assert own_moored.socket.exists()
    own_moored.start()


def test_a_file_in_the_place_of_the_socket_is_refused_and_kept(site: Site) -> None:
    daemon = site.moored()
    precious = daemon.home / "precious"
    precious.write_text("mine")
    _refused(daemon, "--listen", f"unix://{precious}")
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MOORED_ROOOT", "/tmp/x"),
        ("MOORED_CONCURRENT_STARTS", "-1"),
        ("MOORED_RUNTIME", "no-such"),
        ("MOORED_LISTEN", "ftp://x"),
        ("MOORED_STEP_TIMEOUT", "soon"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(site: Site, setting: str, value: str) -> None:
    daemon = site.moored()
    command = daemon.command
    if setting == "MOORED_LISTEN":
        command = [word for word in command if word not in {"--listen", daemon.address}]
    done = _run(command, {**daemon.environment, setting: value})
    assert done.returncode in {1, 2}
    assert len(done.stderr.strip().splitlines()) == 1
    assert setting in done.stderr
    assert not daemon.state.exists()


def test_an_unknown_flag_is_refused(site: Site) -> None:
    daemon = site.moored()
    done = _run([*daemon.command, "--no-such-flag"], daemon.environment)
    assert done.returncode == 2
    assert "--no-such-flag" in done.stderr
    assert not daemon.root.exists()


def test_a_containerd_that_is_not_there_is_named(site: Site) -> None:
    daemon = site.moored()
    line = _refused(daemon, "--containerd", "/nowhere/containerd.sock")
    assert "/nowhere/containerd.sock" in line


def test_a_runtime_that_is_not_there_is_named(site: Site) -> None:
    daemon = site.moored({"runtimes": "nowhere=/nowhere/runc"})
    line = _refused(daemon, "--runtime", "nowhere")
    assert "/nowhere/runc" in line
    assert not daemon.socket.exists()


def test_without_root_it_refuses(site: Site) -> None:
    daemon = site.moored()
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    places = ["--root", str(daemon.root), "--state", str(daemon.state)]
    done = _run([*nobody, sys.executable, "-m", "moored", *places], {})
    assert done.returncode == 1, done.stderr
    assert "root" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not daemon.root.exists()


def test_a_ledger_that_cannot_be_read_is_never_replaced(site: Site) -> None:
    daemon = site.moored()
    daemon.root.mkdir()
    ledger = daemon.root / "ledger.db"
    ledger.write_bytes(b"this was a ledger once" * 1000)
    line = _refused(daemon)
    assert str(ledger) in line
    assert ledger.read_bytes() == b"this was a ledger once" * 1000


def test_config_prints_what_is_in_force(site: Site) -> None:
    daemon = site.moored({"drain_timeout": "3s"})
    command = [*daemon.command, "config"]
    done = _run(command, daemon.environment)
    assert done.returncode == 0, done.stderr
    shown = tomllib.loads(done.stdout)
    assert shown["root"] == str(daemon.root)
    assert shown["listen"] == [daemon.address]
    assert shown["drain_timeout"] == 3
    assert "MOORED_DRAIN_TIMEOUT" in done.stdout
    assert not daemon.root.exists()


def test_the_socket_is_for_root_and_its_group_only(own_moored: Moored) -> None:
    assert stat.S_IMODE(own_moored.socket.stat().st_mode) == 0o660
    assert stat.S_IMODE((own_moored.root / "ledger.db").stat().st_mode) & 0o007 == 0


def test_it_ends_well_on_both_signals_and_takes_its_socket_along(site: Site) -> None:
    daemon = site.moored()
    for end in (daemon.terminate, lambda: os.kill(daemon.pid, 2)):
        daemon.start()
        end()
        assert daemon.await_end() == 0
        assert not daemon.socket.exists()


async def test_it_listens_on_tcp_beside_its_socket_when_asked(site: Site) -> None:
    port = _free_port()
    daemon = site.moored(flags=("--listen", f"tcp://127.0.0.1:{port}"))
    daemon.start()
    async with Wire(f"127.0.0.1:{port}") as by_tcp, Wire(daemon.address) as by_socket:
        assert (await by_tcp.server()).instance == (await by_socket.server()).instance
    daemon.stop()


async def test_the_host_network_is_served_where_it_is_allowed(site: Site) -> None:
    daemon = site.start_moored({"allow_host_network": "true"})
    async with Wire(daemon.address) as wire:
        assert "host" in (await wire.server()).networks
        async with wire.running(sleeper(network="host")) as container:
            assert processes.net_namespaces([container.status.pid]) == frozenset()
    daemon.stop()


async def test_an_embedded_containerd_outlives_moored_and_ends_on_request(
    site: Site, archive: Path
) -> None:
    daemon = site.moored(flags=("--containerd", "embedded"))
    daemon.start()
    daemon.import_image(archive)
    async with Wire(daemon.address) as wire:
        info = await wire.server()
        container = await wire.run(shell("echo hello; sleep 100000"))
        await wire.until_printed(container.id, "hello")
        daemon.stop()
        assert processes.is_alive(container.status.pid)
        daemon.start()
        found = await wire.inspect(container.id)
        assert info.containerd.embedded
        assert (found.status.state, found.status.pid) == (
            container_pb2.CONTAINER_STATE_RUNNING,
            container.status.pid,
        )
        await wire.remove(container.id)
    daemon.stop()
    home = str(daemon.home)
    assert processes.naming(home)
    stop = [*daemon.command, "containerd", "stop"]
    done = _run(stop, daemon.environment)
    assert done.returncode == 0, done.stderr
    assert processes.naming(home) == set()
    again = _run(stop, daemon.environment)
    assert again.returncode == 0, "there is none: that is what was asked"


def test_a_port_of_tcp_refuses_what_is_not_grpc_and_goes_on(site: Site) -> None:
    port = _free_port()
    daemon = site.moored(flags=("--listen", f"tcp://127.0.0.1:{port}"))
    daemon.start()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        connected.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while connected.recv(4096):
            pass
    daemon.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _refused(moored: Moored, *flags: str) -> str:
    """Return the one line with which it refuses to start; a flag given again counts."""
    done = _run([*moored.command, *flags], moored.environment)
    lines = done.stderr.strip().splitlines()
    assert done.returncode in {1, 2}, done
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in lines[0]
    return lines[0]


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SETTLE_WITHIN * 2,
        check=False,
    )  # fmt: skip
