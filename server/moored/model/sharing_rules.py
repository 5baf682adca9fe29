"""Which modes of namespaces make sense, and what does not go with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from moored.errors import Violation
from moored.model.identity import is_id, is_id_prefix, is_name
from moored.model.sharing import (
    CONTAINER,
    HOST,
    KINDS,
    NETWORK,
    PRIVATE,
    SHAREABLE,
    mode,
    reference,
    shares,
)
from moored.model.spec import Spec

SMALLEST_SHARED_MEMORY: Final = 4096
"""Bytes: a page, which is what the kernel would make of anything smaller."""
LARGEST_SHARED_MEMORY: Final = 2**53
_OWN: Final = {
    "ipc": (PRIVATE, SHAREABLE, HOST),
    "pid": (PRIVATE, HOST),
    "uts": (PRIVATE, HOST),
}


def violations(spec: Spec) -> Iterator[Violation]:
    """Yield every field of ``spec`` that has to do with namespaces and breaks its rule."""
    for kind in KINDS:
        yield from _mode(kind, mode(spec, kind), spec.name)
    if spec.network.startswith(CONTAINER):
        yield from _reference(NETWORK, reference(spec.network), spec.name)
    yield from _shared_memory(spec)
    if spec.hostname and shares(spec.uts):
        yield Violation("hostname", f"cannot be set with uts {spec.uts!r}, whose host name it is")


def _mode(kind: str, text: str, name: str) -> Iterator[Violation]:
    if text.startswith(CONTAINER):
        yield from _reference(kind, reference(text), name)
    elif text and text not in _OWN[kind]:
        known = ", ".join(_OWN[kind])
        yield Violation(kind, f"must be {known}, or {CONTAINER} and a container")


def _reference(kind: str, named: str, name: str) -> Iterator[Violation]:
    if not (is_id(named) or is_id_prefix(named) or is_name(named)):
        yield Violation(kind, f"{CONTAINER} needs a container's id, name, or prefix of an id")
    elif named == name:
        yield Violation(kind, "names the container itself")


def _shared_memory(spec: Spec) -> Iterator[Violation]:
    if spec.shm_size and shares(spec.ipc):
        yield Violation("shm_size", f"cannot be set with ipc {spec.ipc!r}, whose memory it is")
    elif spec.shm_size and not SMALLEST_SHARED_MEMORY <= spec.shm_size <= LARGEST_SHARED_MEMORY:
        yield Violation(
            "shm_size",
            f"must be 0, or between {SMALLEST_SHARED_MEMORY} and {LARGEST_SHARED_MEMORY} bytes",
        )
