"""Each command answers people in text and programs in JSON, and its exit code tells how it went."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as wire
from tests.fakes.command import Command
from tests.fakes.service import FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


async def test_create_prints_the_id(moored: FakeMoored, moorage: Command) -> None:
    result = await moorage("create", "--name", "web", "busybox", "sleep", "-1")
    assert (result.code, result.err) == (0, "")
    (container,) = moored.containers.containers.values()
    assert result.text == f"{container.id}\n"
    assert list(container.spec.args) == ["sleep", "-1"]


async def test_start_takes_several_and_answers_in_their_order(
    moored: FakeMoored, moorage: Command
) -> None:
    ids = [moored.containers.enrol(container_pb2.ContainerSpec(name=name)).id for name in "ab"]
    result = await moorage("start", "b", "nobody", "a")
    assert result.code == 3
    assert result.lines == [ids[1], ids[0]]
    assert result.err.endswith("(CONTAINER_NOT_FOUND)\n")
    assert result.err.count("\n") == 1


async def test_json_is_that_of_proto3(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running("sleep", "1", name="wéb")
    result = await moorage("inspect", "--json", "wéb")
    assert result.code == 0
    assert json_format.Parse(result.out, wire.InspectResponse()).container == running
    status = result.json["container"]["status"]
    assert status["startTime"] == "2026-01-02T03:04:05.678Z"
    assert "wéb" in result.text


async def test_ps_lists_every_page(moored: FakeMoored, moorage: Command) -> None:
    ids = [(await moored.running(name=f"c{number}")).id for number in range(3)]
    await moored.containers.exit(ids[1], 3)
    table = await moorage("ps")
    heading, *rows = [line.split() for line in table.lines]
    assert heading == ["ID", "NAME", "IMAGE", "STATE", "SINCE", "EXIT"]
    assert [row[:4] for row in rows] == [
        [ids[0][:12], "c0", "busybox", "RUNNING"],
        [ids[1][:12], "c1", "busybox", "EXITED"],
        [ids[2][:12], "c2", "busybox", "RUNNING"],
    ]
    assert rows[1][-1] == "3"
    assert (await moorage("ps", "-q")).lines == ids
    assert len((await moorage("ps", "--json")).json["containers"]) == 3


async def test_ps_of_nothing_prints_no_ids(moorage: Command) -> None:
    result = await moorage("ps", "-q")
    assert (result.code, result.text) == (0, "")


async def test_stop_sends_signal_and_time(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running()
    result = await moorage("stop", "-t", "1500ms", "-s", "INT", running.id[:31] + "1")
    assert (result.code, result.text) == (0, f"{running.id}\n")
    (asked,) = moored.script.requests["Stop"]
    assert (asked.signal, asked.timeout.ToMilliseconds()) == ("INT", 1500)


async def test_wait_prints_the_exit_code(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running(name="web")
    await moored.containers.exit(running.id, 3)
    printed = await moorage("wait", "web")
    assert (printed.code, printed.text) == (0, "3\n")
    ended = await moorage("wait", "--exit-code", "web")
    assert (ended.code, ended.text) == (3, "3\n")
    assert (await moorage("wait", "--json", "web")).json["reached"] is True


async def test_a_wait_that_takes_too_long_fails(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    result = await moorage("--timeout", "2s", "wait", "web")
    assert (result.code, result.text) == (1, "")
    assert result.err == "moorage: cannot wait for container 'web' any longer: it is RUNNING\n"


async def test_a_wait_can_be_for_something_else(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running(name="web")
    await moored.containers.exit(running.id, 3)
    result = await moorage("wait", "--condition", "removed", "web")
    assert (result.code, result.text) == (0, f"{running.id}\n")
    assert moored.script.requests["Wait"][0].condition == wire.WAIT_CONDITION_REMOVED


async def test_cleanup_shows_each_resource(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    cleanup = moored.containers.cleanup
    cleanup.resources.add(kind="task", key="x.1", outcome=wire.RELEASE_OUTCOME_ALREADY_GONE)
    failed = cleanup.resources.add(kind="layer", key="x", outcome=wire.RELEASE_OUTCOME_FAILED)
    failed.reason = "device busy"
    failed.duration.FromMicroseconds(12345)
    cleanup.complete = False
    result = await moorage("cleanup", "--force", "web")
    assert result.code == 1
    assert result.lines == [
        "KIND   KEY  OUTCOME       TOOK",
        "task   x.1  already gone  0.0 ms",
        "layer  x    failed        12.3 ms  device busy",
    ]
    (asked,) = moored.script.requests["Cleanup"]
    assert (asked.force, asked.remove) == (True, False)


async def test_rm_is_a_cleanup_that_removes(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running(name="web")
    result = await moorage("rm", "-f", "web")
    assert (result.code, result.text) == (0, "nothing to release\n")
    assert moored.script.requests["Cleanup"] == [
        wire.CleanupRequest(container="web", force=True, remove=True)
    ]
    assert running.id not in moored.containers.containers


async def test_info_tells_what_does_not_work(moored: FakeMoored, moorage: Command) -> None:
    info = moored.containers.info
    info.containerd.version, info.containerd.address = "1.6.20", "/run/c.sock"
    info.runtimes.add(name="runc", version="1.1.5")
    info.runtimes.add(name="crun", unavailable="hybrid cgroups")
    result = await moorage("info")
    assert result.code == 0
    assert "containerd  1.6.20 at /run/c.sock: does not answer" in result.lines
    assert "runtime     runc 1.1.5 (default)" in result.lines
    assert "runtime     crun: does not work here: hybrid cgroups" in result.lines
    assert (await moorage("info", "--json")).json["version"] == "1.2.3"


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (grpc.StatusCode.NOT_FOUND, "CONTAINER_NOT_FOUND", 3),
        (grpc.StatusCode.FAILED_PRECONDITION, "CONTAINER_PAUSED", 1),
        (grpc.StatusCode.INTERNAL, "NEVER_HEARD_OF", 1),
    ],
)
async def test_an_error_is_one_line_and_an_exit_code(
    moored: FakeMoored, moorage: Command, code: grpc.StatusCode, reason: str, expected: int
) -> None:
    refusal = Refusal(code, reason, "cannot inspect 'x':\n\x1b[31mwhy", {"step": "task"})
    moored.script.refuse("Inspect", refusal)
    result = await moorage("inspect", "x")
    assert (result.code, result.text) == (expected, "")
    assert result.err == f"moorage: cannot inspect 'x': \\x1b[31mwhy ({reason}, step task)\n"


async def test_with_json_an_error_is_json(moored: FakeMoored, moorage: Command) -> None:
    import json

    refusal = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "cannot create: spec.user is wrong",
        {"container": "c"},
        (("spec.user", "must be numeric"),),
    )
    moored.script.refuse("Create", refusal)
    result = await moorage("create", "--json", "busybox")
    assert (result.code, result.text) == (1, "")
    assert json.loads(result.err) == {
        "code": "INVALID_ARGUMENT",
        "reason": "INVALID_FIELD",
        "message": "cannot create: spec.user is wrong",
        "metadata": {"container": "c"},
        "retriable": False,
        "violations": [{"field": "spec.user", "why": "must be numeric"}],
    }


async def test_without_moored_the_exit_code_is_4(tmp_path: Path) -> None:
    result = await Command(f"unix://{tmp_path}/nowhere")("ps")
    assert (result.code, result.text) == (4, "")
    assert result.err == (
        f"moorage: cannot list containers: cannot reach moored at unix://{tmp_path}/nowhere:"
        " there is no such socket; is moored running?\n"
    )


async def test_an_answer_that_is_late_has_exit_code_4(moored: FakeMoored, moorage: Command) -> None:
    moored.script.hold("List")
    result = await moorage("--timeout", "300ms", "ps")
    assert result.code == 4
    assert "did not answer in time" in result.err


async def test_an_interrupt_has_exit_code_130(moored: FakeMoored, moorage: Command) -> None:
    hold = moored.script.hold("List")
    command = await moorage.begin("ps")
    await hold.entered.wait()
    command.send_signal(signal.SIGINT)
    out, err = await command.communicate()
    assert (command.returncode, out, err.strip()) == (130, b"", b"")
