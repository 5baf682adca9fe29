"""List: pages of containers by age, as bytes that were made with the views."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked, filters
from moored.directory import age
from moored.errors import Violation
from moored.model.identity import ContainerId, is_id

if TYPE_CHECKING:
    from moored.api.pictures import Pictures
    from moored.directory import Age, Directory
    from moored.model.state import Snapshot

_USUAL_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_LARGEST_ANSWER: Final = 2 * 2**20
"""Bytes after which a page ends early: clients take 4 MiB unless told otherwise."""


@dataclass(frozen=True)
class ListingDesk:
    directory: Directory
    pictures: Pictures

    def page(self, request: wire.ListRequest) -> bytes:
        size = request.page_size or _USUAL_PAGE
        if not 1 <= size <= _LARGEST_PAGE:
            raise asked.refused("page_size", f"must be between 1 and {_LARGEST_PAGE}")
        wanted = filters.read(request.filter)
        views = self.directory.page(_age(request.page_token), size + 1, wanted)
        fields: list[bytes] = []
        left = _LARGEST_ANSWER
        for view in views[:size]:
            fields.append(self.pictures.field(view))
            left -= len(fields[-1])
            if left < 0:
                break
        rest = wire.ListResponse()
        if len(views) > len(fields):
            rest.next_page_token = _token(views[len(fields) - 1].snapshot)
        # Joined messages are merged when read: the containers first, then the token.
        return b"".join((*fields, rest.SerializeToString()))


def _token(snapshot: Snapshot) -> str:
    created, container = age(snapshot)
    return base64.urlsafe_b64encode(f"{created.isoformat()} {container}".encode()).decode()


def _age(token: str) -> Age | None:
    if not token:
        return None
    try:
        created, _, container = base64.urlsafe_b64decode(token).decode().partition(" ")
        moment = datetime.fromisoformat(created)
    except (ValueError, binascii.Error, UnicodeError) as error:
        raise _no_token() from error
    if not is_id(container) or moment.tzinfo is None:
        raise _no_token()
    return moment, ContainerId(container)


def _no_token() -> errors.InvalidPageToken:
    return errors.InvalidPageToken(
        "cannot list containers: page_token is none of this server's",
        Violation("page_token", "was not given out by List"),
    )
