"""Logs over runs and over rotation: what was kept is told once, in order, and nothing else is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_service_pb2 as service
from moorage.v1.container_pb2 import (
    LOG_DRIVER_NONE,
    RESTART_CONDITION_ON_FAILURE,
    LogConfig,
    RestartPolicy,
)
from tests.real.specs import shell
from tests.real.wire import refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

WITHIN = 60.0
SMALL = LogConfig(max_size=64 * 1024, max_files=2)
COUNTING = "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done"


async def told(wire: Wire, container: str, **fields: Any) -> list[service.LogsResponse]:
    request = service.LogsRequest(container=container, **fields)
    return [answer async for answer in wire.logs(request)]


def plain(answers: list[service.LogsResponse]) -> list[str]:
    """Return marks and output as text, run by run."""
    found: list[str] = []
    for answer in answers:
        if answer.HasField("run_mark"):
            found.append(f"<{answer.run}>")
        elif answer.WhichOneof("payload") == "line":
            found.append(answer.line)
    return found


async def test_a_follower_of_all_runs_gets_each_from_its_mark_to_its_end(wire: Wire) -> None:
    policy = RestartPolicy(condition=RESTART_CONDITION_ON_FAILURE, max_retries=2)
    spec = shell("echo begun; echo over; exit 1", restart_policy=policy)
    async with wire.running(spec) as box:
        followed = await told(
            wire, box.id, all_runs=True, follow=True, format=service.LOG_FORMAT_LINES
        )
        expected = [text for run in (1, 2, 3) for text in (f"<{run}>", "begun", "over")]
        assert plain(followed) == expected
        later = await told(wire, box.id, all_runs=True, format=service.LOG_FORMAT_LINES)
        assert plain(later) == expected
        tail = await told(wire, box.id, all_runs=True, tail=1, format=service.LOG_FORMAT_LINES)
        assert plain(tail) == ["<3>", "over"]


async def test_nothing_later_than_until_is_told_and_a_follower_ends_by_then(wire: Wire) -> None:
    script = "echo first; while [ ! -e /go ]; do sleep 0.1; done; echo second; sleep 1000"
    async with wire.running(shell(script)) as box:
        await wire.until_printed(box.id, "first")
        request = service.LogsRequest(
            container=box.id, follow=True, until=datetime.now(UTC), format=service.LOG_FORMAT_LINES
        )
        async with asyncio.timeout(WITHIN):
            found = [answer.line async for answer in wire.logs(request) if answer.line]
        assert found == ["first"]


async def test_rotation_keeps_the_newest_lines_whole_and_in_order(wire: Wire) -> None:
    spec = shell(f"{COUNTING}; echo done; sleep 1000", log_config=SMALL)
    async with wire.running(spec) as box:
        await wire.until_printed(box.id, "done")
        answers = await told(wire, box.id, format=service.LOG_FORMAT_LINES)
        found = plain(answers)
        numbers = [int(line.removeprefix("line ")) for line in found[:-1]]
        assert found[-1] == "done"
        assert numbers == list(range(numbers[0], 40000))
        assert numbers[0] > 0
        assert answers[0].offset > 0


async def test_who_follows_while_it_rotates_misses_nothing_of_what_comes(wire: Wire) -> None:
    """Slow enough for a reader to keep up: then there is no gap at any seam."""
    slow = "i=0; while [ $i -lt 300 ]; do echo $i; dd if=/dev/zero bs=1023 count=1 2>/dev/null | "
    script = slow + "tr '\\0' x; echo; sleep 0.003; i=$((i+1)); done"
    config = LogConfig(max_size=16 * 1024, max_files=4)
    async with wire.running(shell(script, log_config=config)) as box:
        answers = await told(wire, box.id, follow=True)
        stdout = [answer for answer in answers if answer.data]
        end = 0
        for answer in stdout:
            assert answer.offset == end
            end = answer.offset + len(answer.data)
        lines = b"".join(answer.data for answer in stdout).split(b"\n")
        assert [int(line) for line in lines if line.isdigit()] == list(range(300))


async def test_where_nothing_is_kept_the_container_runs_and_logs_say_so(wire: Wire) -> None:
    none = LogConfig(driver=LOG_DRIVER_NONE)
    async with wire.running(shell("echo lost; exit 4", log_config=none)) as box:
        assert (await wire.wait(box.id)).status.exit.code == 4
        refusal = await refused(told(wire, box.id))
        assert refusal.reason == "OUTPUT_NOT_KEPT"


async def test_limits_of_output_are_refused_by_their_field(wire: Wire, moored: Moored) -> None:
    spec = shell("true", log_config=LogConfig(max_size=1))
    assert (await refused(wire.create(spec))).fields == ("spec.log_config.max_size",)
    request = service.LogsRequest(container="any", all_runs=True, run=1)

    async def ask() -> object:
        return [answer async for answer in wire.containers.Logs(request, timeout=WITHIN)]

    assert (await refused(ask())).fields == ("all_runs",)
