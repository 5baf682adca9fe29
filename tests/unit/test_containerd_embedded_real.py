"""The laws of the embedded containerd, and of the choice between it and another one.

It is started once, found again by whoever comes later, outlives its starter, and is ended by
``stop`` alone. A root stays with the containerd that it began with.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd import places
from moored.containerd.connection import Connection
from moored.containerd.embedded import Embedded
from moored.containerd.locate import locate
from moored.containerd.versions import server_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


pytestmark = pytest.mark.real


@pytest.fixture
async def directory() -> AsyncIterator[Path]:
    """A directory for some containerds; those still running at the end are stopped."""
    made = Path(tempfile.mkdtemp(prefix="moorage."))
    yield made
    for name in ("", "other"):
        await _embedded(made / name).stop()
    await asyncio.to_thread(shutil.rmtree, made)


def _embedded(directory: Path) -> Embedded:
    return Embedded(directory / "root", directory / "state")


async def test_it_is_started_once_and_found_again(directory: Path) -> None:
    first, second = _embedded(directory), _embedded(directory)
    assert not first.running()
    address = await first.start()
    process = first.process()
    assert await second.start() == address
    assert second.process() == process
    assert first.running()


async def test_it_is_found_by_its_socket_when_nobody_noted_its_pid(directory: Path) -> None:
    embedded = _embedded(directory)
    await embedded.start()
    process = embedded.process()
    (embedded.place / "pid").unlink()
    found = _embedded(directory)
    await found.start()
    assert found.process() == process
    assert (embedded.place / "pid").exists()


async def test_a_pid_file_of_another_process_is_not_believed(directory: Path) -> None:
    embedded = _embedded(directory)
    embedded.place.mkdir(parents=True)
    (embedded.place / "pid").write_text(f"{os.getpid()} 1 00000000-0000-0000-0000-000000000000\n")
    assert not embedded.running()
    assert not await embedded.stop()


async def test_it_is_started_again_after_it_was_killed(directory: Path) -> None:
    embedded = _embedded(directory)
    connection = Connection(await embedded.start(), namespace="moorage")
    before = embedded.process()
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    await embedded.start()
    assert embedded.process() != before
    assert await server_version(connection)
    await connection.close()


async def test_stop_ends_it_and_leaves_no_socket(directory: Path) -> None:
    embedded = _embedded(directory)
    await embedded.start()
    assert await embedded.stop()
    assert not embedded.running()
    assert not await embedded.stop()
    assert _names(embedded.place) == ["log", "state"]


async def test_a_stopped_one_that_does_not_hear_is_killed(directory: Path) -> None:
    embedded = _embedded(directory)
    await embedded.start()
    process = embedded.process()
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    assert await embedded.stop(within=0.2)
    assert not embedded.running()


async def test_one_that_cannot_start_is_refused_at_once_with_its_own_words(directory: Path) -> None:
    embedded = _embedded(directory)
    embedded.root.mkdir(parents=True)
    (embedded.root / "io.containerd.snapshotter.v1.overlayfs").touch()
    with pytest.raises(errors.SetupRefused, match="overlayfs"):
        await embedded.start()
    assert not embedded.running()


async def test_no_containerd_in_the_path_is_refused_in_one_line(directory: Path) -> None:
    embedded = Embedded(directory / "root", directory / "state", program="containerd-of-nobody")
    with pytest.raises(errors.SetupRefused, match="apt-get install containerd") as refused:
        await embedded.start()
    assert "\n" not in refused.value.message
    assert _names(directory) == []


async def test_a_path_too_long_for_a_socket_is_refused(directory: Path) -> None:
    state = directory / ("s" * 90)
    with pytest.raises(errors.SetupRefused, match="choose a shorter state directory"):
        await Embedded(directory / "root", state).start()
    assert _names(directory) == []


async def test_auto_means_our_own_when_the_system_has_none(directory: Path) -> None:
    nobody = str(directory / "nobody.sock")
    located = await locate("auto", directory / "root", directory / "state", system=nobody)
    own = _embedded(directory)
    assert located.embedded
    assert (located.address, located.places) == (own.address, own.places)
    assert located.version


async def test_auto_means_the_systems_when_there_is_one_and_keeps_to_it(directory: Path) -> None:
    system = _embedded(directory / "other")
    await system.start()
    here = directory / "root", directory / "state"
    located = await locate("auto", *here, system=system.address)
    assert not located.embedded
    assert located.places == system.places
    again = await locate("auto", *here, system=str(directory / "nobody.sock"))
    assert again == located
    assert not _embedded(directory).running()


async def test_auto_does_not_move_a_root_to_another_containerd(directory: Path) -> None:
    system = _embedded(directory / "other")
    await system.start()
    here = directory / "root", directory / "state"
    await locate("auto", *here, system=system.address)
    await system.stop()
    with pytest.raises(errors.SetupRefused, match="start it, or choose another one"):
        await locate("auto", *here, system=system.address, within=0.2)
    assert not _embedded(directory).running()
    located = await locate("embedded", *here)
    assert located.embedded
    assert (await locate("auto", *here, system=system.address)).embedded


async def test_our_own_may_move_its_state_directory(directory: Path) -> None:
    nobody = str(directory / "nobody.sock")
    await locate("auto", directory / "root", directory / "state", system=nobody)
    await _embedded(directory).stop()
    located = await locate("auto", directory / "root", directory / "other" / "state", system=nobody)
    moved = Embedded(directory / "root", directory / "other" / "state")
    assert (located.embedded, located.address) == (True, moved.address)


async def test_a_directory_that_cannot_be_made_is_refused(directory: Path) -> None:
    (directory / "root").touch()
    with pytest.raises(errors.SetupRefused, match="cannot start containerd"):
        await _embedded(directory).start()


async def test_a_named_socket_is_used_and_its_places_are_found(directory: Path) -> None:
    system = _embedded(directory / "other")
    connection = Connection(await system.start(), namespace="moorage")
    assert await places.find(connection) == system.places
    await connection.close()
    located = await locate(f"unix://{system.address}", directory / "root", directory / "state")
    assert (located.address, located.embedded) == (system.address, False)


@pytest.mark.parametrize("setting", ["somewhere", "tcp://127.0.0.1:1", ""])
async def test_what_is_no_socket_is_refused(directory: Path, setting: str) -> None:
    with pytest.raises(errors.SetupRefused, match="absolute path of a socket"):
        await locate(setting, directory / "root", directory / "state")


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())
