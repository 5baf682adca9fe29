"""Parsers of what others write, each as a function of bytes. It returns, or it has a defect.

Each target knows the errors that its callers expect; every other one is found.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from moorage.v1 import container_pb2
from moored import errors, failpoints, policy_file
from moored.api import asked
from moored.containerd import documents, names
from moored.containerd.archive import read_archive
from moored.containerd.layouts import read_packages
from moored.containerd.platforms import this_host
from moored.ledger import records
from moored.model import users
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
    "cgroup_numbers": (b"usage_usec 1\nuser_usec 1\n", b"max\n", b"8:0 Read 12\nTotal 12\n"),
}
"""What each begins with: good ones, to be broken."""
