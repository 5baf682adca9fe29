"""Every error of moored's, as callers meet it: the one table with the codes it is answered with.

The reason is the class's name. What is not in here is a defect of moored: its text stays in
the log, and the caller hears BUG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from moored import errors
from moored.requests import AnsweredBefore

if TYPE_CHECKING:
    from google.protobuf.message import Message

DOMAIN: Final = "moorage"
BUG: Final = "BUG"
LONGEST_MESSAGE: Final = 1024
LONGEST_FACT: Final = 256
_SOON: Final = 1.0
"""Seconds after which a call may be sent again that nobody could serve."""
MOST_VIOLATIONS: Final = 16
"""What fits into the headers of an answer, whatever a caller or a runtime said."""

OUTBOUND: Final[dict[type[errors.MooredError], StatusCode]] = {
    errors.InvalidField: StatusCode.INVALID_ARGUMENT,
    errors.NotServed: StatusCode.INVALID_ARGUMENT,
    errors.RuntimeUnknown: StatusCode.INVALID_ARGUMENT,
    errors.NetworkUnknown: StatusCode.INVALID_ARGUMENT,
    errors.CheckpointNotEnabled: StatusCode.INVALID_ARGUMENT,
    errors.InvalidPageToken: StatusCode.INVALID_ARGUMENT,
    errors.AmbiguousReference: StatusCode.INVALID_ARGUMENT,
    errors.ArchiveInvalid: StatusCode.INVALID_ARGUMENT,
    errors.ContainerNotFound: StatusCode.NOT_FOUND,
    errors.ImageNotFound: StatusCode.NOT_FOUND,
    errors.RunNotFound: StatusCode.NOT_FOUND,
    errors.ExecNotFound: StatusCode.NOT_FOUND,
    errors.VolumeNotFound: StatusCode.NOT_FOUND,
    errors.NameTaken: StatusCode.ALREADY_EXISTS,
    errors.HostNetworkNotAllowed: StatusCode.PERMISSION_DENIED,
    errors.NotAllowedByPolicy: StatusCode.PERMISSION_DENIED,
    errors.IdentityMissing: StatusCode.UNAUTHENTICATED,
    errors.NoRole: StatusCode.PERMISSION_DENIED,
    errors.MethodNotAllowed: StatusCode.PERMISSION_DENIED,
    errors.BindNotAllowed: StatusCode.PERMISSION_DENIED,
    errors.CheckpointDirectoryForbidden: StatusCode.PERMISSION_DENIED,
    errors.AddressInUse: StatusCode.FAILED_PRECONDITION,
    errors.PortInUse: StatusCode.FAILED_PRECONDITION,
    errors.ForwardingBlocked: StatusCode.FAILED_PRECONDITION,
    errors.AddressesExhausted: StatusCode.RESOURCE_EXHAUSTED,
    errors.IdsExhausted: StatusCode.RESOURCE_EXHAUSTED,
    errors.ContainerPaused: StatusCode.FAILED_PRECONDITION,
    errors.ContainerRemoving: StatusCode.FAILED_PRECONDITION,
    errors.ContainerStopping: StatusCode.FAILED_PRECONDITION,
    errors.ContainerStranded: StatusCode.FAILED_PRECONDITION,
    errors.ContainerRunning: StatusCode.FAILED_PRECONDITION,
    errors.OutputNotKept: StatusCode.FAILED_PRECONDITION,
    errors.HealthNotConfigured: StatusCode.FAILED_PRECONDITION,
    errors.ContainerNotRunning: StatusCode.FAILED_PRECONDITION,
    errors.ExecEnded: StatusCode.FAILED_PRECONDITION,
    errors.StdinNotOpen: StatusCode.FAILED_PRECONDITION,
    errors.TtyMissing: StatusCode.FAILED_PRECONDITION,
    errors.EtagMismatch: StatusCode.ABORTED,
    errors.RequestIdReused: StatusCode.ALREADY_EXISTS,
    errors.RevisionGone: StatusCode.OUT_OF_RANGE,
    errors.WatcherTooSlow: StatusCode.RESOURCE_EXHAUSTED,
    errors.ImageInUse: StatusCode.FAILED_PRECONDITION,
    errors.VolumeInUse: StatusCode.FAILED_PRECONDITION,
    errors.CommandNotFound: StatusCode.FAILED_PRECONDITION,
    errors.CommandNotExecutable: StatusCode.FAILED_PRECONDITION,
    errors.MountMismatch: StatusCode.FAILED_PRECONDITION,
    errors.SecretUnreadable: StatusCode.FAILED_PRECONDITION,
    errors.NamespaceNotJoinable: StatusCode.FAILED_PRECONDITION,
    errors.NamespaceOwnerNotRunning: StatusCode.FAILED_PRECONDITION,
    errors.MountFailed: StatusCode.INTERNAL,
    errors.PreemptedByCleanup: StatusCode.ABORTED,
    errors.Interrupted: StatusCode.UNAVAILABLE,
    errors.StartQueueFull: StatusCode.RESOURCE_EXHAUSTED,
    errors.ArchiveTooLarge: StatusCode.RESOURCE_EXHAUSTED,
    errors.StopUnfinished: StatusCode.DEADLINE_EXCEEDED,
    errors.StepTimedOut: StatusCode.DEADLINE_EXCEEDED,
    errors.RuntimeUnreachable: StatusCode.UNAVAILABLE,
    errors.ShuttingDown: StatusCode.UNAVAILABLE,
    errors.StorageFailed: StatusCode.INTERNAL,
    errors.SpecFailed: StatusCode.INTERNAL,
    errors.NetworkFailed: StatusCode.INTERNAL,
    errors.RuntimeRefused: StatusCode.INTERNAL,
    errors.LedgerFailed: StatusCode.INTERNAL,
}

_CODES: Final[dict[int, StatusCode]] = {code.value[0]: code for code in StatusCode}


def phrase(error: Exception) -> tuple[StatusCode, status_pb2.Status]:
    """Return the code and the whole status that ``error`` is answered with."""
    if isinstance(error, AnsweredBefore):
        before = status_pb2.Status.FromString(error.answer)
        return _CODES[before.code], before
    kind = _kind(error)
    if kind is None or not isinstance(error, errors.MooredError):
        message = "cannot answer: a defect of moored, whose log has the details"
        return StatusCode.INTERNAL, _status(StatusCode.INTERNAL, message, BUG, {}, ())
    code = OUTBOUND[kind]
    notes = getattr(error, "__notes__", ())
    message = "; ".join((error.message, *notes))
    return code, _status(code, message, errors.reason(kind), error.facts, _details(error))


def reason(error: Exception) -> str:
    """Return what callers know ``error`` by."""
    if isinstance(error, AnsweredBefore):
        known = error_details_pb2.ErrorInfo()
        status_pb2.Status.FromString(error.answer).details[0].Unpack(known)
        return str(known.reason)
    kind = _kind(error)
    return errors.reason(kind) if kind else BUG


def _kind(error: Exception) -> type[errors.MooredError] | None:
    """Return the class of the table that ``error`` is one of: a room may refine its errors."""
    return next((kind for kind in type(error).__mro__ if kind in OUTBOUND), None)


def _details(error: errors.MooredError) -> tuple[Message, ...]:
    if isinstance(error, errors.FieldsRefused):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=_short(found.field, LONGEST_FACT), description=_short(found.why, LONGEST_FACT)
            )
            for found in error.violations[:MOST_VIOLATIONS]
        ]
        return (error_details_pb2.BadRequest(field_violations=violations),)
    if isinstance(error, errors.StartQueueFull):
        return (_retry(error.retry_after),)
    kind = _kind(error)
    return (_retry(_SOON),) if kind and OUTBOUND[kind] is StatusCode.UNAVAILABLE else ()


def _retry(after: float) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(int(after * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _status(
    code: StatusCode,
    message: str,
    reason: str,
    facts: dict[str, str],
    details: tuple[Message, ...],
) -> status_pb2.Status:
    known = error_details_pb2.ErrorInfo(
        reason=reason,
        domain=DOMAIN,
        metadata={key: _short(fact, LONGEST_FACT) for key, fact in facts.items()},
    )
    packed = []
    for detail in (known, *details):
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    number, _ = code.value
    return status_pb2.Status(code=number, message=_short(message, LONGEST_MESSAGE), details=packed)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
