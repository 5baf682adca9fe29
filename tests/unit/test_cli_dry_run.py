"""A dry run shows what would be done, and asks for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import json_format

from moorage.cli import plans
from moorage.v1 import container_service_pb2 as wire
from tests.fakes.command import Command
from tests.fakes.service import PLAN, FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SHOWN = """\
STEP   ACQUIRES
admit
files  files 0.1
       output 0/1
spec

{
  "hostname": "wéb"
}
"""


@pytest.fixture
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("Start", ("run", "--dry-run", "busybox", "sh")),
        ("Start", ("run", "--detach", "--dry-run", "busybox")),
        ("Start", ("start", "--dry-run", "web")),
        ("Create", ("create", "--dry-run", "busybox")),
    ],
    ids=["run", "run --detach", "start", "create"],
)
async def test_a_dry_run_shows_the_steps_and_the_runtime_spec(
    moored: FakeMoored, method: str, words: tuple[str, ...]
) -> None:
    result = await Command(moored.address)(*words)
    assert (result.code, result.text, result.err) == (0, SHOWN, "")
    assert [request.validate_only for request in moored.script.requests[method]] == [True]
    assert moored.names() == []


async def test_a_dry_run_in_json_is_the_whole_answer(moored: FakeMoored) -> None:
    result = await Command(moored.address)("run", "--dry-run", "--json", "busybox")
    assert json_format.Parse(result.out, wire.StartResponse()).plan == PLAN


async def test_a_dry_run_of_what_would_be_refused_fails_as_that(moored: FakeMoored) -> None:
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, "IMAGE_NOT_FOUND", "cannot create container: why")
    moored.script.refuse("Start", refusal)
    result = await Command(moored.address)("run", "--dry-run", "nothing")
    assert (result.code, result.text) == (125, "")
    assert result.err == "moorage: cannot create container: why (IMAGE_NOT_FOUND)\n"


def test_what_runs_already_has_nothing_to_do() -> None:
    answer = wire.StartResponse(already_running=True, plan=wire.Plan())
    answer.container.id = "c"
    assert plans.planned(answer) == "nothing to do: c is running"
