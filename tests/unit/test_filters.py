"""A filter is read whole, or refused by the field that is wrong; it picks what fits all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import filters
from moored.api.pictures import STATES
from moored.model.filters import EVERYTHING, Filter
from moored.model.state import Created, Running
from tests.unit.samples import snapshot as sample

DIGEST = "sha256:" + "ab" * 32


def test_a_filter_comes_from_the_wire_as_it_was_written() -> None:
    asked = wire.ContainerFilter(
        states=[container_pb2.CONTAINER_STATE_CREATED, container_pb2.CONTAINER_STATE_RUNNING],
        labels=["a", "b=", "c=d=e"],
        names=["web"],
        images=["busybox", DIGEST],
        since_revision=7,
    )
    assert filters.read(asked) == Filter(
        states=frozenset({Created, Running}),
        labels=(("a", None), ("b", ""), ("c", "d=e")),
        names=frozenset({"web"}),
        images=frozenset({"docker.io/library/busybox:latest", DIGEST}),
        since=7,
    )


def test_an_unset_filter_is_everything() -> None:
    assert filters.read(wire.ContainerFilter()) == EVERYTHING
    assert EVERYTHING.fits(replace(sample(), revision=1))


def test_every_state_can_be_filtered_by() -> None:
    for kind, number in STATES.items():
        assert filters.read(wire.ContainerFilter(states=[number])).states == {kind}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (wire.ContainerFilter(labels=["a", "=b"]), "filter.labels[1]"),
        (wire.ContainerFilter(names=[""]), "filter.names[0]"),
        (wire.ContainerFilter(images=["Not A Name"]), "filter.images[0]"),
        (wire.ContainerFilter(states=["CONTAINER_STATE_UNSPECIFIED"]), "filter.states[0]"),
    ],
)
def test_what_no_filter_can_say_is_refused(asked: wire.ContainerFilter, field: str) -> None:
    with pytest.raises(errors.FieldsRefused) as caught:
        filters.read(asked)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_all_labels_must_be_there_and_one_of_the_names() -> None:
    spec = replace(sample().spec, name="web", labels={"a": "b", "c": "d"})
    snapshot = replace(sample(), spec=spec, revision=5)
    both = (("a", None), ("c", "d"))
    assert Filter(labels=both, names=frozenset({"site", "web"})).fits(snapshot)
    assert not Filter(labels=(*both, ("a", "x"))).fits(snapshot)
    assert not Filter(labels=(("e", None),)).fits(snapshot)
    assert not Filter(names=frozenset({"site"})).fits(snapshot)
    assert not Filter(since=5).fits(snapshot)
    assert Filter(since=4, images=frozenset({snapshot.image.digest})).fits(snapshot)
