"""Pictures: what the model says, on the wire; serialised once for each view."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from moorage.v1 import container_pb2, container_service_pb2
from moored.api import pictures
from moored.api.pictures import Pictures
from moored.directory import View
from moored.model import state as states
from moored.model.exits import Exit, Origin
from moored.model.timeline import Stage
from tests.unit.samples import AT, snapshot

EXIT = Exit(3, Origin.PROCESS, AT)


def test_the_states_on_the_wire_mirror_the_state_machine() -> None:
    assert set(pictures.STATES) == set(get_args(states.State))
    used = {pictures.STATES[kind] for kind in pictures.STATES}
    assert used | {container_pb2.CONTAINER_STATE_UNSPECIFIED} == set(
        container_pb2.ContainerState.values()
    )


@pytest.mark.parametrize(
    ("state", "pid", "has_exit"),
    [
        (states.Created(), 0, False),
        (states.Starting(AT), 0, False),
        (states.Running(7, 70, AT), 7, False),
        (states.Frozen(7, 70, AT), 7, False),
        (states.Stopping(7, 70, AT), 7, False),
        (states.Exited(EXIT), 0, True),
        (states.Removing(EXIT), 0, True),
        (states.Removing(None), 0, False),
        (states.Stranded(EXIT), 0, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_pid_is_shown_with_a_process_and_an_exit_after_one(
    state: states.State, pid: int, has_exit: bool
) -> None:
    shown = pictures.container(replace(snapshot(), state=state)).status
    assert shown.pid == pid
    assert shown.HasField("exit") is has_exit


def test_a_view_is_serialised_once_and_reads_as_the_answer_to_inspect_and_list() -> None:
    gallery, view = Pictures(), View(snapshot(name="web"), Stage("start", "task", AT))
    once, twice = gallery.field(view), gallery.field(view)
    assert once is twice
    inspected = container_service_pb2.InspectResponse.FromString(once)
    assert inspected.container.name == "web"
    assert inspected.container.status.stage.step == "task"
    listed = container_service_pb2.ListResponse.FromString(once + once)
    assert [container.name for container in listed.containers] == ["web", "web"]


def test_a_large_container_is_framed_rightly() -> None:
    large = replace(snapshot(), spec=replace(snapshot().spec, args=("x" * 300_000,)))
    read = container_service_pb2.InspectResponse.FromString(Pictures().field(View(large, None)))
    assert read.container.spec.args == ["x" * 300_000]


def test_what_nobody_holds_is_not_kept() -> None:
    gallery = Pictures()
    gallery.field(View(snapshot(), None))
    assert len(gallery) == 0
