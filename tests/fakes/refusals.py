"""How containerd says no, and what it demands of every call before it looks further."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio
from grpc import StatusCode

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

LONGEST_IDENTIFIER: Final = 76
LARGEST_LABEL: Final = 4096
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*")


class Refused(Exception):  # a fact, as all errors here
    """Ends a call with a code and details. The interceptor puts it on the wire."""

    def __init__(self, code: StatusCode, details: str) -> None:
        super().__init__(code, details)
        self.code: Final = code
        self.details: Final = details


def not_found(details: str) -> Refused:
    return Refused(StatusCode.NOT_FOUND, details)


def exists(details: str) -> Refused:
    return Refused(StatusCode.ALREADY_EXISTS, details)


def invalid(details: str) -> Refused:
    return Refused(StatusCode.INVALID_ARGUMENT, f"{details}: invalid argument")


def unmet(details: str) -> Refused:
    return Refused(StatusCode.FAILED_PRECONDITION, f"{details}: failed precondition")


def unknown(details: str) -> Refused:
    return Refused(StatusCode.UNKNOWN, details)


def lost(details: str = "transport is closing") -> Refused:
    return Refused(StatusCode.UNAVAILABLE, details)


def why_no_identifier(text: str) -> str:
    """Return what is wrong with an identifier, or nothing."""
    if not text:
        return "identifier must not be empty"
    if len(text) > LONGEST_IDENTIFIER:
        limit = f"maximum length ({LONGEST_IDENTIFIER} characters)"
        return f'identifier "{text}" greater than {limit}'
    if not _IDENTIFIER.fullmatch(text):
        return f'identifier "{text}" must match ^{_IDENTIFIER.pattern}$'
    return ""


def metadata_of(context: Context, key: str) -> str:
    """Return one text of the call's metadata, empty if it is not there."""
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode()
    return ""


def namespace_of(context: Context) -> str:
    name = metadata_of(context, "containerd-namespace")
    if not name:
        raise unmet("namespace is required")
    if why := why_no_identifier(name):
        raise invalid(f"namespace validation: {why}")
    return name
