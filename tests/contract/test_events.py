"""Events: told to whoever has subscribed by then, and to nobody who comes later."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import pytest
from google.protobuf import any_pb2
from grpc import StatusCode

from moored.containerd_api import events_pb2, task_events_pb2, tasks_pb2
from tests.contract.subjects import CALL_WITHIN, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager

    from tests.contract.subjects import Subject

_BEAT = "/contract/beat"
_LOOK_AGAIN = 0.02


class Listener:
    def __init__(self, stream: AsyncIterator[events_pb2.Envelope]) -> None:
        self._stream = stream

    async def next(
        self, wanted: Callable[[events_pb2.Envelope], bool] = lambda _: True
    ) -> events_pb2.Envelope:
        """Return the next event that is ``wanted``."""
        async with asyncio.timeout(CALL_WITHIN):
            async for envelope in self._stream:
                if envelope.topic != _BEAT and wanted(envelope):
                    return envelope
        raise AssertionError("the stream has ended")

    async def first_beat(self) -> None:
        async for envelope in self._stream:
            if envelope.topic == _BEAT:
                return


async def test_published_event_comes_back_as_it_was(subject: Subject) -> None:
    async with _listening(subject) as listener:
        event = any_pb2.Any(type_url="contract.Thing", value=b"1")
        await _publish(subject, "/contract/thing", event)
        envelope = await listener.next()
        assert (envelope.namespace, envelope.topic) == (subject.namespace, "/contract/thing")
        assert envelope.event == event
        assert envelope.HasField("timestamp")


async def test_filters_choose_the_events(subject: Subject) -> None:
    chosen = f'namespace=={subject.namespace},topic~="^/(contract|tasks)/"'
    async with _listening(subject, "namespace==none", chosen) as listener:
        await _publish(subject, "/other/thing", any_pb2.Any(type_url="contract.Thing"))
        await _publish(subject, "/contract/thing", any_pb2.Any(type_url="contract.Thing"))
        assert (await listener.next()).topic == "/contract/thing"


async def test_filter_that_is_none_is_refused(subject: Subject) -> None:
    request = events_pb2.SubscribeRequest(filters=["bad="])
    refusal = await refused(subject.stream(subject.events.Subscribe, request))
    assert refusal.code is StatusCode.UNKNOWN


@pytest.mark.parametrize("topic", ["contract", "/con tract"])
async def test_topic_has_a_grammar(subject: Subject, topic: str) -> None:
    call = _publish(subject, topic, any_pb2.Any(type_url="contract.Thing"))
    assert (await refused(call)).code is StatusCode.INVALID_ARGUMENT


async def test_task_tells_its_life(subject: Subject) -> None:
    async with _listening(subject, 'topic~="^/tasks/"', f'topic=="{_BEAT}"') as listener:
        pid = await subject.running("told", ("/bin/sh", "-c", "exit 5"))
        exit_ = await subject.wait("told")
        await subject.delete("told")
        with _perhaps_lost(subject):
            told = [await listener.next() for _ in range(4)]
            _assert_told(told, pid, exit_)


def _assert_told(told: list[events_pb2.Envelope], pid: int, exit_: tasks_pb2.WaitResponse) -> None:
    assert {envelope.topic for envelope in told} == {
        "/tasks/create",
        "/tasks/start",
        "/tasks/exit",
        "/tasks/delete",
    }
    [envelope] = [envelope for envelope in told if envelope.topic == "/tasks/exit"]
    assert envelope.event.type_url.rpartition("/")[2] == "containerd.events.TaskExit"
    event = task_events_pb2.TaskExit.FromString(envelope.event.value)
    assert (event.container_id, event.id, event.pid) == ("told", "told", pid)
    assert (event.exit_status, event.exited_at) == (5, exit_.exited_at)


async def test_pause_and_resume_are_told(subject: Subject) -> None:
    await subject.running("paused")
    async with _listening(subject) as listener:
        await subject.call(subject.tasks.Pause, tasks_pb2.PauseTaskRequest(container_id="paused"))
        paused = await listener.next()
        assert paused.topic == "/tasks/paused"
        event = task_events_pb2.TaskPaused.FromString(paused.event.value)
        assert event.container_id == "paused"
        resume = tasks_pb2.ResumeTaskRequest(container_id="paused")
        await subject.call(subject.tasks.Resume, resume)
        assert (await listener.next()).topic == "/tasks/resumed"


async def test_delete_of_a_created_task_tells_an_exit_that_never_was(subject: Subject) -> None:
    """Its status is 137 and its time the year 1: nothing to believe."""
    await subject.task("never")
    async with _listening(subject) as listener:
        await subject.delete("never")
        with _perhaps_lost(subject):
            envelope = await listener.next(lambda told: told.topic == "/tasks/exit")
            _assert_never_was(envelope)


def _assert_never_was(envelope: events_pb2.Envelope) -> None:
    event = task_events_pb2.TaskExit.FromString(envelope.event.value)
    assert (event.exit_status, event.exited_at.seconds) == (137, -62135596800)


def _perhaps_lost(subject: Subject) -> AbstractContextManager[None]:
    """Seen of 2.1 on a busy machine: a shim that ends takes along what it has not told yet."""
    return suppress(TimeoutError) if subject.series >= (2, 0) else nullcontext()


@asynccontextmanager
async def _listening(subject: Subject, *filters: str) -> AsyncIterator[Listener]:
    """Subscribe, and publish a beat until it comes back: nothing else says that it took hold."""
    request = events_pb2.SubscribeRequest(filters=filters or [f"namespace=={subject.namespace}"])
    call = subject.events.Subscribe(request, metadata=subject.metadata(), timeout=60.0)
    listener = Listener(aiter(call))
    beating = asyncio.create_task(_beat(subject))
    try:
        await listener.first_beat()
        beating.cancel()
        yield listener
    finally:
        beating.cancel()
        call.cancel()


async def _beat(subject: Subject) -> None:
    while True:
        await _publish(subject, _BEAT, any_pb2.Any(type_url="contract.Beat"))
        await asyncio.sleep(_LOOK_AGAIN)


async def _publish(subject: Subject, topic: str, event: any_pb2.Any) -> None:
    request = events_pb2.PublishRequest(topic=topic, event=event)
    await subject.call(subject.events.Publish, request)
