"""ImageService: what a stream may hold, what is answered, and who may not be removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import image_service_pb2
from moored import errors
from moored.api.image_service import LARGEST_CHUNK, ImageServicer
from moored.containerd.importing import ImportedImage
from tests.unit.tars import digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

NAME = "docker.io/library/busybox:latest"
DIGEST = digest(b"busybox")
IMAGE = ImportedImage(NAME, DIGEST, 42, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
CONTEXT = object()


@dataclass
class Store:
    """Images by name, as ``Images`` answers for them."""

    images: dict[str, ImportedImage] = field(default_factory=dict)
    asked: tuple[str, int] = ("", 0)
    received: bytes = b""

    async def import_(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit: int,
        name: str,
        in_use: Callable[[str], Sequence[str]],
    ) -> list[ImportedImage]:
        self.received = b"".join([chunk async for chunk in chunks])
        self.asked = (name, limit)
        assert in_use(DIGEST) == ["a", "b"]
        self.images[NAME] = IMAGE
        return [IMAGE]

    async def list(self) -> list[ImportedImage]:
        return list(self.images.values())

    async def remove(self, name: str) -> bool:
        return self.images.pop(name, None) is not None

    async def only_held_by(self, name: str) -> set[str]:
        return {image.digest for image in self.images.values() if image.name == name}


def servicer(store: Store, users: Sequence[str] = ("a", "b")) -> ImageServicer:
    def names_in_use(asked: str) -> list[str]:
        return list(users) if asked == DIGEST else []

    return ImageServicer(store, names_in_use=names_in_use, import_limit=1000)


def chunk(body: bytes) -> image_service_pb2.ImportRequest:
    return image_service_pb2.ImportRequest(chunk=body)


def options(name: str) -> image_service_pb2.ImportRequest:
    return image_service_pb2.ImportRequest(options=image_service_pb2.ImportOptions(name=name))


async def stream(
    *requests: image_service_pb2.ImportRequest,
) -> AsyncIterator[image_service_pb2.ImportRequest]:
    for request in requests:
        yield request


async def test_options_come_first_and_chunks_in_order() -> None:
    store = Store()
    requests = stream(options("busybox"), chunk(b"one"), chunk(b""), chunk(b"two"))
    answer = await servicer(store).Import(requests, CONTEXT)
    assert (store.asked, store.received) == (("busybox", 1000), b"onetwo")
    [image] = answer.images
    assert (image.name, image.digest, image.size) == (NAME, DIGEST, 42)
    assert image.create_time.ToDatetime(UTC) == IMAGE.created


async def test_options_may_be_left_out() -> None:
    store = Store()
    await servicer(store).Import(stream(chunk(b"one")), CONTEXT)
    assert (store.asked, store.received) == (("", 1000), b"one")


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([chunk(b"x"), options("late")], "options"),
        ([options("once"), options("twice")], "options"),
        ([image_service_pb2.ImportRequest()], "chunk"),
        ([chunk(b"x"), image_service_pb2.ImportRequest()], "chunk"),
        ([chunk(bytes(LARGEST_CHUNK + 1))], "chunk"),
    ],
)
async def test_wrong_streams_are_refused_by_field(
    requests: list[image_service_pb2.ImportRequest], field: str
) -> None:
    store = Store()
    with pytest.raises(errors.InvalidField) as caught:
        await servicer(store).Import(stream(*requests), CONTEXT)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert store.images == {}


class Full(Store):
    """Takes one chunk, and no more."""

    async def import_(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit: int,
        name: str,
        in_use: Callable[[str], Sequence[str]],
    ) -> list[ImportedImage]:
        await anext(chunks)
        raise errors.ArchiveTooLarge("cannot import archive: it is larger than 1 byte")


async def test_who_is_refused_while_writing_is_heard_out_before_the_answer() -> None:
    heard: list[int] = []

    async def requests() -> AsyncIterator[image_service_pb2.ImportRequest]:
        for number in range(3):
            heard.append(number)
            yield chunk(b"x")

    with pytest.raises(errors.ArchiveTooLarge):
        await servicer(Full()).Import(requests(), CONTEXT)
    assert heard == [0, 1, 2]


async def test_images_are_listed() -> None:
    request = image_service_pb2.ImageServiceListRequest()
    answer = await servicer(Store({NAME: IMAGE})).List(request, CONTEXT)
    assert [image.name for image in answer.images] == [NAME]


async def test_an_image_nobody_needs_is_removed_once() -> None:
    store = Store({NAME: IMAGE})
    request = image_service_pb2.RemoveRequest(image="busybox")
    await servicer(store, users=()).Remove(request, CONTEXT)
    assert store.images == {}
    with pytest.raises(errors.ImageNotFound) as caught:
        await servicer(store, users=()).Remove(request, CONTEXT)
    assert caught.value.facts == {"image": NAME}


async def test_an_image_in_use_stays_and_its_users_are_named() -> None:
    store = Store({NAME: IMAGE})
    request = image_service_pb2.RemoveRequest(image="busybox")
    with pytest.raises(errors.ImageInUse, match="2 containers") as caught:
        await servicer(store, users=("b", "a")).Remove(request, CONTEXT)
    assert caught.value.facts == {"image": NAME, "containers": "a,b"}
    assert NAME in store.images


@pytest.mark.parametrize("wrong", ["", "NOT A NAME"])
async def test_a_wrong_name_is_refused_by_field(wrong: str) -> None:
    request = image_service_pb2.RemoveRequest(image=wrong)
    with pytest.raises(errors.InvalidField) as caught:
        await servicer(Store()).Remove(request, CONTEXT)
    assert caught.value.violations[0].field == "image"
