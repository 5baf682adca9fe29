"""What a call can raise. The classes that have a reason mirror moored's own, name for name.

A class is one reason that a caller can act on. A reason that this library does not know yet
is a plain ``MoorageError``; its ``code`` and ``reason`` say what it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grpc import StatusCode


@dataclass(frozen=True)
class Violation:
    """One field that breaks its rule: the path as the caller writes it, and why."""

    field: str
    why: str


class MoorageError(Exception):
    """A call did not succeed. The gRPC error that said so is its ``__cause__``."""

    retriable: bool = False
    """Whether the same call may succeed without any change on the caller's side."""

    def __init__(
        self,
        message: str,
        *,
        code: StatusCode,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        """As in ErrorInfo; empty where moored itself did not answer."""
        self.metadata: Mapping[str, str] = dict(metadata or {})
        """What it is about: container, run, step, image …"""
        self.violations = tuple(violations)
        self.retry_after = retry_after
        """Seconds after which the server asked to be called again; None where it did not."""
        if retry_after is not None:
            self.retriable = True


class Unreachable(MoorageError):
    """No moored answered, or the connection to it broke: what was asked may have happened."""

    retriable = True


class DeadlinePassed(MoorageError):
    """No answer came within the call's timeout: what was asked may have happened."""

    retriable = True


class Refused(MoorageError):
    """moored answered with a reason that this library knows."""


class InvalidField(Refused): ...


class NotServed(Refused): ...


class RuntimeUnknown(Refused): ...


class NetworkUnknown(Refused): ...


class CheckpointNotEnabled(Refused): ...


class InvalidPageToken(Refused): ...


class ContainerNotFound(Refused): ...


class AmbiguousReference(Refused): ...


class NameTaken(Refused): ...


class ImageNotFound(Refused): ...


class ImageInUse(Refused): ...


class RunNotFound(Refused): ...


class ExecNotFound(Refused): ...


class ExecEnded(Refused): ...


class StdinNotOpen(Refused): ...


class TtyMissing(Refused): ...


class HostNetworkNotAllowed(Refused): ...


class NotAllowedByPolicy(Refused): ...


class IdentityMissing(Refused):
    """moored was not told who calls: by no certificate, and by no proxy that it trusts."""


class NoRole(Refused):
    """moored knows who calls, and its policy has no role for them."""


class MethodNotAllowed(Refused):
    """The caller's role may not call this: ``metadata`` has the method and the role."""


class AddressInUse(Refused): ...


class PortInUse(Refused): ...


class ForwardingBlocked(Refused): ...


class AddressesExhausted(Refused): ...


class IdsExhausted(Refused): ...


class BindNotAllowed(Refused): ...


class CheckpointDirectoryForbidden(Refused): ...


class VolumeNotFound(Refused): ...


class VolumeInUse(Refused): ...


class ContainerPaused(Refused): ...


class ContainerRemoving(Refused): ...


class ContainerStopping(Refused):
    """It is on its way out; once it has exited it can be started again."""

    retriable = True


class ContainerStranded(Refused): ...


class ContainerRunning(Refused): ...


class ContainerNotRunning(Refused): ...


class HealthNotConfigured(Refused): ...


class OutputNotKept(Refused): ...


class EtagMismatch(Refused): ...


class RequestIdReused(Refused): ...


class RevisionGone(Refused): ...


class WatcherTooSlow(Refused):
    """It was cut off; the last revision that was sent is in ``metadata``. Watch from there."""

    retriable = True


class PreemptedByCleanup(Refused): ...


class Interrupted(Refused):
    """moored went away in mid-start, and undid it when it came back."""

    retriable = True


class StartQueueFull(Refused):
    """Too many starts are waiting for their turn; try again after ``retry_after`` seconds."""

    retriable = True


class StopUnfinished(Refused):
    retriable = True


class StepTimedOut(Refused):
    retriable = True


class CommandNotFound(Refused): ...


class CommandNotExecutable(Refused): ...


class MountMismatch(Refused): ...


class MountFailed(Refused): ...


class SecretUnreadable(Refused): ...


class NamespaceNotJoinable(Refused): ...


class NamespaceOwnerNotRunning(Refused):
    """The container to share with does not run: start it first."""

    retriable = True


class StorageFailed(Refused):
    """The host could not do with directories and files what was needed."""

    retriable = True


class SpecFailed(Refused): ...


class NetworkFailed(Refused):
    """The network could not be set up."""


class RuntimeUnreachable(Refused):
    """moored answers, and its containerd does not."""

    retriable = True


class RuntimeRefused(Refused):
    """containerd or the runtime answered with an error that has no better name."""


class LedgerFailed(Refused):
    retriable = True


class ArchiveInvalid(Refused): ...


class ArchiveTooLarge(Refused): ...


class ShuttingDown(Refused):
    """moored is on its way out; its successor will answer."""

    retriable = True


def reason_of(kind: type[Refused]) -> str:
    """Return what is on the wire for a class: ``NameTaken`` is ``NAME_TAKEN``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


BY_REASON: Final[Mapping[str, type[Refused]]] = {
    reason_of(kind): kind for kind in Refused.__subclasses__()
}
