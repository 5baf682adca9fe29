"""Images come as archives, are kept against containerd's collector, and go without a trace."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import image_service_pb2
from tests.outside import containerd as seen
from tests.real.archives import docker_archive
from tests.real.deadlines import eventually
from tests.real.moored import import_parts
from tests.real.site import build_archive
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moorage.v1.image_service_pb2 import Image
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real


@pytest.fixture
def empty(site: Site) -> Iterator[Moored]:
    """A moored without any image."""
    daemon = site.moored()
    daemon.start()
    yield daemon
    if daemon.is_running():
        daemon.stop()


@pytest.mark.parametrize("form", ["docker", "oci", "gzip"])
async def test_an_archive_of_each_form_runs(
    empty: Moored, tmp_path: Path, archive: Path, form: str
) -> None:
    path = tmp_path / "image.tar"
    if form == "gzip":
        _compress(archive, path)
    else:
        build_archive(path, "--format", form)
    async with Wire(empty.address) as wire:
        (image,) = await _import(wire, path)
        assert image.name == "docker.io/library/busybox:latest"
        assert image.digest.startswith("sha256:")
        assert image.size > 0
        async with wire.running(shell("echo runs")) as container:
            assert await wire.printed(container.id) == b"runs\n"
            assert container.status.image_digest == image.digest


async def test_an_import_again_changes_nothing(
    site: Site, own_moored: Moored, own_wire: Wire, archive: Path
) -> None:
    before = _kept(site, own_moored)
    listed = await _list(own_wire)
    await _import(own_wire, archive)
    seen.collect(site.containerd.address, own_moored.instance)
    assert _kept(site, own_moored) == before
    assert [(image.name, image.digest) for image in await _list(own_wire)] == [
        (image.name, image.digest) for image in listed
    ]


async def test_a_name_given_to_the_import_replaces_that_of_the_archive(
    empty: Moored, archive: Path
) -> None:
    async with Wire(empty.address) as wire:
        (image,) = await _import(wire, archive, name="my/own:1")
        assert image.name == "docker.io/my/own:1"
        assert [one.name for one in await _list(wire)] == ["docker.io/my/own:1"]


async def test_containerds_collector_leaves_an_image_that_nobody_uses(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    before = _kept(site, own_moored)
    seen.collect(site.containerd.address, own_moored.instance)
    assert _kept(site, own_moored) == before
    async with own_wire.running(shell("echo still")) as container:
        seen.collect(site.containerd.address, own_moored.instance)
        assert await own_wire.printed(container.id) == b"still\n"


async def test_the_collector_leaves_the_layer_of_a_container_that_does_not_run(
    site: Site, own_moored: Moored, own_wire: Wire
) -> None:
    script = "cat /mark 2>/dev/null; echo kept >/mark"
    async with own_wire.running(shell(script)) as container:
        await own_wire.wait(container.id)
        seen.collect(site.containerd.address, own_moored.instance)
        await own_wire.start(container.id)
        assert await own_wire.printed(container.id) == b"kept\n"


async def test_a_removed_image_leaves_nothing_in_containerd(empty: Moored, site: Site) -> None:
    async with Wire(empty.address) as wire:
        empty.import_image(build_archive(empty.home / "image.tar"))
        await _remove(wire, "busybox")
        seen.collect(site.containerd.address, empty.instance)

        def nothing() -> bool:
            return _kept(site, empty) == (frozenset(), frozenset(), frozenset())

        await eventually(nothing, "the collector has taken content and layers")
        refusal = await refused(_remove(wire, "busybox"))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "IMAGE_NOT_FOUND")


async def test_an_image_in_use_is_not_removed_and_says_by_whom(
    own_wire: Wire,
) -> None:
    async with own_wire.created(sleeper()) as container:
        refusal = await refused(_remove(own_wire, "busybox"))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "IMAGE_IN_USE",
        )
        assert any(container.id in value for value in refusal.metadata.values())
        await own_wire.start(container.id)
    await _remove(own_wire, "busybox")


async def test_a_name_that_moves_on_leaves_containers_with_the_image_they_had(
    own_wire: Wire, own_moored: Moored, tmp_path: Path
) -> None:
    async with own_wire.created(shell("echo the first")) as container:
        name = "docker.io/library/busybox:latest"
        own_moored.import_image(docker_archive(tmp_path / "o.tar", name, {"program": b"x"}))
        await own_wire.start(container.id)
        assert await own_wire.printed(container.id) == b"the first\n"


async def test_an_archive_whose_layer_is_not_what_it_says_leaves_nothing(
    site: Site, empty: Moored, tmp_path: Path
) -> None:
    wrong = f"sha256:{'0' * 64}"
    path = docker_archive(tmp_path / "w.tar", "wrong:1", {"program": b"x"}, diff_id=wrong)
    async with Wire(empty.address) as wire:
        refusal = await refused(_import(wire, path))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "ARCHIVE_INVALID",
        )
        assert await _list(wire) == []
        seen.collect(site.containerd.address, empty.instance)
        assert _kept(site, empty) == (frozenset(), frozenset(), frozenset())


async def test_an_archive_larger_than_allowed_is_refused(site: Site, archive: Path) -> None:
    daemon = site.moored({"largest_import": "1MiB"})
    daemon.start()
    async with Wire(daemon.address) as wire:
        refusal = await refused(_import(wire, archive))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "ARCHIVE_TOO_LARGE",
    )
    daemon.stop()


async def _import(wire: Wire, path: Path, name: str = "") -> list[Image]:
    answer = await wire.images.Import(import_parts(path, name), timeout=CALL_WITHIN)
    return list(answer.images)


def _compress(archive: Path, into: Path) -> None:
    into.write_bytes(gzip.compress(archive.read_bytes(), 1))


async def _list(wire: Wire) -> list[Image]:
    request = image_service_pb2.ImageServiceListRequest()
    return list((await wire.images.List(request, timeout=CALL_WITHIN)).images)


async def _remove(wire: Wire, image: str) -> None:
    request = image_service_pb2.RemoveRequest(image=image)
    await wire.images.Remove(request, timeout=CALL_WITHIN)


def _kept(site: Site, moored: Moored) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return names, content and unpacked layers as containerd has them."""
    address, names = site.containerd.address, [moored.instance]
    return (
        seen.images(address, names),
        seen.content(address, names),
        seen.committed_layers(address, names),
    )
