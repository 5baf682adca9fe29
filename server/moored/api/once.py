"""Requests with a name of their own: what equal means, and which answers are worth keeping."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc

from moored.api import asked, phrasebook, secrets
from moored.model.policy import LOCAL
from moored.model.requests import Begun, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.message import Message

    from moored import errors

FIELD: Final = "request_id"
_LONGEST: Final = 128
_PASSING: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
    }
)
"""Failures that a retry can help: they are not kept."""


@dataclass(frozen=True)
class Mark:
    """What a verb is told that makes or starts a container for a named request."""

    request: Request
    begun: Begun | None


@dataclass(frozen=True)
class Once:
    """One call as a verb that is run once: its answer as bytes, its error as a status."""

    answer: Callable[[Mark], Awaitable[Message | bytes]]
    request: Request

    async def run(self, begun: Begun | None) -> bytes:
        return serialise(await self.answer(Mark(self.request, begun)))

    def last_word(self, error: errors.MooredError) -> bytes | None:
        code, status = phrasebook.phrase(error)
        if code in _PASSING or error.retriable:
            return None
        word: bytes = status.SerializeToString()
        return word


def named(
    method: str, message: Message, mark: Callable[[bytes], bytes], role: str = LOCAL
) -> Request | None:
    """Return the request that ``message`` names itself, or None if it counts each time."""
    name: str = getattr(message, FIELD, "")
    # Nothing is done for validate_only: its name is free for what will be.
    if not name or getattr(message, "validate_only", False):
        return None
    if len(name) > _LONGEST or not (name.isascii() and name.isprintable()):
        raise asked.refused(FIELD, f"must be up to {_LONGEST} printable ASCII characters")
    # An answer is for the role that it was given to.
    asker = method if role == LOCAL else f"{method} {role}"
    return Request(name, _fingerprint(asker, message, mark))


def _fingerprint(method: str, message: Message, mark: Callable[[bytes], bytes]) -> bytes:
    nameless: Any = type(message)()
    nameless.CopyFrom(message)
    nameless.ClearField(FIELD)
    secrets.hide(nameless, mark)  # or whoever has the fingerprint could try what fits
    asked_for = nameless.SerializeToString(deterministic=True)
    return hashlib.sha256(method.encode() + b"\0" + asked_for).digest()


def serialise(answer: Message | bytes) -> bytes:
    """Return an answer's bytes; some were serialised before."""
    return answer if isinstance(answer, bytes) else answer.SerializeToString()
