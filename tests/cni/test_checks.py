"""A look at an attachment is never beside anything else of the same run."""

from __future__ import annotations

import asyncio

import pytest

from moored.network.cni.checks import Checks
from moored.network.cni.records import AttachmentId
from tests.cni.conftest import ETH0, ETH1, RUN

OTHER = AttachmentId(f"{8:032x}.1", "eth0")


class Looks:
    """Looks that last until they are let go."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, id_: AttachmentId) -> bool:
        self.story.append(f"+{id_.interface}")
        self.begun.set()
        try:
            await self.go.wait()
        finally:
            self.story.append(f"-{id_.interface}")
        return True


async def test_looks_at_one_run_come_one_after_the_other() -> None:
    looks = Looks()
    checks = Checks(looks)
    both = asyncio.gather(checks.check(ETH0), checks.check(ETH1), checks.check(ETH0))
    await looks.begun.wait()
    looks.go.set()
    assert list(await both) == [True, True, True]
    assert looks.story == ["+eth0", "-eth0", "+eth1", "-eth1", "+eth0", "-eth0"]


async def test_other_runs_wait_for_none_of_them() -> None:
    looks = Looks()
    checks = Checks(looks)
    first = asyncio.ensure_future(checks.check(ETH0))
    await looks.begun.wait()
    second = asyncio.ensure_future(checks.check(OTHER))
    looks.begun.clear()
    await looks.begun.wait()
    looks.go.set()
    assert list(await asyncio.gather(first, second)) == [True, True]


async def test_a_detach_ends_the_look_and_keeps_others_out() -> None:
    looks = Looks()
    checks = Checks(looks)
    look = asyncio.ensure_future(checks.check(ETH0))
    await looks.begun.wait()
    async with checks.kept_out(RUN):
        assert looks.story == ["+eth0", "-eth0"]
        assert await checks.check(ETH1) is False
    assert await look is False
    looks.go.set()
    assert await checks.check(ETH1) is True


async def test_one_that_is_kept_out_before_it_began_leaves_room_for_the_next() -> None:
    looks = Looks()
    looks.go.set()
    checks = Checks(looks)
    look = asyncio.ensure_future(checks.check(ETH0))
    await asyncio.sleep(0)
    async with checks.kept_out(RUN):
        assert await look is False
    assert await checks.check(ETH0) is True


async def test_whoever_goes_away_takes_the_look_along() -> None:
    looks = Looks()
    checks = Checks(looks)
    look = asyncio.ensure_future(checks.check(ETH0))
    await looks.begun.wait()
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert looks.story == ["+eth0", "-eth0"]
