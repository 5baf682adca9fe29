"""From gRPC's errors to ours: the one place that reads codes and details.

An error of moored's own carries ErrorInfo and becomes the class of its reason. One without
comes from the way there: nobody listens, the connection broke, the time was over.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc_status import rpc_status

from moorage.addresses import socket_path
from moorage.errors import BY_REASON, DeadlinePassed, MoorageError, Unreachable, Violation

if TYPE_CHECKING:
    from google.rpc import status_pb2
    from grpc.aio import AioRpcError

DOMAIN: Final = "moorage"
_BROKEN: Final = frozenset({StatusCode.UNAVAILABLE, StatusCode.CANCELLED})
_ADVICE: Final = {
    errno.ENOENT: "there is no such socket; is moored running?",
    errno.ECONNREFUSED: "nobody listens there; is moored running?",
    errno.EACCES: "permission denied",
}


def meaning(error: AioRpcError, to: str, *, address: str) -> MoorageError:
    """Return what ``error`` says; ``to`` is what was tried: ``start container 'web'``."""
    status = _status(error)
    known = _known(status) if status is not None else None
    if status is not None and known is not None:
        return _of_moored(error.code(), status, known)
    code, details = error.code(), error.details() or "no reason given"
    if code in _BROKEN:
        why = _trouble(address) or details
        if address.startswith("tls://"):  # gRPC does not tell why a handshake failed
            why += "; its log has why, if it turned away our certificate"
        return Unreachable(f"cannot {to}: cannot reach moored at {address}: {why}", code=code)
    if code is StatusCode.DEADLINE_EXCEEDED:
        return DeadlinePassed(f"cannot {to}: moored at {address} did not answer in time", code=code)
    return MoorageError(f"cannot {to}: {details}", code=code)


def _of_moored(
    code: StatusCode, status: status_pb2.Status, known: error_details_pb2.ErrorInfo
) -> MoorageError:
    refusal = BY_REASON.get(known.reason, MoorageError)(
        status.message,
        code=code,
        reason=known.reason,
        metadata=known.metadata,
        violations=_violations(status),
        retry_after=_retry_after(status),
    )
    if type(refusal) is MoorageError and code is StatusCode.UNAVAILABLE:
        refusal.retriable = True
    return refusal


def _status(error: AioRpcError) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(error)  # type: ignore[arg-type]  # it reads what both have
    except (ValueError, DecodeError):  # somebody between us and moored made it up
        return None


def _known(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    found = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(found) and found.domain == DOMAIN:
            return found
    return None


def _violations(status: status_pb2.Status) -> list[Violation]:
    refused = error_details_pb2.BadRequest()
    return [
        Violation(violation.field, violation.description)
        for detail in status.details
        if detail.Unpack(refused)
        for violation in refused.field_violations
    ]


def _retry_after(status: status_pb2.Status) -> float | None:
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(retry):
            delay = retry.retry_delay
            return float(delay.seconds + delay.nanos / 1e9)
    return None


def _trouble(address: str) -> str:
    """Return what keeps us from a unix socket in plain words, or "" where nothing does."""
    path = socket_path(address)
    if path is None:
        return ""
    with socket.socket(socket.AF_UNIX) as attempt:
        attempt.setblocking(False)
        problem = attempt.connect_ex(path)
    if problem in (0, errno.EAGAIN):
        return ""
    return _ADVICE.get(problem, os.strerror(problem).lower())
