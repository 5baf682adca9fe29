"""What a containerd holds for some instances, as its lists, ``ctr`` and its directories tell.

An instance's name is its namespace in containerd. With containerd stopped or dead, it cannot
answer: that is an error here, not an empty answer.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.outside.listing import listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ANSWER_WITHIN: Final = 10.0
_SHIM_SOCKETS: Final = Path("/run/containerd/s")
_RUNTIME_STATES: Final = Path("/run/containerd/runc")
_BUNDLES: Final = "io.containerd.runtime.v2.task"
_BUNDLE_IN_LOG: Final = re.compile(rf"{re.escape(_BUNDLES)}/([^/\s]+)/([^/\s\"]+)")


@dataclass(frozen=True)
class Address:
    """Where one containerd is, for somebody outside."""

    socket: str
    root: Path
    state: Path
    log: Path


@dataclass(frozen=True)
class SeenTask:
    id: str
    pid: int
    status: str


def ctr(address: Address, namespace: str, *words: str, within: float = _ANSWER_WITHIN) -> str:
    """Return what ``ctr`` prints. Raises CalledProcessError, or TimeoutExpired."""
    command = ["ctr", "--address", address.socket, "--namespace", namespace, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=True)
    return done.stdout


def task_list(address: Address, namespace: str) -> list[SeenTask]:
    rows = _rows(ctr(address, namespace, "tasks", "ls"))
    return [SeenTask(row[0], int(row[1]), row[2]) for row in rows]


def tasks(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    with listing(address.socket) as asked:
        return asked.tasks(namespaces)


def containers(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    with listing(address.socket) as asked:
        return asked.containers(namespaces)


def leases(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    with listing(address.socket) as asked:
        return asked.leases(namespaces)


def images(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    return _named(address, namespaces, "images", "ls")


def content(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    return _named(address, namespaces, "content", "ls")


def writable_layers(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    with listing(address.socket) as asked:
        return asked.layers(namespaces, committed=False)


def committed_layers(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    with listing(address.socket) as asked:
        return asked.layers(namespaces, committed=True)


def collect(address: Address, namespace: str) -> None:
    """Make containerd's collector run now: a synchronous delete of a lease waits for it."""
    ctr(address, namespace, "leases", "create", "--id", "collect-now", "--expires", "1m")
    ctr(address, namespace, "leases", "rm", "--sync", "collect-now")


def bundles(address: Address, namespaces: Iterable[str]) -> frozenset[str]:
    """Directories of runs, in containerd's state and in its root."""
    return frozenset(
        str(bundle)
        for place in (address.state, address.root)
        for namespace in namespaces
        for bundle in (place / _BUNDLES / namespace).glob("*")
    )


def runtime_states(namespaces: Iterable[str]) -> frozenset[str]:
    """What the OCI runtime itself remembers of its containers."""
    return frozenset(
        str(state) for namespace in namespaces for state in (_RUNTIME_STATES / namespace).glob("*")
    )


def shim_sockets(address: Address) -> frozenset[str]:
    """Sockets of this containerd's shims, living or dead.

    They lie among those of all other containerds, under the digest of whose they are: the log
    tells which runs there ever were.
    """
    present = {path.name for path in _SHIM_SOCKETS.glob("*")}
    return frozenset(
        f"{_SHIM_SOCKETS / name} of {run}"
        for run in _runs_in_log(address)
        if (name := hashlib.sha256(f"{address.socket}/{run}".encode()).hexdigest()) in present
    )


def _runs_in_log(address: Address) -> set[str]:
    text = address.log.read_text(errors="replace") if address.log.exists() else ""
    return {f"{namespace}/{run}" for namespace, run in _BUNDLE_IN_LOG.findall(text)}


def _named(address: Address, namespaces: Iterable[str], *words: str) -> frozenset[str]:
    return frozenset(
        f"{namespace} {row[0]}"
        for namespace in namespaces
        for row in _rows(ctr(address, namespace, *words))
    )


def _rows(table: str) -> Iterator[list[str]]:
    for line in table.splitlines()[1:]:
        if row := line.split():
            yield row
