"""Layers: their stack, their labels, and what can be done to which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from moored.containerd_api import snapshots_pb2
from tests.contract.subjects import BASE, ROOT_LABEL, SNAPSHOTTER, refused

if TYPE_CHECKING:
    from tests.contract.subjects import Subject


async def test_layer_without_a_parent_is_a_directory(subject: Subject) -> None:
    [mount] = await subject.prepare("first", parent="")
    assert (mount.type, list(mount.options)) == ("bind", ["rw", "rbind"])
    assert _names(mount.source) == []


async def test_layer_on_another_is_an_overlay(subject: Subject) -> None:
    [mount] = await subject.prepare("second")
    options = dict(option.partition("=")[::2] for option in mount.options)
    assert (mount.type, mount.source) == ("overlay", "overlay")
    assert "bin" in _names(options["lowerdir"])
    assert _names(options["upperdir"]) == []
    assert await _mounts(subject, "second") == [mount]


async def test_stat_tells_parent_kind_and_labels(subject: Subject) -> None:
    labels = {**ROOT_LABEL, "contract/name": "third"}
    await subject.prepare("third", labels=labels)
    info = await _stat(subject, "third")
    assert (info.name, info.parent, info.kind) == ("third", BASE, snapshots_pb2.ACTIVE)
    assert info.labels == labels


async def test_key_is_taken_by_an_active_and_by_a_committed_layer(subject: Subject) -> None:
    await subject.prepare("taken")
    assert (await refused(subject.prepare("taken"))).code is StatusCode.ALREADY_EXISTS
    assert (await refused(subject.prepare(BASE))).code is StatusCode.ALREADY_EXISTS


async def test_parent_must_be_there_and_committed(subject: Subject) -> None:
    orphan = subject.prepare("orphan", parent="none")
    assert (await refused(orphan)).code is StatusCode.NOT_FOUND
    await subject.prepare("active")
    refusal = await refused(subject.prepare("hasty", parent="active"))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("snapshotter", ["", "none"])
async def test_snapshotter_must_be_there(subject: Subject, snapshotter: str) -> None:
    request = snapshots_pb2.PrepareSnapshotRequest(snapshotter=snapshotter, key="x")
    refusal = await refused(subject.call(subject.layers.Prepare, request))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


async def test_what_is_not_there_is_not_found(subject: Subject) -> None:
    calls = (
        _mounts(subject, "none"),
        _stat(subject, "none"),
        subject.remove_layer("none"),
        _commit(subject, "none", "still-none"),
    )
    for call in calls:
        assert (await refused(call)).code is StatusCode.NOT_FOUND


async def test_committed_layer_has_no_mounts(subject: Subject) -> None:
    refusal = await refused(_mounts(subject, BASE))
    assert refusal.code is StatusCode.FAILED_PRECONDITION


async def test_commit_gives_a_layer_its_name_and_labels(subject: Subject) -> None:
    await subject.prepare("draft", labels={**ROOT_LABEL, "contract/draft": "yes"})
    await _commit(subject, "draft", "final", {**ROOT_LABEL, "contract/final": "yes"})
    assert (await refused(_stat(subject, "draft"))).code is StatusCode.NOT_FOUND
    info = await _stat(subject, "final")
    assert (info.kind, info.parent) == (snapshots_pb2.COMMITTED, BASE)
    assert info.labels == {**ROOT_LABEL, "contract/final": "yes"}
    await subject.prepare("upon", parent="final")


async def test_commit_to_a_name_that_is_taken_is_refused(subject: Subject) -> None:
    await subject.prepare("late")
    assert (await refused(_commit(subject, "late", BASE))).code is StatusCode.ALREADY_EXISTS
    assert (await _stat(subject, "late")).kind == snapshots_pb2.ACTIVE


async def test_layer_below_another_is_not_removed(subject: Subject) -> None:
    await subject.prepare("draft")
    await _commit(subject, "draft", "lower")
    await subject.prepare("upper", parent="lower")
    refusal = await refused(subject.remove_layer("lower"))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    await subject.remove_layer("upper")
    await subject.remove_layer("lower")


async def test_list_takes_filters(subject: Subject) -> None:
    for name in ("one", "two"):
        await subject.prepare(name, labels={**ROOT_LABEL, "contract/name": name})
    assert await _listed(subject, 'labels."contract/name"==two') == ["two"]
    assert await _listed(subject, 'labels."contract/name"') == ["one", "two"]
    assert await _listed(subject, f"parent=={BASE}") == ["one", "two"]
    assert await _listed(subject, "name==one") == ["one"]
    assert await _listed(subject, 'labels."contract/none"') == []
    assert await _listed(subject) == [BASE, "one", "two"]


async def test_filter_that_is_none_is_refused(subject: Subject) -> None:
    assert (await refused(_listed(subject, "="))).code is StatusCode.UNKNOWN


def _names(directory: str) -> list[str]:
    return [path.name for path in Path(directory).iterdir()]


async def _mounts(subject: Subject, key: str) -> list[object]:
    request = snapshots_pb2.MountsRequest(snapshotter=SNAPSHOTTER, key=key)
    return list((await subject.call(subject.layers.Mounts, request)).mounts)


async def _stat(subject: Subject, key: str) -> snapshots_pb2.Info:
    request = snapshots_pb2.StatSnapshotRequest(snapshotter=SNAPSHOTTER, key=key)
    return (await subject.call(subject.layers.Stat, request)).info


async def _commit(
    subject: Subject, key: str, name: str, labels: dict[str, str] = ROOT_LABEL
) -> None:
    request = snapshots_pb2.CommitSnapshotRequest(
        snapshotter=SNAPSHOTTER, key=key, name=name, labels=labels
    )
    await subject.call(subject.layers.Commit, request)


async def _listed(subject: Subject, *filters: str) -> list[str]:
    request = snapshots_pb2.ListSnapshotsRequest(snapshotter=SNAPSHOTTER, filters=filters)
    replies = await subject.stream(subject.layers.List, request)
    return sorted(info.name for reply in replies for info in reply.info)


async def test_usage_counts_what_a_layer_has_by_itself(subject: Subject) -> None:
    [mount] = await subject.prepare("measured")
    options = dict(option.partition("=")[::2] for option in mount.options)
    before = await _usage(subject, "measured")
    _write(options["upperdir"], 100_000)
    after = await _usage(subject, "measured")
    assert after.inodes == before.inodes + 1
    assert 100_000 <= after.size - before.size < 110_000
    assert (await refused(_usage(subject, "nothing"))).code is StatusCode.NOT_FOUND


def _write(directory: str, size: int) -> None:
    Path(directory, "file").write_bytes(bytes(size))


async def _usage(subject: Subject, key: str) -> snapshots_pb2.UsageResponse:
    request = snapshots_pb2.UsageRequest(snapshotter=SNAPSHOTTER, key=key)
    return await subject.call(subject.layers.Usage, request)
