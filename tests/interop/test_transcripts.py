"""Programs in many languages, made from the protos alone, see one and the same service.

Each does the main job and says what it saw: transcript.txt, byte by byte. The one in Python runs
with all tests; the others are built by `make interop`, and fail where they were not.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2, image_service_pb2
from tests.interop.programs import COMMANDS, HERE, transcript
from tests.real.deadlines import eventually
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

QUEUE = {"concurrent_starts": "1", "start_queue_timeout": "0.25", "step_timeout": "100"}
BUILT = [language for language in COMMANDS if language != "python"]


@pytest.fixture(scope="module")
def narrow(site: Site) -> Iterator[Moored]:
    """A moored that makes one start at a time, and lets others wait for a moment only."""
    daemon = site.start_moored(QUEUE)
    yield daemon
    daemon.stop()


async def test_the_python_program_says_what_the_transcript_has(
    moored: Moored, narrow: Moored, gate: GatedRuntime, archive: Path
) -> None:
    await _says_the_transcript("python", moored, narrow, gate, archive)


@pytest.mark.interop
@pytest.mark.parametrize("language", BUILT)
async def test_a_program_made_from_the_protos_alone_says_the_same(
    language: str, moored: Moored, narrow: Moored, gate: GatedRuntime, archive: Path
) -> None:
    await _says_the_transcript(language, moored, narrow, gate, archive)


async def _says_the_transcript(
    language: str, moored: Moored, narrow: Moored, gate: GatedRuntime, archive: Path
) -> None:
    async with Wire(moored.address) as wire, _busy(narrow, gate):
        arguments = (moored.address, str(archive), narrow.address)
        seen = len(moored.log.read_bytes())
        said = await asyncio.to_thread(transcript, language, *arguments)
        await eventually(
            partial(_heard_of_the_end, moored, seen), "moored hears that nobody watches"
        )
        await wire.images.Remove(image_service_pb2.RemoveRequest(image="interop"))
    assert said == (HERE / "transcript.txt").read_text()


async def _heard_of_the_end(moored: Moored, seen: int) -> bool:
    """Return whether the watch was cancelled on the wire: the last line is no program's word only.

    It is what comes after the cleanup. Before it a watch passes its deadline.
    """
    told = moored.log.read_bytes()[seen:].decode()
    return "Watch CANCELLED" in told.partition("Cleanup OK")[2]


@asynccontextmanager
async def _busy(narrow: Moored, gate: GatedRuntime) -> AsyncIterator[None]:
    """Have a start under way that takes the only turn there is."""
    spec = container_pb2.ContainerSpec(
        image="busybox", runtime="gated", command=["true"], network="none"
    )
    async with Wire(narrow.address) as wire:
        with gate.holding("create"):
            start = asyncio.ensure_future(wire.run(spec))
            await gate.arrival()
            yield
        await start
        for container in await wire.list():  # also what a start without a turn has left on record
            await wire.cleanup(container.id, force=True, remove=True)
