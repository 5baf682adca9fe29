"""What people are shown of images and of the server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moorage.cli.tables import Cell, Coloured, fields, table
from moorage.cli.times import age, moment, size
from moorage.v1.container_service_pb2 import CgroupMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moorage.v1.container_service_pb2 import ContainerdInfo, GetServerInfoResponse
    from moorage.v1.image_service_pb2 import Image

DIGEST = len("sha256:") + 12


def images(listed: Sequence[Image], now: datetime | None = None) -> str:
    clock = now or datetime.now(UTC)
    rows = [
        (
            image.name,
            image.digest[:DIGEST],
            size(image.size),
            f"{age(image.create_time, clock)} ago",
        )
        for image in listed
    ]
    return table(("NAME", "DIGEST", "SIZE", "CREATED"), rows)


def server(shown: GetServerInfoResponse, address: str) -> str:
    return fields(_server(shown, address), indent="")


def _server(shown: GetServerInfoResponse, address: str) -> Iterator[tuple[str, Cell]]:
    yield "address", address
    yield "moored", shown.version
    yield "instance", shown.instance
    yield "since", moment(shown.start_time)
    yield "containerd", _containerd(shown.containerd)
    for number, runtime in enumerate(shown.runtimes):
        words = [runtime.name, runtime.version, "" if number else "(default)"]
        told = " ".join(word for word in words if word)
        if runtime.unavailable:
            yield "runtime", Coloured(f"{told}: does not work here: {runtime.unavailable}", "red")
        else:
            yield "runtime", told
    yield "cgroups", CgroupMode.Name(shown.cgroup_mode).removeprefix("CGROUP_MODE_").lower()
    yield "networks", ", ".join(shown.networks)
    if shown.features:
        yield "features", ", ".join(shown.features)


def _containerd(shown: ContainerdInfo) -> Cell:
    kind = " (embedded)" if shown.embedded else ""
    told = f"{shown.version or 'version not known'} at {shown.address}{kind}"
    return told if shown.reachable else Coloured(f"{told}: does not answer", "red")
