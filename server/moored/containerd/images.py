"""The images of this instance: import, list, resolve, remove.

A name is asked for anew each time, in one round trip; what a digest means never changes, so
it is read once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import documents, names
from moored.containerd.archive import LARGEST_DOCUMENT, read_archive
from moored.containerd.content import Content
from moored.containerd.health_checks import health_check
from moored.containerd.importing import LEASE_PREFIX, Import, ImportedImage
from moored.containerd.layouts import read_packages
from moored.containerd.names import complete_name
from moored.containerd.packages import top_chain_id
from moored.containerd.platforms import Platform, this_host
from moored.containerd.records import Records, Target
from moored.containerd.spool import spooled
from moored.containerd.unpacking import MOST_UNPACKED
from moored.model import spec
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from moored.containerd.connection import Connection
    from moored.containerd.layers import Layers
    from moored.containerd.layouts import Found
    from moored.containerd.leases import Leases
    from moored.containerd.records import Record
    from moored.containerd.spool import Spool

__all__ = ["Images", "ImportedImage", "complete_name"]

_MOST_REMEMBERED: Final = 512
_DEEPEST_INDEX: Final = 4


class Unreadable(Exception):
    """A record whose content is missing, or not an image for this host."""


@dataclass(frozen=True)
class _Meaning:
    """What a digest means on this host."""

    image: spec.Image
    """Without its name, which is the record's."""
    size: int
    unpacked: bool = False


class Images:
    def __init__(
        self,
        connection: Connection,
        layers: Layers,
        leases: Leases,
        *,
        spool: Path,
        snapshotter: str = "overlayfs",
        most_unpacked: int = MOST_UNPACKED,
    ) -> None:
        self._connection = connection
        self._layers = layers
        self._leases = leases
        self._spool = spool
        self._snapshotter = snapshotter
        self._most_unpacked = most_unpacked
        self._records = Records(connection)
        self._content = Content(connection)
        self._platform = this_host()
        self._meanings: OrderedDict[str, _Meaning] = OrderedDict()

    async def import_(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit: int,
        name: str = "",
        platform: Platform | None = None,
        in_use: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> list[ImportedImage]:
        """Bring in the images that a stream of at most ``limit`` bytes holds, or nothing.

        ``in_use`` tells which containers were made from a digest: where a name means something
        else from now on, they keep what they were made from, under that digest.
        """
        wanted = _new_name(name) if name else ""
        async with spooled(chunks, self._spool, limit) as spool:
            find = partial(_find, spool, platform or self._platform, wanted)
            found = await in_thread(find)
            importing = Import(
                self._connection,
                self._leases,
                self._records,
                spool,
                self._snapshotter,
                self._most_unpacked,
                partial(self._still_used, in_use),
            )
            return await importing.run(found)

    async def list(self) -> list[ImportedImage]:
        """Return all images by name, also those that cannot be used."""
        return [
            ImportedImage(record.name, record.digest, await self._size(record), record.created)
            for record in await self._records.list()
        ]

    async def get(self, name: str) -> spec.Image | None:
        """Return what ``name`` means now, ready to run from; None where it is not listed."""
        record = await self._find(complete_name(name))
        if record is None:
            return None
        try:
            meaning = await self._usable(record.target)
        except Unreadable as error:
            raise errors.ImageNotFound(
                f"cannot use image {record.name!r}: {error}; import it again", image=record.name
            ) from error
        return replace(meaning.image, name=record.name)

    async def remove(self, name: str) -> bool:
        """Forget a name, and what only it held, before this returns. False: it is not listed."""
        full = complete_name(name)
        removed = await self._records.delete(full)
        # What is still meant by another name is read again.
        self._meanings.clear()
        return removed

    async def sweep(self) -> int:
        """Drop what imports of a service that was killed have left. Not while any is under way."""
        left = [one.id for one in await self._leases.list() if one.id.startswith(LEASE_PREFIX)]
        for lease in left:
            await self._leases.delete(lease, sync=True)
        return len(left)

    async def only_held_by(self, name: str) -> set[str]:
        """Return the digests, of manifests and indexes, that no other name means."""
        full, meant, others = complete_name(name), set[str](), set[str]()
        for record in await self._records.list():
            digests = meant if record.name == full else others
            digests.update((record.digest, await self._manifest(record)))
        return meant - others - {""}

    async def _find(self, full: str) -> Record | None:
        record = await self._records.get(full)
        digest = names.digest_of(full)
        if record is not None or not digest:
            return record
        for other in await self._records.list():
            if names.repository(other.name) == names.repository(full) and digest in (
                other.digest,
                await self._manifest(other),
            ):
                return other
        return None

    async def _still_used(self, in_use: Callable[[str], Sequence[str]], record: Record) -> bool:
        return bool(in_use(await self._manifest(record)))

    async def _manifest(self, record: Record) -> str:
        try:
            return (await self._meaning(record.target)).image.digest
        except Unreadable:
            return ""

    async def _size(self, record: Record) -> int:
        try:
            return (await self._meaning(record.target)).size
        except Unreadable:
            return 0

    async def _usable(self, target: Target) -> _Meaning:
        meaning = await self._meaning(target)
        if meaning.unpacked:
            return meaning
        if await self._layers.stat(meaning.image.layer) is None:
            raise Unreadable("it is not unpacked")
        return self._remember(target.digest, replace(meaning, unpacked=True))

    async def _meaning(self, target: Target) -> _Meaning:
        known = self._meanings.get(target.digest)
        return known or self._remember(target.digest, await self._read(target))

    def _remember(self, digest: str, meaning: _Meaning) -> _Meaning:
        self._meanings[digest] = meaning
        if len(self._meanings) > _MOST_REMEMBERED:
            self._meanings.popitem(last=False)
        return meaning

    async def _read(self, target: Target) -> _Meaning:
        manifest_target = await self._choose(target, depth=0)
        if manifest_target is None:
            raise Unreadable(f"nothing in it is for {self._platform}")
        manifest = await self._document(documents.Manifest, manifest_target)
        configured = _target(manifest.config)
        config = await self._document(documents.Configuration, configured)
        image = spec.Image(
            name="",
            digest=manifest_target.digest,
            layer=top_chain_id(config.rootfs.diff_ids),
            entrypoint=config.config.entrypoint,
            args=config.config.args,
            env=config.config.env,
            working_dir=config.config.working_dir,
            user=config.config.user,
            stop_signal=config.config.stop_signal,
            volumes=config.config.volumes,
            health_check=health_check(config.config.health),
        )
        layers = sum(layer.size for layer in manifest.layers)
        return _Meaning(image, manifest_target.size + configured.size + layers)

    async def _choose(self, target: Target, *, depth: int) -> Target | None:
        """Return the manifest for this host that ``target`` is, or leads to."""
        if target.media_type not in documents.INDEX_TYPES:
            return target
        if depth == _DEEPEST_INDEX:
            raise Unreadable(f"its indexes are nested more than {_DEEPEST_INDEX} deep")
        index = await self._document(documents.Index, target)
        for child in index.manifests:
            if child.media_type in documents.INDEX_TYPES or await self._fits(child):
                chosen = await self._choose(_target(child), depth=depth + 1)
                if chosen is not None:
                    return chosen
        return None

    async def _fits(self, child: documents.Descriptor) -> bool:
        if child.media_type not in documents.MANIFEST_TYPES:
            return False
        written: documents.PlatformDocument | documents.Configuration | None = child.platform
        if written is None:
            manifest = await self._document(documents.Manifest, _target(child))
            written = await self._document(documents.Configuration, _target(manifest.config))
        return self._platform.takes(Platform(written.os, written.architecture, written.variant))

    async def _document(self, kind: type[documents.Document], target: Target) -> documents.Document:
        if target.size > LARGEST_DOCUMENT:
            raise Unreadable(f"{target.digest} has {target.size} bytes")
        written = await self._content.document(target.digest, target.size)
        if written is None:
            raise Unreadable(f"{target.digest} is missing")
        try:
            return documents.parse(kind, written, target.digest)
        except documents.Malformed as error:
            raise Unreadable(str(error)) from error


def _new_name(name: str) -> str:
    full = complete_name(name, field="options.name")
    if names.digest_of(full):
        why = "an image is named by a tag; its digest follows from what it is"
        raise errors.InvalidField(
            f"cannot import as {name!r}: {why}", errors.Violation("options.name", why)
        )
    return full


def _find(spool: Spool, platform: Platform, wanted: str) -> list[Found]:
    return read_packages(read_archive(spool), platform, wanted)


def _target(descriptor: documents.Descriptor) -> Target:
    return Target(descriptor.media_type, descriptor.digest, descriptor.size)
