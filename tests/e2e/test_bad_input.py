"""Whatever a caller sends: each wrong value is refused by the path of its field, and changes
nothing. Whatever is refused, the next call is served as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_service_pb2, image_service_pb2
from moorage.v1.container_pb2 import ContainerSpec, Resources
from moorage.v1.resources_pb2 import BlkioThrottle, Rlimit
from moorage.v1.security_pb2 import Device, Seccomp, SystemPaths
from tests.real.specs import IMAGE, sleeper
from tests.real.wire import CALL_WITHIN, Refusal, Wire, duration, refusal, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message


pytestmark = pytest.mark.real

INVALID = grpc.StatusCode.INVALID_ARGUMENT
REASONS = {"INVALID_FIELD", "NETWORK_UNKNOWN", "NOT_SERVED", "RUNTIME_UNKNOWN"}
"""What a spec is refused with that is wrong in one field."""
SERVICE = "/moorage.v1.ContainerService"
HUGE = "x" * (128 * 1024)
ID = "0123456789abcdef0123456789abcdef"

SPECS: list[tuple[str, dict[str, Any], str]] = [
    ("no image", {"image": ""}, "spec.image"),
    ("an image name with spaces", {"image": "busy box"}, "spec.image"),
    ("an image name in capitals", {"image": "BusyBox"}, "spec.image"),
    ("an image name that climbs", {"image": "../../etc/passwd"}, "spec.image"),
    ("a huge image name", {"image": HUGE}, "spec.image"),
    ("a name with a slash", {"name": "a/b"}, "spec.name"),
    ("a name that climbs", {"name": ".."}, "spec.name"),
    ("a name with a line break", {"name": "a\nb"}, "spec.name"),
    ("a name like an option", {"name": "-rf"}, "spec.name"),
    ("a name in another script", {"name": "гавань"}, "spec.name"),
    ("a name like an id", {"name": ID}, "spec.name"),
    ("a name that is too long", {"name": "n" * 129}, "spec.name"),
    ("an empty command", {"command": [""]}, "spec.command[0]"),
    ("a command with a NUL", {"command": ["/bin/sh\0-c"]}, "spec.command[0]"),
    ("an argument with a NUL", {"args": ["fine", "a\0b"]}, "spec.args[1]"),
    ("a huge argument", {"args": [HUGE]}, "spec.args[0]"),
    ("many large arguments", {"args": ["x" * 100_000] * 12}, "spec.args"),
    ("env without =", {"env": ["GOOD=1", "BAD"]}, "spec.env[1]"),
    ("env without a key", {"env": ["=value"]}, "spec.env[0]"),
    ("a duplicate env key", {"env": ["KEY=1", "KEY=2"]}, "spec.env[1]"),
    ("env with a NUL", {"env": ["KEY=a\0b"]}, "spec.env[0]"),
    ("a relative working_dir", {"working_dir": "etc"}, "spec.working_dir"),
    ("a working_dir that climbs", {"working_dir": "/a/../../etc"}, "spec.working_dir"),
    ("a working_dir with a NUL", {"working_dir": "/a\0"}, "spec.working_dir"),
    ("a user that is no name", {"user": "a b"}, "spec.user"),
    ("a negative user", {"user": "-1"}, "spec.user"),
    ("a user beyond all", {"user": "4294967295"}, "spec.user"),
    ("a user with too much", {"user": "1:2:3"}, "spec.user"),
    ("a label of ours", {"labels": {"moorage.run": "1"}}, "spec.labels['moorage.run']"),
    ("a huge label", {"labels": {"big": HUGE}}, "spec.labels['big']"),
    ("a label without a key", {"labels": {"": "x"}}, "spec.labels['']"),
    ("a hostname with a space", {"hostname": "a b"}, "spec.hostname"),
    ("a hostname that is too long", {"hostname": "h" * 64}, "spec.hostname"),
    ("a hostname beside host", {"hostname": "h", "network": "host"}, "spec.hostname"),
    ("an unknown stop signal", {"stop_signal": "SIGNOPE"}, "spec.stop_signal"),
    ("a stop signal of zero", {"stop_signal": "0"}, "spec.stop_signal"),
    ("a stop signal beyond all", {"stop_signal": "65"}, "spec.stop_signal"),
    ("a negative stop timeout", {"stop_timeout": duration(-1)}, "spec.stop_timeout"),
    ("an endless stop timeout", {"stop_timeout": duration(1e9)}, "spec.stop_timeout"),
    ("an unknown runtime", {"runtime": "no-such"}, "spec.runtime"),
    ("a runtime that is a path", {"runtime": "/bin/sh"}, "spec.runtime"),
    ("much environment", {"env": [f"K{n}={'x' * 1000}" for n in range(2000)]}, "spec.env"),
    ("labels without number", {"labels": {f"k{n}": "" for n in range(20_000)}}, "spec.labels"),
    ("a capability of nobody", {"capabilities_add": ["FLY"]}, "spec.capabilities_add[0]"),
    ("a sysctl of the host", {"sysctls": {"vm.swappiness": "1"}}, "spec.sysctls['vm.swappiness']"),
    (
        "a sysctl that climbs",
        {"sysctls": {"net/../../kernel.core_pattern": "|/x"}},
        "spec.sysctls['net/../../kernel.core_pattern']",
    ),
    (
        "a sysctl of the host's network",
        {"sysctls": {"net.ipv4.ip_forward": "1"}, "network": "host"},
        "spec.sysctls['net.ipv4.ip_forward']",
    ),
    ("a device that climbs", {"devices": [Device(source="/dev/../etc")]}, "spec.devices[0].source"),
    (
        "an access of no kind",
        {"devices": [Device(source="/dev/null", access="x")]},
        "spec.devices[0].access",
    ),
    ("masked /", {"system_paths": SystemPaths(masked=["/"])}, "spec.system_paths.masked[0]"),
    (
        "masked elsewhere",
        {"system_paths": SystemPaths(masked=["/proc/../x"])},
        "spec.system_paths.masked[0]",
    ),
    ("a filter that is no JSON", {"seccomp": Seccomp(profile="{")}, "spec.seccomp.profile"),
    ("a filter without end", {"seccomp": Seccomp(profile="[" * 300_000)}, "spec.seccomp.profile"),
    ("a deep filter", {"seccomp": Seccomp(profile="[" * 100_000)}, "spec.seccomp.profile"),
    (
        "two devices at one place",
        {
            "devices": [
                Device(source="/dev/null", destination="/dev/x"),
                Device(source="/dev/zero", destination="/dev/x"),
            ]
        },
        "spec.devices[1].destination",
    ),
    ("a group that climbs", {"supplementary_groups": ["../x"]}, "spec.supplementary_groups[0]"),
    ("a umask beyond all", {"umask": 0o7777}, "spec.umask"),
    ("a score beyond all", {"oom_score_adjust": 1001}, "spec.oom_score_adjust"),
    ("an rlimit of no kind", {"rlimits": [Rlimit(name="x")]}, "spec.rlimits[0].name"),
    (
        "more swap than memory and swap",
        {"resources": Resources(memory_limit=2**24, memory_swap_limit=2**23)},
        "spec.resources.memory_swap_limit",
    ),
    (
        "processors backwards",
        {"resources": Resources(cpuset_cpus="3-0")},
        "spec.resources.cpuset_cpus",
    ),
    (
        "a disk that climbs",
        {"resources": Resources(blkio_throttles=[BlkioThrottle(path="/dev/../sda", read_bps=1)])},
        "spec.resources.blkio_throttles[0].path",
    ),
    ("a cgroup that climbs", {"cgroup_parent": "/x/../y"}, "spec.cgroup_parent"),
    ("a cgroup by a slice's name", {"cgroup_parent": "batch.slice"}, "spec.cgroup_parent"),
    ("a cgroup with a NUL", {"cgroup_parent": "/x\0y"}, "spec.cgroup_parent"),
    ("a cgroup in a run's", {"cgroup_parent": f"/moorage/{ID}.1"}, "spec.cgroup_parent"),
    ("a user namespace of a kind", {"user_namespace": "keep-id"}, "spec.user_namespace"),
    (
        "realtime of nobody's",
        {"resources": Resources(cpu_rt_runtime=duration(0.01))},
        "spec.resources.cpu_rt_runtime",
    ),
    ("an SELinux label", {"selinux_label": "a:b"}, "spec.selinux_label"),
    ("a network that is not there", {"network": "nowhere"}, "spec.network"),
]

OTHERS: list[tuple[str, str, Message, str]] = [
    ("Start of nothing", "Start", container_service_pb2.StartRequest(), "target"),
    (
        "Start with a request_id that cannot be printed",
        "Start",
        container_service_pb2.StartRequest(container=ID, request_id="a\nb"),
        "request_id",
    ),
    ("Create of nothing", "Create", container_service_pb2.CreateRequest(), "spec"),
    (
        "Create with a request_id that cannot be printed",
        "Create",
        container_service_pb2.CreateRequest(spec=sleeper(), request_id="a\nb"),
        "request_id",
    ),
    ("Inspect of nothing", "Inspect", container_service_pb2.InspectRequest(), "container"),
    (
        "Cleanup with a request_id that cannot be printed",
        "Cleanup",
        container_service_pb2.CleanupRequest(container=ID, request_id="a\nb"),
        "request_id",
    ),
    (
        "Stop with an unknown signal",
        "Stop",
        container_service_pb2.StopRequest(container=ID, signal="NOPE"),
        "signal",
    ),
    (
        "Stop with a negative timeout",
        "Stop",
        container_service_pb2.StopRequest(container=ID, timeout=duration(-5)),
        "timeout",
    ),
    (
        "Stop with a request_id that cannot be printed",
        "Stop",
        container_service_pb2.StopRequest(container=ID, request_id="a\nb"),
        "request_id",
    ),
    (
        "Wait with a negative timeout",
        "Wait",
        container_service_pb2.WaitRequest(container=ID, timeout=duration(-5)),
        "timeout",
    ),
    (
        "List with a negative page",
        "List",
        container_service_pb2.ListRequest(page_size=-1),
        "page_size",
    ),
    (
        "List with a large page",
        "List",
        container_service_pb2.ListRequest(page_size=1001),
        "page_size",
    ),
    (
        "List with a token of nobody's",
        "List",
        container_service_pb2.ListRequest(page_token="../../0"),
        "page_token",
    ),
    (
        "Logs with a negative tail",
        "Logs",
        container_service_pb2.LogsRequest(container=ID, tail=-1),
        "tail",
    ),
]


@pytest.fixture
async def unchanged(wire: Wire) -> AsyncIterator[None]:
    """Nothing is recorded. That nothing changes outside is looked at after every test."""
    recorded = await wire.list()
    yield
    assert await wire.list() == recorded


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("fields", "path"), [case[1:] for case in SPECS], ids=[case[0] for case in SPECS]
)
async def test_a_wrong_spec_is_refused_by_the_path_of_its_field(
    wire: Wire, fields: dict[str, Any], path: str
) -> None:
    spec = ContainerSpec(**{"image": IMAGE, **fields})
    for refusal_ in (await refused(wire.create(spec)), await refused(wire.run(spec))):
        assert refusal_.code is INVALID
        assert refusal_.fields == (path,)
        assert refusal_.reason in REASONS
        assert refusal_.domain == "moorage"
        assert len(refusal_.message) < 4096, "a huge value does not come back"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("method", "request_", "path"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS]
)
async def test_a_wrong_request_is_refused_by_the_path_of_its_field(
    wire: Wire, method: str, request_: Message, path: str
) -> None:
    refusal_ = await _refused_bytes(wire, method, request_.SerializeToString())
    assert refusal_.code is INVALID
    assert refusal_.fields == (path,)
    assert refusal_.reason in {"INVALID_FIELD", "NOT_SERVED", "INVALID_PAGE_TOKEN"}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("nobody", grpc.StatusCode.NOT_FOUND),
        (ID, grpc.StatusCode.NOT_FOUND),
        ("../../etc/passwd", grpc.StatusCode.NOT_FOUND),
        ("' OR 1=1 --", grpc.StatusCode.NOT_FOUND),
        ("a\0b", grpc.StatusCode.NOT_FOUND),
        ("гавань", grpc.StatusCode.NOT_FOUND),
        ("%", grpc.StatusCode.NOT_FOUND),
        (HUGE, grpc.StatusCode.NOT_FOUND),
        ("", INVALID),
    ],
    ids=["unknown", "id", "path", "sql", "nul", "unicode", "wildcard", "huge", "empty"],
)
async def test_a_hostile_reference_names_nothing(
    wire: Wire, reference: str, code: grpc.StatusCode
) -> None:
    for call in (wire.inspect, wire.start, wire.stop, wire.wait, wire.cleanup):
        refusal_ = await refused(call(reference))
        assert refusal_.code in {code, INVALID}
        assert refusal_.reason in {"CONTAINER_NOT_FOUND", "INVALID_FIELD"}
        assert len(refusal_.message) < 4096


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("method", "inside", "path"),
    [
        ("Start", True, "spec.9999"),
        ("Create", True, "spec.9999"),
        ("Start", False, "9999"),
        ("Create", False, "9999"),
        ("Inspect", False, "9999"),
        ("Cleanup", False, "9999"),
        ("List", False, "9999"),
    ],
)
async def test_a_field_of_a_newer_client_is_refused_and_not_ignored(
    wire: Wire, method: str, inside: bool, path: str
) -> None:
    unknown = _field(9999, b"of tomorrow")
    known = {
        "Start": _field(2, sleeper().SerializeToString() + (unknown if inside else b"")),
        "Create": _field(1, sleeper().SerializeToString() + (unknown if inside else b"")),
        "Inspect": _field(1, ID.encode()),
        "Cleanup": _field(1, ID.encode()),
        "List": b"",
    }[method]
    refusal_ = await _refused_bytes(wire, method, known + (b"" if inside else unknown))
    assert (refusal_.code, refusal_.reason) == (INVALID, "NOT_SERVED")
    assert len(refusal_.fields) == 1
    assert path.rpartition(".")[2] in refusal_.fields[0]
    assert refusal_.fields[0].startswith("spec") == inside


@pytest.mark.usefixtures("unchanged")
async def test_an_enum_value_of_a_newer_client_is_refused(wire: Wire) -> None:
    wait = container_service_pb2.WaitRequest(container=ID)
    wait.condition = 77  # type: ignore[assignment]  # proto3 enums are open
    logs = container_service_pb2.LogsRequest(container=ID)
    logs.streams.append(77)  # type: ignore[arg-type]
    for method, request_, path in (("Wait", wait, "condition"), ("Logs", logs, "streams[0]")):
        refusal_ = await _refused_bytes(wire, method, request_.SerializeToString())
        assert (refusal_.code, refusal_.reason) == (INVALID, "NOT_SERVED")
        assert refusal_.fields == (path,)


@pytest.mark.usefixtures("unchanged")
async def test_a_field_of_a_newer_client_is_refused_in_each_message_of_a_stream(
    wire: Wire,
) -> None:
    options = image_service_pb2.ImportRequest(options=image_service_pb2.ImportOptions(name="x"))
    newer = image_service_pb2.ImportRequest.FromString(_field(9999, b"of tomorrow"))
    call = wire.images.Import(iter([options, newer]), timeout=CALL_WITHIN)
    refusal_ = await refused(call)
    assert (refusal_.code, refusal_.reason) == (INVALID, "NOT_SERVED")
    assert "9999" in refusal_.fields[0]


@pytest.mark.usefixtures("unchanged")
async def test_bytes_that_are_no_message_are_refused(wire: Wire) -> None:
    for garbage in (b"\xff\xff\xff", b"\x0a\x05ab", _field(1, b"\xff\xfe not UTF-8")):
        error = await _error(wire, "Inspect", garbage)
        assert error.code() in {INVALID, grpc.StatusCode.INTERNAL}


@pytest.mark.usefixtures("unchanged")
async def test_a_message_larger_than_allowed_is_refused_and_the_connection_goes_on(
    wire: Wire,
) -> None:
    spec = ContainerSpec(image=IMAGE, args=["x" * 1_000_000] * 5)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await wire.create(spec)
    assert raised.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, INVALID}
    assert (await wire.server()).version


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "fields",
    [
        {"env": [f"K{n}={'x' * 100_000}" for n in range(100)]},
        {"labels": {f"label-{n:06}": "x" * 40 for n in range(100_000)}},
    ],
    ids=["10 MB of environment", "100,000 labels"],
)
async def test_what_is_too_much_for_a_message_is_refused_and_the_connection_goes_on(
    wire: Wire, fields: dict[str, Any]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await wire.create(ContainerSpec(image=IMAGE, **fields))
    assert raised.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, INVALID}
    assert (await wire.server()).version


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", ["pid", "uts", "ipc", "network"])
async def test_namespaces_in_a_circle_are_refused_by_their_kind(wire: Wire, kind: str) -> None:
    found = await refused(wire.run(sleeper(name="round", **{kind: "container:round"})))
    assert (found.code, found.fields) == (INVALID, (f"spec.{kind}",))
    # Whoever is joined has to be there first: so no larger circle has a beginning.
    for name, other in (("one", "two"), ("two", "one")):
        found = await refused(wire.run(sleeper(name=name, **{kind: f"container:{other}"})))
        assert (found.code, found.metadata["kind"]) == (grpc.StatusCode.NOT_FOUND, kind)
        assert f"cannot join {kind} of container {other!r}" in found.message


@pytest.mark.usefixtures("unchanged")
async def test_several_wrong_fields_are_all_named(wire: Wire) -> None:
    spec = ContainerSpec(image="", name="a/b", env=["BAD"], working_dir="etc")
    refusal_ = await refused(wire.create(spec))
    assert set(refusal_.fields) == {"spec.image", "spec.name", "spec.env[0]", "spec.working_dir"}


@pytest.mark.usefixtures("unchanged")
async def test_the_host_network_needs_the_servers_leave(wire: Wire) -> None:
    refusal_ = await refused(wire.create(sleeper(network="host")))
    assert (refusal_.code, refusal_.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "HOST_NETWORK_NOT_ALLOWED",
    )


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "parts",
    [
        [],
        [image_service_pb2.ImportRequest(chunk=b"this is no archive")],
        [image_service_pb2.ImportRequest(chunk=b"\0" * 10240)],
        [image_service_pb2.ImportRequest(chunk=b"\x1f\x8b\x08garbage")],
        [image_service_pb2.ImportRequest()],
        [
            image_service_pb2.ImportRequest(chunk=b""),
            image_service_pb2.ImportRequest(options=image_service_pb2.ImportOptions(name="late")),
        ],
        [image_service_pb2.ImportRequest(options=image_service_pb2.ImportOptions(name="a b"))],
    ],
    ids=["nothing", "text", "zeros", "no gzip", "empty part", "late options", "wrong name"],
)
async def test_what_is_no_archive_is_refused(
    wire: Wire, parts: list[image_service_pb2.ImportRequest]
) -> None:
    refusal_ = await refused(wire.images.Import(iter(parts), timeout=CALL_WITHIN))
    assert refusal_.code is INVALID
    assert refusal_.reason in {"ARCHIVE_INVALID", "INVALID_FIELD"}


async def _refused_bytes(wire: Wire, method: str, request: bytes) -> Refusal:
    return refusal(await _error(wire, method, request))


async def _error(wire: Wire, method: str, request: bytes) -> grpc.aio.AioRpcError:
    """Send bytes that no generated client would send, and return what comes back."""
    path = f"{SERVICE}/{method}"
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = wire.channel.unary_unary(path)
    stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = wire.channel.unary_stream(path)
    try:
        if method == "Logs":
            answer = b"".join([part async for part in stream(request, timeout=CALL_WITHIN)])
        else:
            answer = await call(request, timeout=CALL_WITHIN)
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"was not refused: {answer!r}")


def _field(number: int, content: bytes) -> bytes:
    """Return one length-delimited field as it is on the wire."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
