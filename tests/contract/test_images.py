"""Image records: names that point at blobs, there or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import field_mask_pb2
from grpc import StatusCode

from moored.containerd_api import images_pb2, types_pb2
from tests.contract.blobs import digest_of
from tests.contract.subjects import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.subjects import Subject

NAME = "docker.io/library/contract:1"


def _image(name: str = NAME, content: bytes = b"manifest") -> images_pb2.Image:
    target = types_pb2.Descriptor(
        media_type="application/vnd.oci.image.manifest.v1+json",
        digest=digest_of(content),
        size=len(content),
    )
    return images_pb2.Image(name=name, target=target, labels={"contract/name": name})


async def test_image_comes_back_as_it_was_made(subject: Subject) -> None:
    made = await _create(subject, _image())
    found = await _get(subject, NAME)
    assert found == made
    assert (found.target, found.labels) == (_image().target, _image().labels)
    assert found.HasField("created_at")


async def test_second_image_of_a_name_is_refused(subject: Subject) -> None:
    await _create(subject, _image())
    assert (await refused(_create(subject, _image()))).code is StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image.ClearField("name"),
        lambda image: image.target.ClearField("size"),
        lambda image: image.target.ClearField("media_type"),
        lambda image: setattr(image.target, "digest", "none"),
    ],
    ids=["name", "size", "media type", "digest"],
)
async def test_image_that_lacks_something_is_refused(
    subject: Subject, spoil: Callable[[images_pb2.Image], None]
) -> None:
    image = _image()
    spoil(image)
    assert (await refused(_create(subject, image))).code is StatusCode.INVALID_ARGUMENT


async def test_image_without_a_target_ends_containerd_from_1_7_on(subject: Subject) -> None:
    """So none is ever sent, not even with an update that leaves the target alone."""
    image = _image()
    image.ClearField("target")
    refusal = await refused(_create(subject, image))
    if subject.series >= (1, 7):
        assert refusal.code is StatusCode.UNAVAILABLE
        await subject.come_back()
    else:
        assert refusal.code is StatusCode.INVALID_ARGUMENT


async def test_image_that_is_not_there_is_not_found(subject: Subject) -> None:
    update = images_pb2.UpdateImageRequest(image=_image())
    calls = (
        _get(subject, NAME),
        _delete(subject, NAME),
        subject.call(subject.images.Update, update),
    )
    for call in calls:
        assert (await refused(call)).code is StatusCode.NOT_FOUND


async def test_update_moves_a_name(subject: Subject) -> None:
    await _create(subject, _image())
    other = _image(content=b"other manifest")
    updated = await subject.call(subject.images.Update, images_pb2.UpdateImageRequest(image=other))
    assert updated.image.target == other.target
    assert (await _get(subject, NAME)).target == other.target


async def test_update_changes_what_its_mask_names(subject: Subject) -> None:
    await _create(subject, _image())
    other = _image()
    other.labels["contract/new"] = "yes"
    other.labels["contract/name"] = "unchanged"
    mask = field_mask_pb2.FieldMask(paths=["labels.contract/new"])
    request = images_pb2.UpdateImageRequest(image=other, update_mask=mask)
    updated = await subject.call(subject.images.Update, request)
    assert updated.image.labels == {"contract/name": NAME, "contract/new": "yes"}
    assert updated.image.target == _image().target


async def test_list_takes_filters(subject: Subject) -> None:
    for name in ("a:1", "b:1"):
        await _create(subject, _image(name))
    for text, found in (
        ("name==a:1", ["a:1"]),
        ("name~=^b", ["b:1"]),
        ('labels."contract/name"=="a:1"', ["a:1"]),
        ("name==a:1,labels.none", []),
        ("", ["a:1", "b:1"]),
    ):
        request = images_pb2.ListImagesRequest(filters=[text] if text else [])
        listed = await subject.call(subject.images.List, request)
        assert [image.name for image in listed.images] == found


async def test_deleted_image_is_gone(subject: Subject) -> None:
    await _create(subject, _image())
    await _delete(subject, NAME)
    assert (await refused(_get(subject, NAME))).code is StatusCode.NOT_FOUND


async def _create(subject: Subject, image: images_pb2.Image) -> images_pb2.Image:
    request = images_pb2.CreateImageRequest(image=image)
    return (await subject.call(subject.images.Create, request)).image


async def _get(subject: Subject, name: str) -> images_pb2.Image:
    request = images_pb2.GetImageRequest(name=name)
    return (await subject.call(subject.images.Get, request)).image


async def _delete(subject: Subject, name: str) -> None:
    await subject.call(subject.images.Delete, images_pb2.DeleteImageRequest(name=name))
