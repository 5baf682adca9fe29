"""What rides with a run is read as it was written, whatever its size, and nothing else is."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from moored.ledger import marks
from moored.ledger.records import Unreadable
from moored.model.resources import Kind, Resource
from moored.model.secrets import Secret
from moored.model.spec import Spec
from moored.model.state import Running, Snapshot
from tests.unit.samples import AT, snapshot


def carried(spec: Spec) -> Snapshot:
    resources = (Resource(Kind.TASK, "c.1", 1), Resource(Kind.LAYER, "c", 1, kept=True))
    return replace(
        snapshot(1), spec=spec, state=Running(7, 70, AT), run=1, resources=resources, revision=9
    )


def test_a_mark_is_read_as_it_was_written() -> None:
    before = carried(Spec(image="busybox", name="wëb", env=("A=1",)))
    assert marks.read(marks.write(before)) == before


def test_a_mark_of_any_size_goes_into_labels_that_containerd_takes() -> None:
    noise = tuple(f"K{n}={os.urandom(600).hex()}" for n in range(60))
    before = carried(Spec(image="busybox", env=noise))
    labels = marks.as_labels(marks.write(before))
    assert len(labels) > 10
    assert all(len(key) + len(value) <= marks.LARGEST_LABEL for key, value in labels.items())
    found = marks.from_labels({"moorage/name": "x", **labels})
    assert marks.read(found) == before


def test_small_secrets_ride_along_and_large_ones_leave_their_place_only() -> None:
    small = carried(Spec(image="b", secrets=(Secret("s", sealed="c2VhbGVk", size=6),)))
    assert marks.read(marks.write(small)) == small
    long = "x" * (marks.LARGEST_SECRETS + 1)
    large = carried(
        Spec(
            image="b",
            secrets=(Secret("s", sealed=long, size=30_000), Secret("f", file="/etc/f")),
        )
    )
    mark = marks.write(large)
    found = marks.read(mark)
    assert len(mark) < marks.LARGEST_SECRETS
    assert marks.lacks_secrets(found)
    assert not marks.lacks_secrets(large)
    assert found.spec.secrets == (Secret("s", sealed="", size=30_000), Secret("f", file="/etc/f"))


@pytest.mark.parametrize("mark", [b"", b"no mark", marks.write(carried(Spec(image="b")))[:-9]])
def test_what_is_no_mark_is_unreadable(mark: bytes) -> None:
    with pytest.raises(Unreadable):
        marks.read(mark)


def test_labels_that_were_tampered_with_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        marks.from_labels({"moorage/record.0": "***"})
