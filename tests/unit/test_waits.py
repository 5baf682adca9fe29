"""Who waits for an end that was told of, and gets no answer, asks again."""

from __future__ import annotations

import asyncio
from typing import Final

from moored.containerd.waits import Waits

RUN: Final = ("web.1", "")
WITHIN: Final = 10.0


class Asked:
    """A question that is answered from the ``heard``-th time on."""

    def __init__(self, heard: int) -> None:
        self.times = 0
        self._heard = heard
        self._came = asyncio.Condition()

    async def __call__(self) -> int:
        async with self._came:
            self.times += 1
            self._came.notify_all()
        if self.times < self._heard:
            await asyncio.Event().wait()
        return self.times

    async def came(self, times: int) -> None:
        async with asyncio.timeout(WITHIN), self._came:
            await self._came.wait_for(lambda: self.times >= times)


async def test_an_answer_that_was_lost_is_asked_for_again_once_its_end_is_told_of() -> None:
    waits, asked = Waits(patience=0.01), Asked(2)
    waiting = asyncio.create_task(waits.answer(RUN, asked))
    await asked.came(1)
    waits.told(("web.2", ""))
    waits.told(RUN)
    async with asyncio.timeout(WITHIN):
        assert await waiting == 2


async def test_what_was_told_of_falsely_costs_a_question_and_ends_nothing() -> None:
    waits, asked = Waits(patience=0.01), Asked(3)
    waiting = asyncio.create_task(waits.answer(RUN, asked))
    await asked.came(1)
    waits.all_told()
    await asked.came(2)
    assert not waiting.done()
    waits.all_told()
    async with asyncio.timeout(WITHIN):
        assert await waiting == 3


async def test_who_is_told_twice_waits_no_longer_for_that() -> None:
    waits, asked = Waits(patience=0.01), Asked(2)
    waiting = asyncio.create_task(waits.answer(RUN, asked))
    await asked.came(1)
    for _ in range(3):
        waits.told(RUN)
    async with asyncio.timeout(WITHIN):
        assert await waiting == 2
