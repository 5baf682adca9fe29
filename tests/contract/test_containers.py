"""Container records: their grammar, their labels, and that they do not guard their task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from moored.containerd_api import containers_pb2, task_types_pb2, tasks_pb2
from tests.contract.subjects import SLEEP, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.subjects import Subject

LONGEST = 76


async def test_record_comes_back_as_it_was_made(subject: Subject) -> None:
    wanted = subject.wanted("kept")
    made = await subject.record("kept")
    request = containers_pb2.GetContainerRequest(id="kept")
    found = (await subject.call(subject.containers.Get, request)).container
    assert found == made
    assert found.spec == wanted.spec
    assert found.labels == wanted.labels
    assert found.runtime.name == wanted.runtime.name
    assert found.HasField("created_at")


async def test_an_extension_is_changed_alone(subject: Subject) -> None:
    made = await subject.record("marked")
    new = Any(type_url="test/mark", value=b"new")
    request = containers_pb2.UpdateContainerRequest(
        container=containers_pb2.Container(id="marked", extensions={"test/mark": new}),
        update_mask=FieldMask(paths=["extensions.test/mark"]),
    )
    await subject.call(subject.containers.Update, request)
    get = containers_pb2.GetContainerRequest(id="marked")
    found = (await subject.call(subject.containers.Get, get)).container
    assert found.extensions["test/mark"] == new
    assert (found.spec, found.labels, found.image) == (made.spec, made.labels, made.image)
    request.container.id = "none"
    refusal = await refused(subject.call(subject.containers.Update, request))
    assert refusal.code is StatusCode.NOT_FOUND


async def test_second_record_of_a_name_is_refused(subject: Subject) -> None:
    await subject.record("twice")
    refusal = await refused(subject.record("twice"))
    assert refusal.code is StatusCode.ALREADY_EXISTS


async def test_record_that_is_not_there_is_not_found(subject: Subject) -> None:
    get = containers_pb2.GetContainerRequest(id="none")
    assert (await refused(subject.call(subject.containers.Get, get))).code is StatusCode.NOT_FOUND
    assert (await refused(subject.remove_record("none"))).code is StatusCode.NOT_FOUND


async def test_name_of_76_characters_is_the_longest(subject: Subject) -> None:
    await subject.record("a" * LONGEST)
    refusal = await refused(subject.record("a" * (LONGEST + 1)))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["", "a b", "-a", "a..b", "a/b"])
async def test_name_has_a_grammar(subject: Subject, name: str) -> None:
    assert (await refused(subject.record(name))).code is StatusCode.INVALID_ARGUMENT


async def test_record_without_a_spec_is_refused_until_1_7(subject: Subject) -> None:
    wanted = subject.wanted("spoiled")
    wanted.ClearField("spec")
    call = subject.call(
        subject.containers.Create, containers_pb2.CreateContainerRequest(container=wanted)
    )
    if subject.series >= (1, 7):
        assert (await call).container.id == "spoiled"
    else:
        assert (await refused(call)).code is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.ClearField("runtime"),
        lambda record: record.ClearField("snapshotter"),
        lambda record: record.labels.update({"k" * 3000: "v" * 3000}),
    ],
    ids=["runtime", "snapshotter", "label"],
)
async def test_record_that_lacks_something_is_refused(
    subject: Subject, spoil: Callable[[containers_pb2.Container], None]
) -> None:
    wanted = subject.wanted("spoiled")
    spoil(wanted)
    request = containers_pb2.CreateContainerRequest(container=wanted)
    refusal = await refused(subject.call(subject.containers.Create, request))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], ["one", "two"]),
        (["id==one"], ["one"]),
        (["id~=^t"], ["two"]),
        (['labels."contract/name"==two'], ["two"]),
        (['labels."contract/name"'], ["one", "two"]),
        (['labels."contract/none"'], []),
        (["id==one,id==two"], []),
        (["id==one", "id==two"], ["one", "two"]),
        (["id!=one"], ["two"]),
        (["runtime.name==io.containerd.runc.v2,id==one"], ["one"]),
    ],
)
async def test_list_takes_filters(subject: Subject, filters: list[str], found: list[str]) -> None:
    for name in ("one", "two"):
        await subject.record(name)
    request = containers_pb2.ListContainersRequest(filters=filters)
    listed = await subject.call(subject.containers.List, request)
    assert [container.id for container in listed.containers] == found


async def test_record_can_be_deleted_under_a_live_task_and_orphans_it(subject: Subject) -> None:
    """The way back is a record of the same name."""
    await subject.running("orphan")
    await subject.remove_record("orphan")
    for call in (subject.get, subject.wait, subject.kill, subject.delete):
        assert (await refused(call("orphan"))).code is StatusCode.NOT_FOUND
    listed = await subject.call(subject.tasks.List, tasks_pb2.ListTasksRequest())
    assert [task.id for task in listed.tasks] == ["orphan"]
    assert listed.tasks[0].status == task_types_pb2.RUNNING

    await subject.record("orphan", SLEEP)
    assert (await subject.get("orphan")).status == task_types_pb2.RUNNING
    await subject.kill("orphan")
    assert (await subject.wait("orphan")).exit_status == 137
    await subject.delete("orphan")


async def test_record_need_not_have_its_layer(subject: Subject) -> None:
    made = await subject.record("bare", layer="no-such-layer")
    assert made.snapshot_key == "no-such-layer"
