"""What containerd holds, as values. No protobuf message leaves this room; these do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class Mount:
    """One mount that the shim performs."""

    type: str
    source: str
    target: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class ProcessExit:
    status: int
    at: datetime


class Phase(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    PAUSING = "pausing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Task:
    run: str
    """Its id in containerd, also of tasks that are not ours."""
    phase: Phase
    pid: int
    exit: ProcessExit | None
    """Set once it has stopped."""


@dataclass(frozen=True)
class Runtime:
    name: str
    binary: str
    """An absolute path, or a name for the PATH of containerd."""
    kind: str = "io.containerd.runc.v2"


@dataclass(frozen=True)
class ContainerRecord:
    """What containerd remembers of one run. No process belongs to it; a task may."""

    run: str
    image: str
    layer: str
    spec: bytes
    """The OCI runtime spec, as JSON."""
    runtime: Runtime
    labels: Mapping[str, str]
    mark: bytes = b""
    """What a record of ours can be made of again. Empty: the moored that made it left none."""


@dataclass(frozen=True)
class Lease:
    id: str
    labels: Mapping[str, str]


class LayerKind(StrEnum):
    VIEW = "view"
    ACTIVE = "active"
    """Writable."""
    COMMITTED = "committed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Layer:
    name: str
    parent: str
    """Empty for the lowest."""
    kind: LayerKind
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What a layer takes by itself."""

    bytes: int
    inodes: int
