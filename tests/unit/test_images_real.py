"""An image is brought in whole, held against containerd's collector, and goes whole."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import secrets
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

from demo.busybox_image import build
from moored import errors
from moored.containerd.connection import CALL_LIMIT, Absent, Connection
from moored.containerd.images import Images, ImportedImage
from moored.containerd.layers import Layers
from moored.containerd.leases import Leases
from moored.containerd.records import Records, Target
from moored.containerd_api import (
    content_pb2,
    content_pb2_grpc,
    namespaces_pb2,
    namespaces_pb2_grpc,
)
from tests.unit.tars import (
    OCI,
    described,
    digest,
    docker_files,
    index,
    layer,
    named,
    oci_files,
    oci_image,
    tar_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    import grpc.aio

    from moored.containerd.connection import Reply, Request
    from tests.real.site import Site

pytestmark = pytest.mark.real

LIMIT: Final = 64 << 20
NAME: Final = "docker.io/library/thing:1"
HELD: Final = {"containerd.io/gc.root": datetime.now(UTC).isoformat()}
Fault = Literal["request lost", "reply lost", "cancelled", "cancelled late"]


@dataclass
class Place:
    """A namespace of its own in a real containerd, and all that is in it."""

    connection: Connection
    spool: Path
    images: Images = field(init=False)

    def __post_init__(self) -> None:
        connection = self.connection
        self.layers = Layers(connection)
        self.leases = Leases(connection)
        self.records = Records(connection)
        self.images = self.on(connection)

    def on(self, connection: Connection) -> Images:
        return Images(connection, Layers(connection), Leases(connection), spool=self.spool)

    async def bring(self, archive: bytes) -> list[ImportedImage]:
        return await self.images.import_(stream(archive), limit=LIMIT)

    async def collect(self) -> None:
        """Let containerd's collector run now."""
        await self.leases.create("collect", {})
        await self.leases.delete("collect", sync=True)

    async def clear(self) -> None:
        for record in await self.records.list():
            await self.records.delete(record.name)
        await self.images.sweep()
        await self.collect()

    async def held(self) -> dict[str, dict[str, str]]:
        """Return all there is, each with what would differ if it were made anew."""
        rpc = content_pb2_grpc.ContentStub(self.connection.channel)
        replies = self.connection.stream(rpc.List, content_pb2.ListContentRequest(), "list")
        blobs = [blob async for reply in replies for blob in reply.info]
        records = await self.records.list()
        return {
            "content": {blob.digest: str(sorted(blob.labels.items())) for blob in blobs},
            "layers": {layer.name: str(layer) for layer in await self.layers.list()},
            "images": {record.name: str(record) for record in records},
            "leases": {lease.id: "" for lease in await self.leases.list()},
        }


NOTHING: Final[dict[str, dict[str, str]]] = {
    "content": {},
    "layers": {},
    "images": {},
    "leases": {},
}


@pytest.fixture
async def place(site: Site, tmp_path: Path) -> AsyncIterator[Place]:
    socket = site.containerd.address.socket
    connection = Connection(socket, namespace=f"i{secrets.token_hex(4)}")
    yield (made := Place(connection, tmp_path))
    await made.clear()
    assert await made.held() == NOTHING
    await namespace_gone(connection)
    await connection.close()


async def namespace_gone(connection: Connection) -> None:
    """Take the namespace out of sight of whoever looks at all of them."""
    rpc = namespaces_pb2_grpc.NamespacesStub(connection.channel)
    request = namespaces_pb2.DeleteNamespaceRequest(name=connection.namespace)
    with suppress(Absent):
        await connection.unary(rpc.Delete, request, "delete the namespace")


async def stream(archive: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(archive), 1 << 20):
        yield archive[at : at + (1 << 20)]


def oci(name: str, *layers: bytes, media_type: str = "") -> bytes:
    image = oci_image(*layers, media_type=media_type)
    return tar_of(oci_files(index(image.entry(**named(name))), *image.blobs))


@pytest.mark.parametrize("form", ["docker", "oci"])
async def test_busybox_survives_the_collector_and_a_container_can_begin(
    place: Place, tmp_path: Path, form: str
) -> None:
    archive = tmp_path / "busybox.tar"
    build(archive, format=form)
    [imported] = await place.bring(archive.read_bytes())
    before = await place.held()
    await place.collect()
    assert await place.held() == before
    image = await place.images.get("busybox")
    assert image is not None
    assert (image.name, image.digest) == (imported.name, imported.digest)
    assert image.args == ("sh",)
    [mount] = await place.layers.prepare("container", parent=image.layer, labels=HELD)
    lower = dict(option.partition("=")[::2] for option in mount.options)["lowerdir"]
    assert (Path(lower) / "bin" / "sh").readlink() == Path("busybox")
    assert (Path(lower) / "tmp").stat().st_mode & 0o7777 == 0o1777
    await place.layers.remove("container")


async def test_a_removed_image_is_gone_with_all_it_held(place: Place) -> None:
    await place.bring(tar_of(docker_files(layer(a=b"a"), layer(b=b"b"))))
    assert await place.images.remove("thing:1")
    assert await place.held() == NOTHING
    assert not await place.images.remove("thing:1")
    assert await place.images.get("thing:1") is None


async def test_what_two_images_share_stays_with_the_other(place: Place) -> None:
    below = layer(a=b"a")
    await place.bring(oci("one:1", below, layer(b=b"b")))
    await place.bring(oci("two:1", below, layer(c=b"c")))
    await place.images.remove("one:1")
    image = await place.images.get("two:1")
    assert image is not None
    assert [kept.name for kept in await place.layers.list()] == sorted([digest(below), image.layer])


async def test_a_second_identical_import_changes_nothing(place: Place) -> None:
    archive = tar_of(docker_files(layer(a=b"a"), layer(b=b"b")))
    first = await place.bring(archive)
    before = await place.held()
    assert await place.bring(gzip.compress(archive)) == first
    assert await place.held() == before


async def test_an_index_is_held_with_its_manifest(place: Place) -> None:
    image = oci_image(layer(a=b"a"))
    inner = index(image.entry())
    outer = index(described(f"{OCI}.index.v1+json", inner, **named("x:1")))
    [imported] = await place.bring(tar_of(oci_files(outer, inner, *image.blobs)))
    await place.collect()
    meant = await place.images.get("x:1")
    assert imported.digest == digest(inner)
    assert meant is not None
    assert meant.digest == digest(image.manifest)
    assert (await place.images.list())[0].size == sum(map(len, image.blobs))
    for either in (digest(inner), digest(image.manifest)):
        assert await place.images.get(f"x@{either}") == meant
    assert await place.images.get(f"y@{digest(inner)}") is None


async def test_many_imports_at_once_are_as_good_as_one(place: Place) -> None:
    archive = tar_of(docker_files(*(layer(**{f"f{n}": b"x" * 5000}) for n in range(4))))
    imported = await asyncio.gather(*(place.bring(archive) for _ in range(6)))
    assert all(one == imported[0] for one in imported)
    await place.collect()
    assert await place.images.get(NAME) is not None
    assert (await place.held())["leases"] == {}


async def test_a_failing_import_takes_nothing_from_one_beside_it(place: Place) -> None:
    shared = [layer(**{f"f{n}": b"x" * 5000}) for n in range(3)]
    wrong = oci_image(*shared, gzip.compress(b"not a layer"), media_type=f"{OCI}.layer.v1.tar")
    bad = tar_of(oci_files(index(wrong.entry(**named("bad:1"))), *wrong.blobs))
    good = oci("good:1", *shared)
    outcomes = await asyncio.gather(
        *(place.bring(archive) for archive in (bad, good, bad, good, bad)), return_exceptions=True
    )
    assert [isinstance(one, errors.MooredError) for one in outcomes] == [1, 0, 1, 0, 1]
    await place.collect()
    image = await place.images.get("good:1")
    assert image is not None
    await place.layers.prepare("container", parent=image.layer, labels=HELD)
    await place.layers.remove("container")


async def test_a_name_moves_on_and_what_it_meant_goes(place: Place) -> None:
    await place.bring(tar_of(docker_files(layer(old=b"1"))))
    await place.bring(tar_of(docker_files(layer(new=b"2"))))
    assert len(await place.images.list()) == 1
    assert [kept.name for kept in await place.layers.list()] == [digest(layer(new=b"2"))]


async def test_what_containers_were_made_from_stays_under_its_digest(place: Place) -> None:
    await place.bring(tar_of(docker_files(layer(old=b"1"))))
    old = await place.images.get(NAME)
    assert old is not None
    [imported] = await place.images.import_(
        stream(tar_of(docker_files(layer(new=b"2")))),
        limit=LIMIT,
        in_use=lambda asked: ("somebody",) if asked == old.digest else (),
    )
    kept = f"docker.io/library/thing@{old.digest}"
    assert [one.name for one in await place.images.list()] == [NAME, kept]
    again = await place.images.get(kept)
    assert again is not None
    assert again.layer == old.layer
    assert await place.images.only_held_by(NAME) == {imported.digest}
    assert await place.images.remove(kept)
    assert await place.layers.stat(old.layer) is None


async def test_only_the_last_name_of_a_digest_holds_it(place: Place) -> None:
    [one, _] = await place.bring(tar_of(docker_files(tags=("a:1", "a:2"))))
    assert await place.images.only_held_by("a:1") == set()
    await place.images.remove("a:2")
    assert await place.images.only_held_by("a:1") == {one.digest}
    assert await place.images.only_held_by("gone") == set()


async def test_a_layer_that_is_not_what_its_image_says_leaves_nothing(place: Place) -> None:
    fine, wrong = gzip.compress(layer(a=b"a")), gzip.compress(layer(b=b"b"))
    # Its diff ids are those of the compressed bytes.
    archive = oci("x:1", fine, wrong, media_type=f"{OCI}.layer.v1.tar+gzip")
    with pytest.raises(errors.ArchiveInvalid, match="unpacks to"):
        await place.bring(archive)
    assert await place.held() == NOTHING


async def test_a_layer_that_cannot_be_unpacked_leaves_nothing(place: Place) -> None:
    with pytest.raises(errors.RuntimeRefused, match="cannot unpack"):
        await place.bring(oci("x:1", layer(a=b"a"), b"no tar at all" * 100))
    assert await place.held() == NOTHING


@pytest.mark.parametrize("junk", [b"", b"junk" * 1000, tar_of({"hello": b"world"})])
async def test_what_is_no_archive_changes_nothing(place: Place, junk: bytes) -> None:
    with pytest.raises(errors.ArchiveInvalid):
        await place.bring(junk)
    assert await place.held() == NOTHING


async def test_records_that_cannot_be_read_are_listed_and_can_be_removed(place: Place) -> None:
    await place.bring(tar_of(docker_files()))
    for number, media_type in enumerate((f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json", "a/b")):
        target = Target(media_type, digest(b"gone"), 4)
        await place.records.put(f"docker.io/library/broken:{number}", target)
    listed = {one.name.rpartition("/")[2]: one.size for one in await place.images.list()}
    assert listed.pop("thing:1") > 0
    assert listed == {"broken:0": 0, "broken:1": 0, "broken:2": 0}
    with pytest.raises(errors.ImageNotFound, match="is missing; import it again"):
        await place.images.get("broken:0")
    assert await place.images.remove("broken:0")


async def test_an_image_that_is_not_unpacked_says_so(place: Place) -> None:
    await place.bring(tar_of(docker_files()))
    image = await place.images.get(NAME)
    assert image is not None
    await place.layers.remove(image.layer)
    with pytest.raises(errors.ImageNotFound, match="it is not unpacked"):
        await place.on(place.connection).get(NAME)
    await place.bring(tar_of(docker_files()))
    assert await place.on(place.connection).get(NAME) == image


@pytest.mark.parametrize(
    "target",
    ["docker-archive:{}:thing:1", "oci-archive:{}:docker.io/library/thing:1"],
)
@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
async def test_archives_of_skopeo_are_taken(
    place: Place, tmp_path: Path, target: str, compression: str
) -> None:
    source, made = tmp_path / "busybox.tar", tmp_path / "made.tar"
    build(source)
    pressed = ["--dest-compress-format", compression] if compression else []
    await asyncio.to_thread(
        subprocess.run,
        [
            "skopeo", "copy", "--insecure-policy", *pressed,
            f"docker-archive:{source}", target.format(made),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    [imported] = await place.bring(made.read_bytes())
    assert imported.name == NAME
    await place.collect()
    image = await place.images.get(NAME)
    assert image is not None
    assert image.args == ("sh",)
    assert await place.layers.stat(image.layer) is not None


class Faulty(Connection):
    """A connection on which one call goes wrong, once. ``victim`` is who is cancelled then."""

    def __init__(self, whole: Connection, at: int, fault: Fault) -> None:
        vars(self).update(vars(whole))
        # Shared by the copies that are under a lease.
        self.calls = {"made": 0, "to fail": at}
        self.fault: Fault = fault
        self.victims: list[asyncio.Task[list[ImportedImage]]] = []

    @property
    def has_failed(self) -> bool:
        return self.calls["to fail"] == -1

    async def unary(
        self,
        rpc: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        to: str,
        *,
        within: float | None = CALL_LIMIT,
        wait_for_ready: bool = True,
        **facts: str,
    ) -> Reply:
        with self.fails(to):
            return await super().unary(
                rpc, request, to, within=within, wait_for_ready=wait_for_ready, **facts
            )

    async def exchange(
        self,
        rpc: grpc.aio.StreamStreamMultiCallable[Request, Reply],
        requests: AsyncIterator[Request],
        to: str,
        *,
        within: float | None = CALL_LIMIT,
        **facts: str,
    ) -> AsyncGenerator[Reply, None]:
        with self.fails(to):
            async for reply in super().exchange(rpc, requests, to, within=within, **facts):
                yield reply

    @contextmanager
    def fails(self, to: str) -> Iterator[None]:
        self.calls["made"] += 1
        number = self.calls["made"]
        self.fail_at(number, to, "request lost", "cancelled")
        try:
            yield
        finally:
            self.fail_at(number, to, "reply lost", "cancelled late")

    def fail_at(self, number: int, to: str, lost: Fault, cancelled: Fault) -> None:
        if number != self.calls["to fail"] or self.fault not in (lost, cancelled):
            return
        self.calls["to fail"] = -1
        if self.fault == lost:
            raise errors.RuntimeUnreachable(f"cannot {to}: lost")
        for victim in self.victims:
            victim.cancel()


@pytest.mark.parametrize("fault", ["request lost", "reply lost", "cancelled", "cancelled late"])
@pytest.mark.parametrize("replaces", [False, True])
async def test_an_import_that_breaks_anywhere_leaves_the_world_as_it_was(
    place: Place, fault: Fault, replaces: bool
) -> None:
    archive = tar_of(docker_files(layer(a=b"a"), layer(b=b"b"), tags=(NAME, "other:1")))
    broken: list[int] = []
    for at in itertools.count(1):
        if replaces:
            await place.bring(tar_of(docker_files(layer(old=b"1"))))
        before = await place.held()
        connection = Faulty(place.connection, at, fault)
        work = place.on(connection).import_(stream(archive), limit=LIMIT)
        importing = asyncio.create_task(work)
        connection.victims.append(importing)
        await asyncio.wait([importing])
        await place.collect()
        after = await place.held()
        if not importing.cancelled() and importing.exception() is None:
            assert set(after["images"]) == {NAME, "docker.io/library/other:1"}
            assert after["leases"] == {}
            await place.clear()
        elif after != before:
            # Cancelled when all was done, or while the lease was dropped.
            assert importing.cancelled()
            assert set(after["images"]) == {NAME, "docker.io/library/other:1"}
            assert after["leases"] == {}
            await place.clear()
        else:
            broken.append(at)
        if not connection.has_failed:
            break
    assert len(broken) > 10


async def test_the_lease_of_a_killed_import_is_swept(place: Place) -> None:
    await place.leases.create("moorage-import-killed", {})
    await place.leases.create("somebody else's", {})
    assert await place.images.sweep() == 1
    assert list((await place.held())["leases"]) == ["somebody else's"]
    await place.leases.delete("somebody else's", sync=True)


async def test_a_name_is_found_in_one_call_once_it_is_known(place: Place) -> None:
    await place.bring(tar_of(docker_files()))
    counted = Faulty(place.connection, 0, "request lost")
    images = place.on(counted)
    first = await images.get(NAME)
    counted.calls["made"] = 0
    assert await images.get("thing:1") == first
    assert counted.calls["made"] == 1
