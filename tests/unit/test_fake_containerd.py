"""The fake's script: what was lost did not happen or was not heard, and the story tells it.

That it behaves as the real one where nothing is scripted is tests/contract's to say.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from moored.containerd_api import leases_pb2, tasks_pb2
from tests.contract.blobs import COMMIT, WRITE, info, message, write
from tests.contract.blobs import digest_of as digest
from tests.contract.subjects import Fake, refused
from tests.fakes.containerd import FakeContainerd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LARGEST_PID = 2**22


@pytest.fixture
async def subject(tmp_path: Path) -> AsyncIterator[Fake]:
    async with FakeContainerd.serving(tmp_path / "c.sock") as fake:
        made = Fake(fake, "script", tmp_path)
        await made.lay_base()
        fake.story.clear()
        yield made
        await made.tidy()


async def test_story_tells_what_happened_in_order(subject: Fake) -> None:
    await subject.running("one")
    subject.fake.exit("one", 3)
    await subject.delete("one")
    await subject.remove_layer("one")
    await subject.remove_record("one")
    assert subject.fake.story == [
        "+snapshot one",
        "+container one",
        "+task one",
        ">task one",
        ".task one",
        "-task one",
        "-snapshot one",
        "-container one",
    ]


async def test_lost_request_never_happened(subject: Fake) -> None:
    await subject.prepare("one")
    await subject.record("one")
    before = subject.fake.inventory()
    subject.fake.lose("request", "Tasks.Create")
    refusal = await refused(_create(subject, "one"))
    assert refusal.code is StatusCode.UNAVAILABLE
    assert subject.fake.inventory() == before
    assert subject.fake.plot() == "+snapshot +container !task.create"


async def test_lost_reply_happened_and_nobody_heard(subject: Fake) -> None:
    await subject.record("one")
    subject.fake.lose("reply", "Tasks.Create")
    refusal = await refused(_create(subject, "one"))
    assert refusal.code is StatusCode.UNAVAILABLE
    assert subject.fake.inventory().tasks == {"script/one"}
    assert subject.fake.plot() == "+container +task !task.create"


async def test_refused_call_says_what_the_script_says(subject: Fake) -> None:
    subject.fake.refuse("Containers.Create", StatusCode.INTERNAL, "disk full", times=2)
    for _ in range(2):
        refusal = await refused(subject.record("one"))
        assert (refusal.code, refusal.details) == (StatusCode.INTERNAL, "disk full")
    await subject.record("one")


async def test_one_fault_can_strike_many_calls(subject: Fake) -> None:
    subject.fake.lose("request", "*", times=2)
    await refused(subject.record("one"))
    await refused(subject.prepare("one"))
    await subject.record("one")


async def test_held_call_stands_before_its_deed(subject: Fake) -> None:
    with subject.fake.hold("Containers.Create") as hold:
        creating = asyncio.create_task(subject.record("one"))
        await hold.reached()
        assert hold.waiting == 1
        assert subject.fake.inventory().containers == frozenset()
    await creating
    assert subject.fake.inventory().containers == {"script/one"}


async def test_held_call_that_is_given_up_never_happens(subject: Fake) -> None:
    hold = subject.fake.hold("Containers.Create")
    creating = asyncio.create_task(subject.record("one"))
    await hold.reached()
    creating.cancel()
    await asyncio.wait([creating])
    await hold.left()
    hold.release()
    await subject.record("two")
    assert subject.fake.inventory().containers == {"script/two"}


async def test_call_can_be_held_between_its_deed_and_its_reply(subject: Fake) -> None:
    with subject.fake.hold("Containers.Create", after=True) as hold:
        creating = asyncio.create_task(subject.record("one"))
        await hold.reached()
        assert subject.fake.inventory().containers == {"script/one"}
        creating.cancel()
        await asyncio.wait([creating])
    assert subject.fake.inventory().containers == {"script/one"}


async def test_commit_of_content_has_faults_of_its_own(subject: Fake) -> None:
    subject.fake.lose("reply", "Content.Commit")
    parts = message(WRITE, "ref", b"abc"), message(COMMIT, "ref", offset=3)
    refusal = await refused(write(subject, *parts))
    assert refusal.code is StatusCode.UNAVAILABLE
    assert (await info(subject, digest(b"abc"))).size == 3


async def test_create_can_lose_its_middle(subject: Fake) -> None:
    await subject.record("one")
    subject.fake.lose("middle", "Tasks.Create")
    await refused(_create(subject, "one"))
    assert subject.fake.inventory().bundles == {"script/one"}
    assert (await refused(subject.get("one"))).code is StatusCode.NOT_FOUND
    assert (await refused(_create(subject, "one"))).code is StatusCode.ALREADY_EXISTS
    assert (await refused(subject.delete("one"))).code is StatusCode.NOT_FOUND
    assert subject.fake.inventory().bundles == frozenset()
    assert subject.fake.plot() == "+container !task.create -bundle"


async def test_create_can_lose_its_cleanup(subject: Fake) -> None:
    await subject.record("one")
    subject.fake.lose("cleanup", "Tasks.Create")
    await refused(_create(subject, "one"))
    assert (await refused(subject.delete("one"))).code is StatusCode.NOT_FOUND
    assert subject.fake.inventory().bundles == {"script/one"}
    assert (await refused(_create(subject, "one"))).code is StatusCode.UNKNOWN


async def test_only_a_task_s_creation_has_a_middle(subject: Fake) -> None:
    with pytest.raises(ValueError, match=r"only Tasks\.Create"):
        subject.fake.lose("middle", "Tasks.Start")


async def test_pid_is_larger_than_any_that_a_kernel_gives(subject: Fake) -> None:
    assert await subject.task("one") > LARGEST_PID


async def test_deaf_process_ends_by_sigkill_only(subject: Fake) -> None:
    subject.fake.deafen(15)
    await subject.running("one")
    await subject.kill("one", 15)
    assert subject.fake.inventory().processes == {"script/one"}
    await subject.kill("one", 9)
    assert subject.fake.inventory().processes == frozenset()


async def test_paused_process_gets_its_signals_when_it_goes_on(subject: Fake) -> None:
    await subject.running("one")
    pause = tasks_pb2.PauseTaskRequest(container_id="one")
    await subject.call(subject.tasks.Pause, pause)
    await subject.kill("one", 15)
    assert subject.fake.inventory().processes == {"script/one"}
    resume = tasks_pb2.ResumeTaskRequest(container_id="one")
    await subject.call(subject.tasks.Resume, resume)
    assert (await subject.wait("one")).exit_status == 143


async def test_exit_is_once(subject: Fake) -> None:
    await subject.running("one")
    subject.fake.exit("one", 1)
    with pytest.raises(LookupError, match="it has exited"):
        subject.fake.exit("one", 2)


async def test_world_survives_a_restart(subject: Fake) -> None:
    await subject.running("one")
    before = subject.fake.inventory()
    await subject.fake.stop()
    refusal = await refused(subject.call(subject.leases.List, leases_pb2.ListRequest(), within=0.2))
    assert refusal.code is StatusCode.DEADLINE_EXCEEDED  # waiting for it to be back
    await subject.fake.restart()
    assert subject.fake.inventory() == before
    await subject.get("one")


async def test_greedy_collector_takes_what_nothing_holds_after_each_call(subject: Fake) -> None:
    subject.fake.greedy = True
    await subject.prepare("held")
    await subject.prepare("loose", labels={})
    assert subject.fake.inventory().active_layers == {"script/held"}
    assert subject.fake.unheld() == frozenset()


async def test_unheld_is_what_a_collector_would_take(subject: Fake) -> None:
    await subject.prepare("loose", labels={})
    assert subject.fake.unheld() == {"script/loose"}
    subject.fake.collect()
    assert subject.fake.unheld() == frozenset()
    assert subject.fake.story[-1] == "*snapshot loose"


async def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    async with FakeContainerd.serving(tmp_path / "c.sock") as fake:
        subject = Fake(fake, "script", tmp_path)
        await subject.prepare("one", parent="")
        await subject.tidy()
    assert os.listdir(tmp_path) == []


async def _create(subject: Fake, name: str) -> tasks_pb2.CreateTaskResponse:
    return await subject.call(subject.tasks.Create, subject.creation(name, []))
