"""Image records: a name, and the blob it points at."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from google.protobuf import empty_pb2
from grpc import StatusCode

from moored.containerd_api import images_pb2, images_pb2_grpc
from tests.fakes.collector import collect
from tests.fakes.filters import matching
from tests.fakes.refusals import Refused, exists, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from tests.fakes.refusals import Context
    from tests.fakes.store import Store

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Images(images_pb2_grpc.ImagesServicer):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def Get(
        self, request: images_pb2.GetImageRequest, context: Context
    ) -> images_pb2.GetImageResponse:
        return images_pb2.GetImageResponse(image=self._image(request.name, context))

    async def List(
        self, request: images_pb2.ListImagesRequest, context: Context
    ) -> images_pb2.ListImagesResponse:
        found = [
            image
            for name, image in sorted(self._store.there(context).images.items())
            if matching(request.filters, _image_fields(image), image.labels)
        ]
        return images_pb2.ListImagesResponse(images=found)

    async def Create(
        self, request: images_pb2.CreateImageRequest, context: Context
    ) -> images_pb2.CreateImageResponse:
        space, asked = self._store.there(context), request.image
        if refusal := _image_refusal(asked):
            raise refusal
        if asked.name in space.images:
            raise exists(f'image "{asked.name}": already exists')
        made = images_pb2.Image()
        made.CopyFrom(asked)
        for at in (made.created_at, made.updated_at):
            at.CopyFrom(self._store.stamp())
        self._store.settled(space).images[made.name] = made
        self._store.tell(f"+image {made.name}")
        self._store.bus.announce(space.name, "/images/create")
        return images_pb2.CreateImageResponse(image=made)

    async def Update(
        self, request: images_pb2.UpdateImageRequest, context: Context
    ) -> images_pb2.UpdateImageResponse:
        image, asked = self._image(request.image.name, context), request.image
        for path in request.update_mask.paths or ("labels", "target"):
            if path == "target":
                image.target.CopyFrom(asked.target)
            elif not set_labels(image.labels, asked.labels, path):
                raise invalid(f'cannot update "{path}" field on image "{image.name}"')
        if refusal := _image_refusal(image):
            raise refusal
        image.updated_at.CopyFrom(self._store.stamp())
        return images_pb2.UpdateImageResponse(image=image)

    async def Delete(
        self, request: images_pb2.DeleteImageRequest, context: Context
    ) -> empty_pb2.Empty:
        self._image(request.name, context)
        space = self._store.there(context)
        del space.images[request.name]
        self._store.tell(f"-image {request.name}")
        self._store.bus.announce(space.name, "/images/delete")
        if request.sync:
            collect(self._store)
        return empty_pb2.Empty()

    def _image(self, name: str, context: Context) -> images_pb2.Image:
        found = self._store.there(context).images.get(name)
        if found is None:
            raise not_found(f'image "{name}": not found')
        return found


def set_labels(labels: MutableMapping[str, str], asked: Mapping[str, str], path: str) -> bool:
    """Set what a field mask names; False for a path that is no label's."""
    if path == "labels":
        labels.clear()
        labels.update(asked)
        return True
    if not path.startswith("labels."):
        return False
    key = path.removeprefix("labels.")
    labels[key] = asked[key]
    return True


def _image_refusal(asked: images_pb2.Image) -> Refused | None:
    target = asked.target
    if not asked.name:
        return Refused(StatusCode.INVALID_ARGUMENT, "Image.Name required")
    if not _DIGEST.fullmatch(target.digest):
        return invalid(f'Target.Digest "{target.digest}" invalid: invalid checksum digest format')
    if target.size <= 0:
        return invalid("Target.Size must be greater than zero")
    if not target.media_type:
        return invalid("Target.MediaType must be set")
    return None


def _image_fields(image: images_pb2.Image) -> dict[str, str]:
    target = image.target
    fields = {"target.digest": target.digest, "target.mediatype": target.media_type}
    return {"name": image.name, **fields}
