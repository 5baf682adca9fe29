"""The turnstile: one in each round of the loop, in order, and nobody is left standing."""

from __future__ import annotations

import asyncio

from moored.api.turnstile import Turnstile

WITHIN = 5.0


async def test_others_have_their_turn_between_any_two_who_pass() -> None:
    turnstile, rounds, passed = Turnstile(), 0, list[tuple[int, int]]()

    async def count() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    async def enter(number: int) -> None:
        await turnstile.enter()
        passed.append((number, rounds))

    counting = asyncio.create_task(count())
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(enter(number) for number in range(10)))
    counting.cancel()
    assert [number for number, _ in passed] == list(range(10))
    assert len({seen for _, seen in passed}) == 10


async def test_who_gives_up_keeps_nobody_from_passing() -> None:
    turnstile = Turnstile()
    first, second, third = (asyncio.create_task(turnstile.enter()) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.wait_for(third, WITHIN)
    await asyncio.wait_for(turnstile.enter(), WITHIN)
