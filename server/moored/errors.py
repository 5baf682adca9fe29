"""What can go wrong, by its name. Knows no gRPC: the phrasebook in ``api/`` puts it on the wire.

Messages read ``cannot <verb> <thing>: <why>``; ``facts`` become the metadata of ErrorInfo.
A class is one reason that a caller can act on, not one layer that raised it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar


class MooredError(Exception):
    """Everything that moored raises on purpose."""

    retriable: ClassVar[bool] = False
    """Whether the same call may succeed without any change on the caller's side."""

    def __init__(self, message: str, **facts: str) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


def reason(kind: type[MooredError]) -> str:
    """Return what callers know a class by: ``ContainerNotFound`` is ``CONTAINER_NOT_FOUND``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


@dataclass(frozen=True)
class Violation:
    """One field that breaks its rule: the path as a caller writes it, and why."""

    field: str
    why: str


class FieldsRefused(MooredError):
    """Some fields are wrong; ``violations`` has each of them."""

    def __init__(self, message: str, *violations: Violation, **facts: str) -> None:
        super().__init__(message, **facts)
        self.violations = violations


class InvalidField(FieldsRefused): ...


class NotServed(FieldsRefused): ...


class RuntimeUnknown(FieldsRefused): ...


class NetworkUnknown(FieldsRefused): ...


class CheckpointNotEnabled(FieldsRefused): ...


class InvalidPageToken(FieldsRefused): ...


class ContainerNotFound(MooredError): ...


class AmbiguousReference(MooredError): ...


class NameTaken(MooredError): ...


class ImageNotFound(MooredError): ...


class ImageInUse(MooredError): ...


class RunNotFound(MooredError): ...


class ExecNotFound(MooredError): ...


class ExecEnded(MooredError): ...


class StdinNotOpen(MooredError): ...


class TtyMissing(MooredError): ...


class HostNetworkNotAllowed(FieldsRefused): ...


class NotAllowedByPolicy(FieldsRefused): ...


class IdentityMissing(MooredError):
    """Nothing says who calls, where something has to."""


class NoRole(MooredError):
    """Whoever calls is known, and has no role here."""


class MethodNotAllowed(MooredError):
    """The caller's role may not call the method."""


class AddressInUse(MooredError): ...


class AddressesExhausted(MooredError): ...


class IdsExhausted(MooredError): ...


class BindNotAllowed(FieldsRefused):
    """A source on the host that the policy keeps from containers."""


class CheckpointDirectoryForbidden(MooredError): ...


class VolumeNotFound(MooredError): ...


class VolumeInUse(MooredError): ...


class ContainerPaused(MooredError): ...


class ContainerRemoving(MooredError): ...


class ContainerStopping(MooredError):
    """It is on its way out; once it has exited it can be started again."""

    retriable = True


class ContainerStranded(MooredError): ...


class ContainerRunning(MooredError): ...


class ContainerNotRunning(MooredError): ...


class HealthNotConfigured(MooredError): ...


class OutputNotKept(MooredError): ...


class EtagMismatch(MooredError): ...


class RequestIdReused(MooredError): ...


class RevisionGone(MooredError): ...


class WatcherTooSlow(MooredError):
    retriable = True


class PreemptedByCleanup(MooredError): ...


class Interrupted(MooredError):
    """The service went away in mid-start, and undid it when it came back."""

    retriable = True


class StartQueueFull(MooredError):
    """Too many starts are waiting for their turn; try again after ``retry_after`` seconds."""

    retriable = True

    def __init__(self, message: str, *, retry_after: float, **facts: str) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class StopUnfinished(MooredError):
    retriable = True


class StepTimedOut(MooredError):
    """A step did not end within its own limit, whoever was to blame."""

    retriable = True


class CommandNotFound(MooredError): ...


class CommandNotExecutable(MooredError): ...


class MountMismatch(MooredError): ...


class MountFailed(MooredError): ...


class SecretUnreadable(MooredError): ...


class NamespaceNotJoinable(MooredError): ...


class NamespaceOwnerNotRunning(MooredError):
    """The container whose namespace is to be shared may be started, by hand or by its policy."""

    retriable = True


class StorageFailed(MooredError):
    """The host could not do with directories and files what was needed."""

    retriable = True


class SpecFailed(MooredError): ...


class PortInUse(MooredError):
    """A port of the host that was to be published is somebody's: a container's, a process's."""


class ForwardingBlocked(MooredError):
    """A chain of somebody else's drops what is forwarded, and we are not to change it."""


class NetworkFailed(MooredError):
    """The network could not be set up. Not retriable: a restart would only fail again."""


class RuntimeUnreachable(MooredError):
    """containerd does not answer, or did not within the time it had."""

    retriable = True


class RuntimeRefused(MooredError):
    """containerd or the runtime answered with an error that has no better name."""


class LedgerFailed(MooredError):
    retriable = True


class ArchiveInvalid(MooredError): ...


class ArchiveTooLarge(MooredError): ...


class ShuttingDown(MooredError):
    retriable = True


class SetupRefused(MooredError):
    """moored cannot start here: one line that says why and what to do. Never on the wire."""


class IllegalTransition(Exception):
    """An event that the state does not allow: a defect of moored, never the caller's fault."""
