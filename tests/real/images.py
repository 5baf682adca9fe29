"""Images made from busybox: more layers on top of it, and volumes that the image wants."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def with_layers(
    archive: Path, path: Path, *, name: str, layers: Sequence[bytes], volumes: Sequence[str] = ()
) -> Path:
    """Write to ``path`` the image of ``archive`` with ``layers`` on top of it."""
    with tarfile.open(archive) as tar:
        files = {m.name: _body(tar, m) for m in tar.getmembers() if m.isfile()}
    [entry] = json.loads(files["manifest.json"])
    config = json.loads(files.pop(entry["Config"]))
    config["config"]["Volumes"] = {place: {} for place in volumes}
    for number, layer in enumerate(layers):
        called = f"more{number}/layer.tar"
        files[called] = layer
        entry["Layers"].append(called)
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer).hexdigest()}")
    written = json.dumps(config).encode()
    entry["Config"] = f"{hashlib.sha256(written).hexdigest()}.json"
    entry["RepoTags"] = [name]
    files[entry["Config"]] = written
    files["manifest.json"] = json.dumps([entry]).encode()
    with tarfile.open(path, "w") as tar:
        for called, body in files.items():
            info = tarfile.TarInfo(called)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


def layer(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a layer of these members, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            info, body = member if isinstance(member, tuple) else (member, b"")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def entry(
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    link: str = "",
    device: tuple[int, int] = (0, 0),
    attributes: dict[str, str] | None = None,
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    info.uid, info.gid = owner
    info.devmajor, info.devminor = device
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in (attributes or {}).items()}
    return info


def _body(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()
