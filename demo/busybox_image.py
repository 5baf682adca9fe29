"""An image from Debian's static busybox: one layer, the same bytes each time.

    python demo/busybox_image.py OUT.tar [--format docker|oci] [--name NAME]

Needs no registry and no network, and knows nothing of moored.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSYBOX: Final = Path("/bin/busybox")
NAME: Final = "docker.io/library/busybox:latest"
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSWD: Final = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
    "nobody:x:65534:65534:nobody:/home:/bin/false\n"
)
_GROUP: Final = "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n"
_DIRECTORIES: Final = (
    "bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "usr", "usr/bin",
    "usr/sbin", "var", "var/tmp",
)  # fmt: skip
_MODES: Final = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def build(path: Path, *, format: str = "docker", name: str = NAME) -> None:  # noqa: A002
    """Write the image to ``path`` as a docker archive or an OCI layout."""
    layer = _layer()
    config = _json(_configuration(layer))
    members = _oci(config, layer, name) if format == "oci" else _docker(config, layer, name)
    path.write_bytes(_tar({member: (body, 0o644) for member, body in members.items()}))


def _layer() -> bytes:
    listed = subprocess.run(
        [BUSYBOX, "--list"], check=True, capture_output=True, text=True, timeout=10
    )
    files = {
        "bin/busybox": (BUSYBOX.read_bytes(), 0o755),
        "etc/passwd": (_PASSWD.encode(), 0o644),
        "etc/group": (_GROUP.encode(), 0o644),
    }
    links = {f"bin/{applet}": "busybox" for applet in listed.stdout.split() if applet != "busybox"}
    return _tar(files, links=links, directories=_DIRECTORIES)


def _tar(
    files: Mapping[str, tuple[bytes, int]],
    *,
    links: Mapping[str, str] | None = None,
    directories: tuple[str, ...] = (),
) -> bytes:
    links = links or {}
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted({*files, *links, *directories}):
            member = tarfile.TarInfo(name)
            body, member.mode = files.get(name, (b"", _MODES.get(name, 0o755)))
            member.size = len(body)
            if name in directories:
                member.type = tarfile.DIRTYPE
            elif name in links:
                member.type, member.linkname = tarfile.SYMTYPE, links[name]
            tar.addfile(member, io.BytesIO(body))
    return written.getvalue()


def _configuration(layer: bytes) -> dict[str, object]:
    machine = platform.machine()
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Env": [_PATH], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        "history": [{"created_by": "busybox-static"}],
    }


def _docker(config: bytes, layer: bytes, name: str) -> dict[str, bytes]:
    layer_name = f"{_digest(layer).partition(':')[2]}.tar"
    config_name = f"{_digest(config).partition(':')[2]}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]
    return {layer_name: layer, config_name: config, "manifest.json": _json(manifest)}


def _oci(config: bytes, layer: bytes, name: str) -> dict[str, bytes]:
    types = "application/vnd.oci.image."
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{types}manifest.v1+json",
            "config": _descriptor(f"{types}config.v1+json", config),
            "layers": [_descriptor(f"{types}layer.v1.tar", layer)],
        }
    )
    called = {"annotations": {"io.containerd.image.name": name}}
    index = {
        "schemaVersion": 2,
        "manifests": [_descriptor(f"{types}manifest.v1+json", manifest) | called],
    }
    blobs = {f"blobs/{_digest(it).replace(':', '/')}": it for it in (config, layer, manifest)}
    return {**blobs, "index.json": _json(index), "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="Build an image from Debian's static busybox.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--format", choices=("docker", "oci"), default="docker")
    parser.add_argument("--name", default=NAME)
    wanted = parser.parse_args()
    build(wanted.out, format=wanted.format, name=wanted.name)


if __name__ == "__main__":
    main()
