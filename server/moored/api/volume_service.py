"""VolumeService on the wire: messages in and out.

Raises what ``errors`` has; what that is on the wire, the phrasebook says.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import volume_service_pb2 as wire
from moored import errors
from moored.api import asked, mount_pictures
from moored.api.filters import labels
from moored.errors import Violation
from moored.model.identity import is_volume_name
from moored.model.mount_rules import NAME
from moored.model.rules import label_faults
from moored.model.volumes import VolumeFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.api.answering import Context
    from moored.api.once import Mark
    from moored.model.volumes import Volume
    from moored.verbs.volumes import VolumeVerbs
    from moored.volumes import Volumes

_USUAL_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_LARGEST_ANSWER: Final = 2 * 2**20
"""Bytes after which a page ends early: clients take 4 MiB unless told otherwise."""


@dataclass(frozen=True)
class VolumeServicer:
    volumes: Volumes
    verbs: VolumeVerbs

    async def Create(  # noqa: N802  # the wire's name
        self,
        request: wire.VolumeServiceCreateRequest,
        context: Context,
        mark: Mark | None = None,
    ) -> Any:
        if request.name and not is_volume_name(request.name):
            raise asked.refused("name", NAME)
        if found := list(label_faults(dict(request.labels))):
            raise errors.InvalidField(
                f"cannot create volume: {found[0].field} {found[0].why}", *found
            )
        named = mark.request.id if mark else ""
        made = await self.verbs.create(request.name, request.labels, request=named)
        return wire.VolumeServiceCreateResponse(volume=self._picture([made])[0])

    async def Inspect(  # noqa: N802
        self, request: wire.VolumeServiceInspectRequest, context: Context
    ) -> Any:
        found = self.volumes.find(asked.required(request, "volume"))
        return wire.VolumeServiceInspectResponse(volume=self._picture([found])[0])

    async def List(self, request: wire.VolumeServiceListRequest, context: Context) -> Any:  # noqa: N802
        size = request.page_size or _USUAL_PAGE
        if not 1 <= size <= _LARGEST_PAGE:
            raise asked.refused("page_size", f"must be between 1 and {_LARGEST_PAGE}")
        after = _name(request.page_token)
        found = self.volumes.page(after, size + 1, _filter(request.filter))
        answer = wire.VolumeServiceListResponse()
        left = _LARGEST_ANSWER
        for message in self._picture(found[:size]):
            answer.volumes.append(message)
            left -= message.ByteSize()
            if left < 0:
                break
        if len(found) > len(answer.volumes):
            answer.next_page_token = _token(answer.volumes[-1].name)
        return answer

    async def Remove(  # noqa: N802
        self, request: wire.VolumeServiceRemoveRequest, context: Context
    ) -> Any:
        await self.verbs.remove(asked.required(request, "volume"))
        return wire.VolumeServiceRemoveResponse()

    async def Prune(  # noqa: N802
        self, request: wire.VolumeServicePruneRequest, context: Context
    ) -> Any:
        wanted = replace(_filter(request.filter), in_use=False)
        if not request.all:
            wanted = replace(wanted, anonymous=True)
        outcome = await self.verbs.prune(wanted)
        return wire.VolumeServicePruneResponse(
            removed=outcome.removed, incomplete=outcome.incomplete
        )

    def _picture(self, volumes: Sequence[Volume]) -> list[wire.Volume]:
        users = self.volumes.users()
        return [
            mount_pictures.volume(one, self.volumes.path(one.name), users.get(one.name, ()))
            for one in volumes
        ]


def _filter(message: wire.VolumeFilter) -> VolumeFilter:
    for position, name in enumerate(message.names):
        if not name:
            raise asked.refused(f"filter.names[{position}]", "is empty")
    return VolumeFilter(
        labels=tuple(labels(message.labels)),
        names=frozenset(message.names),
        in_use=message.in_use if message.HasField("in_use") else None,
        anonymous=message.anonymous if message.HasField("anonymous") else None,
    )


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name(token: str) -> str:
    if not token:
        return ""
    try:
        name = base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError) as error:
        raise _no_token() from error
    if not is_volume_name(name):
        raise _no_token()
    return name


def _no_token() -> errors.InvalidPageToken:
    return errors.InvalidPageToken(
        "cannot list volumes: page_token is none of this server's",
        Violation("page_token", "was not given out by List"),
    )
