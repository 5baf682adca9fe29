"""The law: a script is taken term by term, and what is no script is refused with its text."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.failpoints import NONE, ToldToFail, parse


async def reached(points: str, times: int) -> list[str]:
    """Return what became of reaching one point some times."""
    failpoints = parse(f"start.task.after={points}")
    story = []
    for _ in range(times):
        try:
            async with asyncio.timeout(0.05):
                await failpoints.reach("start.task.after")
            story.append("passed")
        except ToldToFail as error:
            story.append(str(error))
        except TimeoutError:
            story.append("hung")
    return story


async def test_terms_have_their_turns() -> None:
    story = await reached("2*off->1*error(no)->1*hang", 5)
    assert story == ["passed", "passed", "no", "hung", "passed"]


async def test_a_last_term_without_a_number_goes_on() -> None:
    assert await reached("1*off->error", 3) == [
        "passed",
        *["told to fail at start.task.after"] * 2,
    ]


async def test_a_delay_delays() -> None:
    assert await reached("delay(0.001)", 1) == ["passed"]
    assert await reached("delay(1)", 1) == ["hung"]


async def test_other_points_are_passed() -> None:
    failpoints = parse("start.task.after=error")
    await failpoints.reach("start.task.before")
    failpoints.reach_in_thread("ledger.commit.before")


def test_none_are_off() -> None:
    assert not NONE
    assert not parse(" ; ")
    assert parse("release.task.before=off")


@pytest.mark.parametrize(
    "text",
    [
        "start.task=kill",
        "start.task.after",
        "start.task.after=",
        "start.task.after=explode",
        "start.task.after=delay",
        "start.task.after=delay(soon)",
        "start.task.after=x*kill",
        "start.task.after=kill;start.task.after=off",
        "ledger.commit.after=error",
        "Start.Task.after=kill",
    ],
)
def test_what_is_no_script_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|twice"):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_script_or_refused(text: str) -> None:
    try:
        failpoints = parse(f"start.task.after={text}")
    except ValueError:
        return
    assert str(failpoints) == "start.task.after"
