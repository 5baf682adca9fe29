"""What a containerd lists to whoever asks it, over one connection of our own.

The questions that ``ctr`` asks to print its tables, without a process for each of them: a look at
the machine asks a dozen. ``tests/e2e/test_outside.py`` holds the answers to what ``ctr`` prints.
A containerd that does not answer in time is an error, and not an empty answer.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc

from moored.containerd_api import (
    containers_pb2,
    containers_pb2_grpc,
    leases_pb2,
    leases_pb2_grpc,
    namespaces_pb2,
    namespaces_pb2_grpc,
    snapshots_pb2,
    snapshots_pb2_grpc,
    task_types_pb2,
    tasks_pb2,
    tasks_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ANSWER_WITHIN: Final = 10.0
_SNAPSHOTTER: Final = "overlayfs"
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 50),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),  # as ctr: records of many containers
    ("grpc.use_local_subchannel_pool", 1),
)


class Listing:
    """Lists by namespaces: each entry begins with the one that it lies in."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._namespaces: Final = namespaces_pb2_grpc.NamespacesStub(channel)
        self._tasks: Final = tasks_pb2_grpc.TasksStub(channel)
        self._containers: Final = containers_pb2_grpc.ContainersStub(channel)
        self._leases: Final = leases_pb2_grpc.LeasesStub(channel)
        self._layers: Final = snapshots_pb2_grpc.SnapshotsStub(channel)

    def namespaces(self) -> frozenset[str]:
        asked = namespaces_pb2.ListNamespacesRequest()
        answer = self._namespaces.List(asked, timeout=_ANSWER_WITHIN, wait_for_ready=True)
        return frozenset(namespace.name for namespace in answer.namespaces)

    def tasks(self, namespaces: Iterable[str]) -> frozenset[str]:
        return frozenset(
            f"{namespace} {task.id} {task_types_pb2.Status.Name(task.status)}"
            for namespace in namespaces
            for task in self._tasks.List(tasks_pb2.ListTasksRequest(), **_in(namespace)).tasks
        )

    def containers(self, namespaces: Iterable[str]) -> frozenset[str]:
        asked = containers_pb2.ListContainersRequest()
        return frozenset(
            f"{namespace} {container.id}"
            for namespace in namespaces
            for container in self._containers.List(asked, **_in(namespace)).containers
        )

    def leases(self, namespaces: Iterable[str]) -> frozenset[str]:
        return frozenset(
            f"{namespace} {lease.id}"
            for namespace in namespaces
            for lease in self._leases.List(leases_pb2.ListRequest(), **_in(namespace)).leases
        )

    def layers(self, namespaces: Iterable[str], *, committed: bool) -> frozenset[str]:
        asked = snapshots_pb2.ListSnapshotsRequest(snapshotter=_SNAPSHOTTER)
        return frozenset(
            f"{namespace} {layer.name}"
            for namespace in namespaces
            for part in self._layers.List(asked, **_in(namespace))
            for layer in part.info
            if (layer.kind == snapshots_pb2.COMMITTED) is committed
        )


@contextmanager
def listing(socket: str) -> Iterator[Listing]:
    """Connect to the containerd at ``socket``. Its calls raise RpcError where it is away."""
    with grpc.insecure_channel(f"unix:{socket}", options=_CHANNEL_OPTIONS) as channel:
        yield Listing(channel)


def _in(namespace: str) -> dict[str, Any]:
    """Return how to ask about ``namespace``, within the time that an answer may take."""
    metadata = (("containerd-namespace", namespace),)
    return {"metadata": metadata, "timeout": _ANSWER_WITHIN, "wait_for_ready": True}
