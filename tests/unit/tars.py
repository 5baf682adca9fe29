"""Archives of images, well made and hostile, in memory."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.containerd.platforms import this_host

if TYPE_CHECKING:
    from collections.abc import Mapping

OCI = "application/vnd.oci.image"
DOCKER_NAME = "docker.io/library/thing:1"


@dataclass(frozen=True)
class Bytes:
    """A source in memory."""

    held: bytes

    @property
    def size(self) -> int:
        return len(self.held)

    def read(self, offset: int, size: int) -> bytes:
        return self.held[offset : offset + size]


def member(name: str, body: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """Return one member, header and padded body, without the end of an archive."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.size = kind, link, len(body)
    return header.tobuf(tarfile.GNU_FORMAT) + body + b"\0" * (-len(body) % 512)


def tar(*members: bytes) -> bytes:
    return b"".join(members) + b"\0" * 1024


def tar_of(files: Mapping[str, bytes]) -> bytes:
    return tar(*(member(name, body) for name, body in files.items()))


def digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def written(value: object) -> bytes:
    return json.dumps(value).encode()


def layer(**files: bytes) -> bytes:
    """Return a layer with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layered:
        for name, body in (files or {"hello": b"hello"}).items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            layered.addfile(info, io.BytesIO(body))
    return out.getvalue()


def configuration(*layers: bytes, architecture: str = "", **more: object) -> dict[str, object]:
    return {
        "os": "linux",
        "architecture": architecture or this_host().architecture,
        "config": {"Cmd": ["/hello"], "Env": None},
        "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]},
        **more,
    }


def docker_files(
    *layers: bytes, tags: tuple[str, ...] | None = (DOCKER_NAME,), **configured: object
) -> dict[str, bytes]:
    """Return what a docker archive of one image has in it."""
    stacked = layers or (layer(),)
    config = written(configuration(*stacked) | configured)
    names = [f"{number}/layer.tar" for number, _ in enumerate(stacked)]
    entry = {"Config": f"{digest(config)[7:]}.json", "RepoTags": tags, "Layers": names}
    return {
        **dict(zip(names, stacked, strict=True)),
        str(entry["Config"]): config,
        "manifest.json": written([entry]),
    }


def described(media_type: str, blob: bytes, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(blob), "size": len(blob), **more}


def blob_files(*blobs: bytes) -> dict[str, bytes]:
    return {f"blobs/{digest(one).replace(':', '/')}": one for one in blobs}


@dataclass(frozen=True)
class OciImage:
    """A manifest, and all it needs."""

    manifest: bytes
    blobs: tuple[bytes, ...]

    def entry(self, **more: object) -> dict[str, object]:
        return described(f"{OCI}.manifest.v1+json", self.manifest, **more)


def oci_image(*layers: bytes, architecture: str = "", media_type: str = "") -> OciImage:
    stacked = layers or (layer(),)
    config = written(configuration(*stacked, architecture=architecture))
    kind = media_type or f"{OCI}.layer.v1.tar"
    manifest = written(
        {
            "schemaVersion": 2,
            "config": described(f"{OCI}.config.v1+json", config),
            "layers": [described(kind, one) for one in stacked],
        }
    )
    return OciImage(manifest, (manifest, config, *stacked))


def index(*entries: Mapping[str, object]) -> bytes:
    return written({"schemaVersion": 2, "manifests": list(entries)})


def oci_files(written_index: bytes, *blobs: bytes) -> dict[str, bytes]:
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": written_index,
        **blob_files(*blobs),
    }


def named(name: str) -> dict[str, object]:
    return {"annotations": {"io.containerd.image.name": name}}


def referred(name: str) -> dict[str, object]:
    return {"annotations": {"org.opencontainers.image.ref.name": name}}
