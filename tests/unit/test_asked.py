"""What is asked for: read whole, or refused by the field that is wrong."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from google.protobuf import duration_pb2, timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st

from moorage.v1 import container_pb2, container_service_pb2
from moored import errors
from moored.api import asked, pictures
from moored.model.limits import BlkioThrottle, HugepageLimit, Resources, Rlimit
from moored.model.network import Attachment, Dns
from moored.model.spec import Spec


def test_a_field_that_nobody_knows_is_refused_by_its_number() -> None:
    request = container_service_pb2.InspectRequest.FromString(b"\x0a\x01x\xf8\x01\x05")
    with pytest.raises(errors.NotServed) as caught:
        asked.refuse_unknown(request)
    assert caught.value.violations[0].field == "31"


def test_an_unknown_field_deep_inside_is_found_by_its_path() -> None:
    spec = container_pb2.ContainerSpec.FromString(b"\x12\x01b\xa0\x01\x05")
    with pytest.raises(errors.NotServed) as caught:
        asked.refuse_unknown(container_service_pb2.StartRequest(spec=spec))
    assert caught.value.violations[0].field == "spec.20"


def test_a_request_that_is_known_whole_passes() -> None:
    spec = container_pb2.ContainerSpec(image="b", labels={"a": "b"}, args=["x"])
    asked.refuse_unknown(container_service_pb2.StartRequest(spec=spec))


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-1, 0), (0, -1), (1, 2_000_000_000), (10**15, 0), (-5, -5)]
)
def test_a_time_that_is_none_is_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        asked.duration(duration_pb2.Duration(seconds=seconds, nanos=nanos), "timeout")
    assert caught.value.violations[0].field == "timeout"


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(errors.InvalidField):
        asked.timestamp(timestamp_pb2.Timestamp(seconds=10**15), "since")


_number = st.none() | st.integers(0, 2**32 - 1)
_texts = st.lists(st.text()).map(tuple)
_unsigned = st.integers(0, 2**64 - 1)
specs = st.builds(
    Spec,
    image=st.text(min_size=1),
    name=st.text(),
    command=st.lists(st.text()).map(tuple),
    args=st.lists(st.text()).map(tuple),
    env=st.lists(st.text()).map(tuple),
    working_dir=st.text(),
    user=st.text(),
    labels=st.dictionaries(st.text(), st.text()),
    hostname=st.text(),
    stop_signal=st.text(),
    stop_timeout=st.none() | st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10_000)),
    auto_remove=st.booleans(),
    runtime=st.text(),
    network=st.text(),
    resources=st.builds(
        Resources,
        memory_limit=st.integers(-(2**63), 2**63 - 1),
        memory_swap_limit=st.integers(-(2**63), 2**63 - 1),
        pids_limit=st.integers(-(2**63), 2**63 - 1),
        cpu_shares=_unsigned,
        cpu_quota=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=1)),
        nano_cpus=st.integers(-(2**63), 2**63 - 1),
        cpuset_cpus=st.text(),
        blkio_weight=st.integers(0, 2**32 - 1),
        blkio_throttles=st.lists(
            st.builds(BlkioThrottle, st.text(), _unsigned, _unsigned, _unsigned, _unsigned)
        ).map(tuple),
        hugepage_limits=st.lists(st.builds(HugepageLimit, st.text(), _unsigned)).map(tuple),
    ),
    rlimits=st.lists(
        st.builds(Rlimit, st.text(), st.integers(-1, 2**62), st.integers(-1, 2**62))
    ).map(tuple),
    oom_score_adjust=st.none() | st.integers(-(2**31), 2**31 - 1),
    umask=st.none() | st.integers(0, 2**32 - 1),
    supplementary_groups=st.lists(st.text()).map(tuple),
    networks=st.lists(
        st.builds(
            Attachment,
            name=st.text(),
            addresses=st.lists(st.text()).map(tuple),
            mac_address=st.text(),
        )
    ).map(tuple),
    dns=st.builds(
        Dns,
        servers=st.lists(st.text()).map(tuple),
        searches=st.lists(st.text()).map(tuple),
        options=st.lists(st.text()).map(tuple),
    ),
    extra_hosts=st.lists(st.text()).map(tuple),
    domain_name=st.text(),
)


@given(specs)
def test_a_spec_comes_back_from_the_wire_as_it_went(spec: Spec) -> None:
    wire = container_pb2.ContainerSpec.FromString(pictures.spec(spec).SerializeToString())
    assert asked.spec(wire, str) == spec


def test_every_field_of_a_spec_is_on_the_wire_by_the_same_name() -> None:
    ours = {field.name for field in dataclasses.fields(Spec)} - {"role"}
    assert ours == set(container_pb2.ContainerSpec.DESCRIPTOR.fields_by_name)
