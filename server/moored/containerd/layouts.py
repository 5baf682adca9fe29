"""What the two kinds of archives hold: OCI image layouts, and docker archives.

Blocking: for threads. Images for other platforms are passed over; what is for this one is
whole, or the archive is refused.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import documents, names
from moored.containerd.packages import (
    Blob,
    Package,
    Shelf,
    check_height,
    invalid,
    manifest_holds,
    none_fits,
    read,
    stack,
)
from moored.containerd.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.containerd.archive import Archive

_NAME: Final = "io.containerd.image.name"
_REFERENCE: Final = "org.opencontainers.image.ref.name"
_DEEPEST_INDEX: Final = 4
_CONFIG_NAME: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})(?:\.json)?")
_COMPRESSIONS: Final = {
    b"\x1f\x8b": ("gzip", f"{documents.DOCKER_LAYER}.gzip"),
    b"\x28\xb5\x2f\xfd": ("zstd", ""),
    b"\xfd7zXZ\x00": ("xz", ""),
    b"BZh": ("bzip2", ""),
}
"""First bytes of a layer, what they tell, and the type that containerd knows it by."""


@dataclass
class Found:
    """One image of the archive, and the names it goes by there."""

    package: Package
    names: list[str] = field(default_factory=list)


def read_packages(archive: Archive, platform: Platform, rename: str) -> list[Found]:
    """Return the images for ``platform``, each once and with at least one name."""
    shelf, seen = Shelf(archive), list[str]()
    if "index.json" in archive and "oci-layout" in archive:
        pairs = _oci_images(shelf, platform, seen)
    elif "manifest.json" in archive:
        pairs = _docker_images(shelf, platform, seen)
    else:
        raise invalid("it has neither an index.json with an oci-layout nor a manifest.json")
    images: dict[str, Found] = {}
    for package, given in pairs:
        found = images.setdefault(package.target.digest, Found(package))
        found.names.extend(name for name in given if name not in found.names)
    if not images:
        raise none_fits(platform, seen)
    return _named(list(images.values()), rename)


def _named(images: list[Found], rename: str) -> list[Found]:
    if rename:
        if len(images) > 1:
            why = f"the archive holds {len(images)} images, and a name is one image's"
            raise errors.InvalidField(
                f"cannot import as {rename!r}: {why}", errors.Violation("options.name", why)
            )
        return [Found(images[0].package, [rename])]
    taken: set[str] = set()
    for image in images:
        if not image.names:
            raise invalid(
                f"its image {image.package.target.digest} has no name: give one with the import"
            )
        if twice := taken.intersection(image.names):
            raise invalid(f"it holds two images called {min(twice)!r}")
        taken.update(image.names)
    return images


def _full_name(written: str) -> str:
    try:
        name = names.complete_name(written)
    except errors.InvalidField as error:
        raise invalid(f"{written[:300]!r} is no image name: {error.violations[0].why}") from error
    if names.digest_of(name):
        raise invalid(f"{written[:300]!r} names a digest, and an image is named by a tag")
    return name


def _oci_images(
    shelf: Shelf, platform: Platform, seen: list[str]
) -> Iterator[tuple[Package, list[str]]]:
    index = read(documents.Index, shelf.document("index.json"), "index.json")
    for package, descriptor in _choices(shelf, index, platform, seen, depth=0):
        yield package, list(_annotated_names(descriptor))


def _annotated_names(descriptor: documents.Descriptor) -> Iterator[str]:
    """Yield the name that the archive gives: whole, or a reference that is more than a tag."""
    reference = descriptor.annotations.get(_REFERENCE, "")
    if name := descriptor.annotations.get(_NAME, ""):
        yield _full_name(name)
    elif "/" in reference or ":" in reference:
        yield _full_name(reference)


def _choices(
    shelf: Shelf, index: documents.Index, platform: Platform, seen: list[str], *, depth: int
) -> Iterator[tuple[Package, documents.Descriptor]]:
    """Yield what in ``index`` is for ``platform``, and note what is for others."""
    if depth == _DEEPEST_INDEX:
        raise invalid(f"its indexes are nested more than {_DEEPEST_INDEX} deep")
    for child in index.manifests:
        if child.platform is not None and not _fits(child.platform, platform, seen):
            continue
        if child.media_type in documents.INDEX_TYPES:
            inner = read(documents.Index, shelf.described(child), child.digest)
            chosen = next(_choices(shelf, inner, platform, seen, depth=depth + 1), None)
            if chosen is not None:
                yield _indexed(shelf, child, inner, *chosen), child
        elif child.media_type in documents.MANIFEST_TYPES:
            package = _oci_package(shelf, child, platform, seen)
            if package is not None:
                yield package, child
        else:
            seen.append(child.media_type[:100] or "something without a type")


def _indexed(
    shelf: Shelf,
    outer: documents.Descriptor,
    index: documents.Index,
    package: Package,
    chosen: documents.Descriptor,
) -> Package:
    place = index.manifests.index(chosen)
    holds = {f"content.m.{place}": chosen.digest}
    blob = Blob(outer.media_type, outer.digest, outer.size, shelf.described(outer), holds)
    return replace(package, indexes=(blob, *package.indexes))


def _oci_package(
    shelf: Shelf, descriptor: documents.Descriptor, platform: Platform, seen: list[str]
) -> Package | None:
    called = descriptor.digest
    written = shelf.described(descriptor)
    manifest = read(documents.Manifest, written, called)
    if manifest.config.media_type not in documents.CONFIG_TYPES:
        seen.append(manifest.config.media_type[:100] or "something without a type")
        return None
    configured = shelf.described(manifest.config)
    config = read(documents.Configuration, configured, manifest.config.digest)
    if descriptor.platform is None and not _fits(config, platform, seen):
        return None
    for layer in manifest.layers:
        if layer.media_type not in documents.LAYER_TYPES:
            raise invalid(f"a layer of {called} is of type {layer.media_type[:100]!r}")
    check_height(len(manifest.layers), config, called)
    layers = stack([shelf.layer(layer) for layer in manifest.layers], config)
    return Package(
        manifest=Blob(
            descriptor.media_type,
            descriptor.digest,
            descriptor.size,
            written,
            manifest_holds(manifest.config.digest, [layer.digest for layer in manifest.layers]),
        ),
        config=_whole(manifest.config.media_type, configured),
        layers=layers,
    )


def _docker_images(
    shelf: Shelf, platform: Platform, seen: list[str]
) -> Iterator[tuple[Package, list[str]]]:
    written = shelf.document("manifest.json")
    for entry in read(documents.DockerArchive, written, "manifest.json").root:
        package = _docker_package(shelf, entry, platform, seen)
        if package is not None:
            yield package, [_full_name(tag) for tag in entry.tags]


def _docker_package(
    shelf: Shelf, entry: documents.DockerEntry, platform: Platform, seen: list[str]
) -> Package | None:
    called = posixpath.normpath(entry.config)
    config = _whole(documents.DOCKER_CONFIG, shelf.document(called))
    promised = _CONFIG_NAME.fullmatch(posixpath.basename(called))
    if promised and config.digest != f"sha256:{promised[1]}":
        raise invalid(f"{called!r} is not what its name says: its digest is {config.digest}")
    configured = read(documents.Configuration, shelf.document(called), repr(called))
    if not _fits(configured, platform, seen):
        return None
    check_height(len(entry.layers), configured, repr(called))
    layers = stack([_docker_layer(shelf, name) for name in entry.layers], configured)
    for name, layer in zip(entry.layers, layers, strict=True):
        if layer.blob.media_type == documents.DOCKER_LAYER and layer.blob.digest != layer.diff_id:
            raise invalid(f"the layer {name!r} is not what {called!r} says: {layer.blob.digest}")
    return Package(_docker_manifest(config, [one.blob for one in layers]), config, layers)


def _docker_layer(shelf: Shelf, name: str) -> Blob:
    region = shelf.archive.locate(posixpath.normpath(name))
    head = shelf.archive.head(region, 8)
    media_type = documents.DOCKER_LAYER
    for magic, (compression, known_as) in _COMPRESSIONS.items():
        if head.startswith(magic):
            if not known_as:
                raise invalid(f"the layer {name!r} is compressed by {compression}")
            media_type = known_as
    return Blob(media_type, shelf.digest(region), region.size, region)


def _docker_manifest(config: Blob, layers: list[Blob]) -> Blob:
    """Return the manifest that a registry would have: the same for the same image."""
    written = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": documents.DOCKER_MANIFEST,
            "config": _described(config),
            "layers": [_described(layer) for layer in layers],
        },
        separators=(",", ":"),
    ).encode()
    holds = manifest_holds(config.digest, [layer.digest for layer in layers])
    return replace(_whole(documents.DOCKER_MANIFEST, written), holds=holds)


def _described(blob: Blob) -> dict[str, object]:
    return {"mediaType": blob.media_type, "size": blob.size, "digest": blob.digest}


def _whole(media_type: str, written: bytes) -> Blob:
    digest = f"sha256:{hashlib.sha256(written).hexdigest()}"
    return Blob(media_type, digest, len(written), written)


def _fits(
    written: documents.PlatformDocument | documents.Configuration,
    platform: Platform,
    seen: list[str],
) -> bool:
    image = Platform(written.os, written.architecture, written.variant)
    if platform.takes(image):
        return True
    seen.append(str(image)[:100])
    return False
