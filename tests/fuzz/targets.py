"""Parsers of what others write, each as a function of bytes. It returns, or it has a defect.

Each target knows the errors that its callers expect; every other one is found.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from moorage.v1 import container_pb2
from moored import errors, failpoints, policy_file
from moored.api import asked
from moored.containerd import documents, events, names, refusals, tasks
from moored.containerd.archive import read_archive
from moored.containerd.layouts import read_packages
from moored.containerd.platforms import this_host
from moored.containerd.timestamps import moment
from moored.containerd_api import events_pb2, task_events_pb2, task_types_pb2, tasks_pb2
from moored.ledger import records
from moored.model import exits, users
from moored.network.cni import configuration, results
from moored.oci import usage
from tests.unit.tars import Bytes, docker_files, index, named, oci_files, oci_image, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def reference(raw: bytes) -> None:
    with suppress(errors.MooredError):
        names.digest_of(names.complete_name(raw.decode("utf-8", "surrogateescape")))


def archive(raw: bytes) -> None:
    with suppress(errors.MooredError):
        read_packages(read_archive(Bytes(raw)), this_host(), "")


def image_documents(raw: bytes) -> None:
    for kind in (documents.Index, documents.Manifest, documents.Configuration):
        with suppress(documents.Malformed):
            documents.parse(kind, raw, "a document")


def spec(raw: bytes) -> None:
    with suppress(errors.MooredError, DecodeError):
        message = container_pb2.ContainerSpec.FromString(raw)
        asked.refuse_unknown(message)
        asked.spec(message, seal=lambda value: value.hex())


def cni_result(raw: bytes) -> None:
    with suppress(results.BadAnswer):
        results.result(raw, version="1.0.0", interface="eth0")
    with suppress(results.BadAnswer):
        results.supported(raw)
    results.complaint(raw)


def cni_configuration(raw: bytes) -> None:
    with suppress(configuration.ConfigurationFault):
        configuration.parse(raw)


def ledger_record(raw: bytes) -> None:
    with suppress(records.Unreadable):
        records.read(raw, revision=1, resources=())


def policy(raw: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        with suppress(errors.SetupRefused):
            policy_file.read(Path(file.name))


def fail_points(raw: bytes) -> None:
    with suppress(ValueError):
        failpoints.parse(raw.decode("utf-8", "replace"))


def passwd(raw: bytes) -> None:
    text = raw.decode(errors="surrogateescape")
    with suppress(users.Unknown):
        users.resolve("app:staff", ("wheel",), text, text)


def cgroup_numbers(raw: bytes) -> None:
    """Each file of a cgroup says the same nonsense, in the letters that a kernel has."""
    written = raw.decode("ascii", "ignore")
    with tempfile.TemporaryDirectory() as place:
        for name in _CGROUP_FILES:
            Path(place, name).write_text(written)
        usage.of_places([Path(place)])


def runtime_event(raw: bytes) -> None:
    """The same bytes as the payload of each kind of event, and as a whole envelope."""
    for kind in _EVENTS:
        events.read(Any(type_url=f"containerd.events.{kind}", value=raw))
    with suppress(DecodeError):
        events.read(events_pb2.Envelope.FromString(raw).event)


def task_status(raw: bytes) -> None:
    """What Get says of a task, and the end that moored concludes from it."""
    with suppress(DecodeError):
        task = tasks.read(task_types_pb2.Process.FromString(raw))
        if task.exit is not None:
            exits.of_process(task.exit.status, task.exit.at)


def shim_exit(raw: bytes) -> None:
    """What Wait and Delete answer."""
    for kind in (tasks_pb2.WaitResponse, tasks_pb2.DeleteResponse):
        with suppress(DecodeError):
            reply = kind.FromString(raw)
            exits.of_process(reply.exit_status, moment(reply.exited_at))


def runtime_complaint(raw: bytes) -> None:
    """The words with which a runtime refuses."""
    words = raw.decode(errors="replace")
    for said in (words, f"unable to start container process: exec: {words}"):
        refusals.meaning(errors.RuntimeRefused(said))


_EVENTS: Final = ("TaskStart", "TaskExit", "TaskOOM", "TaskPaused", "TaskResumed")
_CGROUP_FILES: Final = (
    *("cpu.stat", "memory.current", "memory.stat", "memory.max", "memory.events", "io.stat"),
    *("pids.current", "pids.max", "cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys"),
    *("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control"),
    *("blkio.throttle.io_service_bytes", "cpuacct.stat"),
)

TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        *(reference, archive, image_documents, spec, cni_result, cni_configuration),
        *(ledger_record, policy, fail_points, passwd, cgroup_numbers),
        *(runtime_event, task_status, shim_exit, runtime_complaint),
    )
}

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "reference": (b"busybox", b"registry:5000/a/b:1@sha256:" + b"0" * 64),
    "archive": (
        tar_of(docker_files()),
        tar_of(oci_files(index(oci_image().entry(**named("a/b:1"))), *oci_image().blobs)),
    ),
    "image_documents": (oci_image().manifest, oci_image().blobs[1], index(oci_image().entry())),
    "spec": (
        container_pb2.ContainerSpec(
            name="a", image="busybox", command=["/bin/sh"], labels={"a": "b"}, network="bridge"
        ).SerializeToString(),
    ),
    "cni_result": (
        b'{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:01",'
        b'"sandbox":"/n"}],"ips":[{"address":"10.0.0.2/24","gateway":"10.0.0.1",'
        b'"interface":0}],"dns":{"nameservers":["10.0.0.1"]}}',
        b'{"code":11,"msg":"later","details":"why"}',
    ),
    "cni_configuration": (
        b'{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge","ipam":{}}]}',
    ),
    "ledger_record": (b"{}",),
    "policy": (b'[roles.local]\nbind_roots = ["/srv"]\n',),
    "fail_points": (b"start.task.after=2*off->1*kill; ledger.commit.before=delay(0.5)",),
    "passwd": (b"app:x:1000:1000::/home/app:/bin/sh\nstaff:x:50:app\nwheel:x:10:\n",),
    "runtime_event": (
        task_events_pb2.TaskExit(
            container_id="web.1", id="web.1", pid=7, exit_status=3, exited_at=Timestamp(seconds=9)
        ).SerializeToString(),
    ),
    "task_status": (
        task_types_pb2.Process(
            id="web.1", pid=7, status=task_types_pb2.STOPPED, exit_status=137
        ).SerializeToString(),
    ),
    "shim_exit": (
        tasks_pb2.WaitResponse(exit_status=137, exited_at=Timestamp(seconds=9)).SerializeToString(),
    ),
    "runtime_complaint": (
        b'unable to start container process: exec: "nope": executable file not found in $PATH',
        b"OCI runtime create failed: open executable: No such file or directory",
        b'runc: starting container process caused: chdir to cwd ("/x") set in config.json failed:'
        b" no such file or directory: unknown",
    ),
    "cgroup_numbers": (b"usage_usec 1\nuser_usec 1\n", b"max\n", b"8:0 Read 12\nTotal 12\n"),
}
"""What each begins with: good ones, to be broken."""
