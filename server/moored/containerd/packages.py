"""An image as an archive holds it: every blob checked, and who needs whom.

Blocking: for threads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel

from moored import errors
from moored.containerd import documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.containerd.archive import Archive, Region
    from moored.containerd.platforms import Platform

MOST_LAYERS: Final = 127
_MOST_DOCUMENTS: Final = 1000
_LARGEST_SHELF: Final = 64 << 20
"""Bytes of all documents of an archive together."""

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True)
class Blob:
    media_type: str
    digest: str
    size: int
    content: Region | bytes
    """Where it is in the archive, or the blob itself where it was read or made."""
    holds: Mapping[str, str] = field(default_factory=dict)
    """What the collector must keep as long as this: a role, and the digest that has it."""


@dataclass(frozen=True)
class Layer:
    blob: Blob
    diff_id: str
    """The digest of the layer uncompressed."""
    chain_id: str
    """The name of what this layer and all below it make."""


@dataclass(frozen=True)
class Package:
    manifest: Blob
    config: Blob
    layers: tuple[Layer, ...]
    indexes: tuple[Blob, ...] = ()
    """Those that led to the manifest, outermost first."""

    @property
    def target(self) -> Blob:
        """What the image's name means."""
        return self.indexes[0] if self.indexes else self.manifest

    @property
    def size(self) -> int:
        layers = (layer.blob for layer in self.layers)
        return sum(blob.size for blob in (self.manifest, self.config, *layers))

    def blobs(self) -> Iterator[Blob]:
        """Yield every blob once, those that others hold before those that hold them."""
        seen: set[str] = set()
        layers = (layer.blob for layer in self.layers)
        for blob in (*layers, self.config, self.manifest, *reversed(self.indexes)):
            if blob.digest not in seen:
                seen.add(blob.digest)
                yield blob


@dataclass
class Shelf:
    """The archive's blobs, each read and summed once, and not too many of them."""

    archive: Archive
    _digests: dict[Region, str] = field(default_factory=dict)
    _documents: dict[str, bytes] = field(default_factory=dict)
    _asked: int = 0
    _held: int = 0

    def document(self, name: str) -> bytes:
        self._asked += 1
        if self._asked > _MOST_DOCUMENTS:
            raise invalid(f"it has more than {_MOST_DOCUMENTS} manifests")
        if name not in self._documents:
            self._documents[name] = self.archive.document(name)
            self._held += len(self._documents[name])
        if self._held > _LARGEST_SHELF:
            raise invalid(f"its manifests and configurations exceed {_LARGEST_SHELF} bytes")
        return self._documents[name]

    def digest(self, region: Region) -> str:
        if region not in self._digests:
            self._digests[region] = self.archive.digest(region)
        return self._digests[region]

    def described(self, descriptor: documents.Descriptor) -> bytes:
        """Return a document of an OCI layout, which is what its descriptor says."""
        written = self.document(_path(descriptor))
        found = f"sha256:{hashlib.sha256(written).hexdigest()}"
        _same(descriptor, found, len(written))
        return written

    def layer(self, descriptor: documents.Descriptor) -> Blob:
        region = self.archive.locate(_path(descriptor))
        _same(descriptor, self.digest(region), region.size)
        return Blob(descriptor.media_type, descriptor.digest, region.size, region)


def check_height(count: int, config: documents.Configuration, called: str) -> None:
    """Refuse a number of layers before any of them is read."""
    described = len(config.rootfs.diff_ids)
    if count != described:
        raise invalid(f"{called} has {count} layers, its configuration {described}")
    if not count:
        raise invalid(f"{called} has no layers: there is nothing to run")
    if count > MOST_LAYERS:
        raise invalid(f"{called} has {count} layers, and {MOST_LAYERS} can be stacked")


def stack(blobs: list[Blob], config: documents.Configuration) -> tuple[Layer, ...]:
    """Return the layers with the names that they get when unpacked one upon the other."""
    layers: list[Layer] = []
    for blob, diff_id in zip(blobs, config.rootfs.diff_ids, strict=True):
        chain = chain_id(layers[-1].chain_id, diff_id) if layers else diff_id
        layers.append(Layer(blob, diff_id, chain))
    return tuple(layers)


def chain_id(parent: str, diff_id: str) -> str:
    return f"sha256:{hashlib.sha256(f'{parent} {diff_id}'.encode()).hexdigest()}"


def top_chain_id(diff_ids: tuple[str, ...]) -> str:
    chain = ""
    for diff_id in diff_ids:
        chain = chain_id(chain, diff_id) if chain else diff_id
    return chain


def manifest_holds(config: str, layers: list[str]) -> dict[str, str]:
    """Return what a manifest holds, in the roles that containerd's own programs write."""
    return {"content.config": config} | {f"content.l.{n}": one for n, one in enumerate(layers)}


def read(kind: type[Document], written: bytes, called: str) -> Document:
    try:
        return documents.parse(kind, written, called)
    except documents.Malformed as error:
        raise invalid(str(error)) from error


def none_fits(platform: Platform, seen: list[str]) -> errors.ArchiveInvalid:
    has = f"it has {', '.join(sorted(set(seen))[:8])}" if seen else "it has none at all"
    return invalid(f"no image in it is for {platform}: {has}")


def invalid(why: str) -> errors.ArchiveInvalid:
    return errors.ArchiveInvalid(f"cannot import the archive: {why}")


def _path(descriptor: documents.Descriptor) -> str:
    return "blobs/" + descriptor.digest.replace(":", "/")


def _same(descriptor: documents.Descriptor, digest: str, size: int) -> None:
    if size != descriptor.size:
        raise invalid(f"{descriptor.digest} has {size} bytes, and should have {descriptor.size}")
    if digest != descriptor.digest:
        raise invalid(f"{descriptor.digest} is not what it should be: its digest is {digest}")
