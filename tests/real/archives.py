"""Docker archives made for a purpose: small, odd, or wrong."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def tar(members: Mapping[str, bytes | None]) -> bytes:
    """Return a tar of files; a member that is None is a directory."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            member.type = tarfile.DIRTYPE if body is None else tarfile.REGTYPE
            member.size = len(body or b"")
            archive.addfile(member, io.BytesIO(body or b""))
    return written.getvalue()


def docker_archive(
    path: Path, name: str, layer: Mapping[str, bytes | None], *, diff_id: str = ""
) -> Path:
    """Write an image of one layer. A ``diff_id`` other than the layer's makes it a wrong one."""
    content = tar(layer)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    machine = platform.machine()
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Cmd": ["/program"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id or digest]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    members = {
        "layer.tar": content,
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    path.write_bytes(tar(members))
    return path
