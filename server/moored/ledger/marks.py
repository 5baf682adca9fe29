"""Records as they ride in containerd, beside what they are the records of.

A ledger can be lost while what it tells of goes on running: so each run, and each writable layer,
carries its container's record. Nothing but the rebuilding of a lost ledger reads them; they obey
the reading rules of the ledger's own records, and outlive the program that wrote them likewise.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError

from moored.ledger import records
from moored.ledger.records import Unreadable
from moored.model.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moored.model.secrets import Secret
    from moored.model.state import Snapshot

LARGEST_LABEL: Final = 4096
"""Bytes of a label's key and value together that containerd takes."""
LARGEST_SECRETS: Final = 32 * 1024
"""Bytes of sealed secrets and configs that ride along. containerd lists all records in one answer
of 16 MiB, and what is sealed does not get smaller.
"""
_LABEL: Final = "moorage/record."
_ROOM: Final = LARGEST_LABEL - len(_LABEL) - len("999")
_QUICKLY: Final = 1
"""Level of compression: what the higher ones save is not worth a start's time."""


@dataclass(frozen=True)
class Mark:
    record: str
    resources: tuple[Resource, ...]
    revision: int


_MARK: Final = TypeAdapter(Mark)


def write(snapshot: Snapshot) -> bytes:
    """Return what ``read`` makes ``snapshot`` of again, but for secrets too large to ride along."""
    slim = _without_large_secrets(snapshot)
    mark = Mark(records.write(slim).decode(), snapshot.resources, snapshot.revision)
    return zlib.compress(_MARK.dump_json(mark), _QUICKLY)


def read(mark: bytes) -> Snapshot:
    """Return the container as it was when ``mark`` was written. Raises Unreadable."""
    try:
        known = _MARK.validate_json(zlib.decompress(mark))
    except (zlib.error, ValidationError) as error:
        raise Unreadable(str(error).splitlines()[0]) from error
    return records.read(known.record.encode(), revision=known.revision, resources=known.resources)


def as_labels(mark: bytes) -> dict[str, str]:
    """Return ``mark`` in as many labels as it takes."""
    text = base64.b64encode(mark).decode()
    parts = (text[start : start + _ROOM] for start in range(0, len(text), _ROOM))
    return {f"{_LABEL}{number}": part for number, part in enumerate(parts)}


def from_labels(labels: Mapping[str, str]) -> bytes:
    """Return the mark that ``labels`` carry, or nothing. Raises Unreadable."""
    numbers = sorted(int(key.removeprefix(_LABEL)) for key in labels if is_label(key))
    try:
        return base64.b64decode("".join(labels[f"{_LABEL}{n}"] for n in numbers), validate=True)
    except binascii.Error as error:
        raise Unreadable(str(error)) from error


def is_label(key: str) -> bool:
    return key.startswith(_LABEL) and key.removeprefix(_LABEL).isdecimal()


def lacks_secrets(snapshot: Snapshot) -> bool:
    """Whether the values of its secrets were too large to ride along."""
    return any(one.sealed == "" and one.size for one in _values(snapshot))


def _without_large_secrets(snapshot: Snapshot) -> Snapshot:
    spec = snapshot.spec
    if sum(len(one.sealed or "") for one in _values(snapshot)) <= LARGEST_SECRETS:
        return snapshot
    secrets, configs = map(_emptied, spec.secrets), map(_emptied, spec.configs)
    return replace(snapshot, spec=replace(spec, secrets=tuple(secrets), configs=tuple(configs)))


def _emptied(secret: Secret) -> Secret:
    return secret if secret.sealed is None else replace(secret, sealed="")


def _values(snapshot: Snapshot) -> tuple[Secret, ...]:
    return (*snapshot.spec.secrets, *snapshot.spec.configs)
