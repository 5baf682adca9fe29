"""The commands that change containers say what was asked, and print whom it was about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as wire
from tests.fakes.command import Command
from tests.fakes.service import FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


@pytest.mark.parametrize(
    ("arguments", "method", "request_sent"),
    [
        (["pause", "web"], "Pause", wire.PauseRequest(container="web")),
        (["resume", "web"], "Resume", wire.ResumeRequest(container="web")),
        (["kill", "web"], "Kill", wire.KillRequest(container="web", signal="KILL")),
        (["kill", "-s", "1", "web"], "Kill", wire.KillRequest(container="web", signal="1")),
        (["restart", "web"], "Restart", wire.RestartRequest(container="web")),
        (["rename", "web", "site"], "Rename", wire.RenameRequest(container="web", new_name="site")),
    ],
)
async def test_a_change_is_asked_for_and_the_id_printed(
    moored: FakeMoored, moorage: Command, arguments: list[str], method: str, request_sent: object
) -> None:
    running = await moored.running(name="web")
    result = await moorage(*arguments)
    assert (result.code, result.text, result.err) == (0, f"{running.id}\n", "")
    assert moored.script.requests[method] == [request_sent]


async def test_restart_sends_signal_and_time(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    await moorage("restart", "-t", "1500ms", "-s", "INT", "web")
    (asked,) = moored.script.requests["Restart"]
    assert (asked.signal, asked.timeout.ToMilliseconds()) == ("INT", 1500)


async def test_an_update_sends_what_was_named(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    options = ("-l", "a=b", "--restart", "on-failure:3", "--stop-signal", "INT")
    more = ("--stop-timeout", "2s", "--no-rm")
    assert (await moorage("update", *options, *more, "web")).code == 0
    (asked,) = moored.script.requests["Update"]
    assert sorted(asked.update_mask.paths) == [
        "auto_remove", "labels", "restart_policy", "stop_signal", "stop_timeout"
    ]  # fmt: skip
    assert dict(asked.spec.labels) == {"a": "b"}
    assert asked.spec.stop_timeout.seconds == 2
    assert asked.spec.restart_policy == container_pb2.RestartPolicy(
        condition=container_pb2.RESTART_CONDITION_ON_FAILURE, max_retries=3
    )


async def test_labels_can_be_taken_away(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    assert (await moorage("update", "--no-labels", "web")).code == 0
    (asked,) = moored.script.requests["Update"]
    assert list(asked.update_mask.paths) == ["labels"]
    assert (await moorage("update", "--no-labels", "-l", "a", "web")).code == 2


async def test_an_update_of_nothing_is_a_mistake(moorage: Command) -> None:
    result = await moorage("update", "web")
    assert result.code == 2
    assert "Say what to change" in result.err


@pytest.mark.parametrize("policy", ["sometimes", "always:3", "on-failure:", "on-failure:x"])
async def test_a_policy_that_is_none_is_a_mistake(moorage: Command, policy: str) -> None:
    result = await moorage("update", "--restart", policy, "web")
    assert result.code == 2
    assert "is none of no, on-failure[:RETRIES], always, unless-stopped" in result.err


async def test_a_spec_has_its_memory_and_its_policy(moored: FakeMoored, moorage: Command) -> None:
    result = await moorage("create", "-m", "64MiB", "--restart", "always", "busybox")
    assert result.code == 0
    (asked,) = moored.script.requests["Create"]
    assert asked.spec.resources.memory_limit == 64 * 2**20
    assert asked.spec.restart_policy.condition == container_pb2.RESTART_CONDITION_ALWAYS
    assert (await moorage("create", "-m", "lots", "busybox")).code == 2


async def test_ps_sends_its_filters(moored: FakeMoored, moorage: Command) -> None:
    texts = ("state=running", "state=Exited", "label=a=b", "label=c", "name=web")
    more = ("image=busybox", "since=12")
    options = [part for text in (*texts, *more) for part in ("--filter", text)]
    assert (await moorage("ps", *options)).code == 0
    assert moored.script.requests["List"][0].filter == wire.ContainerFilter(
        states=[container_pb2.CONTAINER_STATE_RUNNING, container_pb2.CONTAINER_STATE_EXITED],
        labels=["a=b", "c"],
        names=["web"],
        images=["busybox"],
        since_revision=12,
    )


@pytest.mark.parametrize("text", ["state", "state=busy", "colour=red", "since=-1", "since=x"])
async def test_a_filter_that_is_none_is_a_mistake(moorage: Command, text: str) -> None:
    result = await moorage("ps", "-f", text)
    assert result.code == 2
    assert "--filter" in result.err


async def test_prune_prints_what_is_gone_and_fails_for_what_is_not(
    moored: FakeMoored, moorage: Command
) -> None:
    assert (await moorage("prune")).text == ""
    moored.containers.pruned.removed.extend(["a" * 32, "b" * 32])
    whole = await moorage("prune", "-f", "label=stage=test")
    assert (whole.code, whole.lines) == (0, ["a" * 32, "b" * 32])
    assert list(moored.script.requests["Prune"][-1].filter.labels) == ["stage=test"]
    moored.containers.pruned.incomplete.append("c" * 32)
    part = await moorage("prune")
    assert part.code == 1
    assert "cannot remove all of container" in part.err


async def test_a_wait_can_be_for_the_next_exit(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running(name="web")
    await moored.containers.exit(running.id, 3)
    result = await moorage("wait", "--condition", "next-exit", "web")
    assert (result.code, result.text) == (0, "3\n")
    assert moored.script.requests["Wait"][0].condition == wire.WAIT_CONDITION_NEXT_EXIT


async def test_audit_shows_what_is_there_and_fails_until_it_is_gone(
    moored: FakeMoored, moorage: Command
) -> None:
    assert (await moorage("audit")).code == 0
    found = moored.containers.audited.findings.add(kind="cgroup", key="/x/y.1", alive=True)
    there = await moorage("audit")
    assert (there.code, there.text.splitlines()[1].split()) == (
        1,
        ["cgroup", "/x/y.1", "yes", "there"],
    )
    found.fate.outcome = wire.RELEASE_OUTCOME_FAILED
    found.fate.reason = "busy"
    assert "failed: busy" in (await moorage("audit", "--fix")).text
    found.fate.outcome = wire.RELEASE_OUTCOME_RELEASED
    found.fate.reason = ""
    gone = await moorage("audit", "--fix", "--kill")
    assert gone.code == 0
    assert moored.script.requests["Audit"][-1] == wire.AuditRequest(fix=True, kill=True)
