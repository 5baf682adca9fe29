"""Hooks of the host's are executed for those that they are meant for; one that fails is undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.real.specs import sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hooks write to, a line each time."""
    return tmp_path_factory.mktemp("told") / "told"


@pytest.fixture(scope="module")
def daemon(site: Site, told: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moored]:
    directory = tmp_path_factory.mktemp("hooks")
    script = f'read state; echo "$1 ${{state#*\\"id\\":}}" >> {told}'
    for name, when, words, stages in (
        ("tells", {"annotations": {"^tell$": "yes"}}, script, ["createRuntime", "poststop"]),
        ("fails", {"annotations": {"^fail$": "yes"}}, "exit 3", ["createRuntime"]),
    ):
        hook = {"path": "/bin/sh", "args": ["sh", "-c", words, "sh", name], "timeout": 10}
        text = json.dumps({"version": "1.0.0", "hook": hook, "when": when, "stages": stages})
        (directory / f"{name}.json").write_text(text)
    started = site.start_moored({"hooks_dir": str(directory)})
    yield started
    started.stop()
    site.retire_stopped()


@pytest.fixture
async def wire(daemon: Moored) -> AsyncIterator[Wire]:
    async with Wire(daemon.address) as connected:
        yield connected


async def test_it_is_executed_before_and_after_the_containers_it_is_meant_for(
    wire: Wire, told: Path
) -> None:
    async with wire.running(sleeper()):
        pass
    assert not _lines(told)
    async with wire.running(sleeper(labels={"tell": "yes"})) as box:
        assert [box.id in line for line in _lines(told)] == [True]
    assert [box.id in line for line in _lines(told)] == [True, True]


async def test_one_that_fails_fails_the_start_which_leaves_nothing(wire: Wire) -> None:
    async with wire.created(sleeper(labels={"fail": "yes"})) as box:
        found = await refused(wire.start(box.id))
        assert "hook" in found.message


def _lines(told: Path) -> list[str]:
    return told.read_text().splitlines() if told.exists() else []
