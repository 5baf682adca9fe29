"""``--volume``, ``--mount`` and ``--tmpfs`` mean what people expect of them, or say why not."""

from __future__ import annotations

import os
from typing import Any

import click
import pytest

from moorage.cli.mount_options import mounts_of
from moorage.v1.container_pb2 import (
    MOUNT_PROPAGATION_SHARED,
    MOUNT_PROPAGATION_SLAVE,
    BindOptions,
    Mount,
    TmpfsOptions,
    VolumeOptions,
)


def said(**options: Any) -> list[Mount]:
    given = {name: (value,) for name, value in options.items()}
    return mounts_of(given)


def bind(source: str, destination: str, **options: Any) -> Mount:
    read_only = options.pop("read_only", False)
    return Mount(
        type="MOUNT_TYPE_BIND",
        source=source,
        destination=destination,
        read_only=read_only,
        bind=BindOptions(**options),
    )


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", Mount(type="MOUNT_TYPE_VOLUME", destination="/data")),
        ("web:/data", Mount(type="MOUNT_TYPE_VOLUME", source="web", destination="/data")),
        (
            "web:/data:ro,nocopy",
            Mount(
                type="MOUNT_TYPE_VOLUME",
                source="web",
                destination="/data",
                read_only=True,
                volume=VolumeOptions(no_copy=True),
            ),
        ),
        ("/srv/x:/x", bind("/srv/x", "/x", create_source=True)),
        ("./x:/x", bind(os.path.abspath("x"), "/x", create_source=True)),
        (
            "/srv:/x:ro,rslave",
            bind(
                "/srv",
                "/x",
                read_only=True,
                create_source=True,
                propagation=MOUNT_PROPAGATION_SLAVE,
            ),
        ),
    ],
)
def test_volume_takes_a_name_a_path_or_neither(text: str, mount: Mount) -> None:
    assert said(volumes=text) == [mount]


@pytest.mark.parametrize(
    "text", ["", ":/x", "a:", "a:/b:ro:x", "a:/b:wat", "/a:/b:nocopy", "a:/b:shared"]
)
def test_volume_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(click.BadParameter):
        said(volumes=text)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/d", Mount(type="MOUNT_TYPE_VOLUME", destination="/d")),
        (
            "type=bind,src=/a,dst=/b,ro,bind-propagation=rshared,bind-nonrecursive",
            bind(
                "/a",
                "/b",
                read_only=True,
                propagation=MOUNT_PROPAGATION_SHARED,
                non_recursive=True,
            ),
        ),
        (
            "type=volume,source=v,destination=/d,volume-label=a=b=c,volume-nocopy=true",
            Mount(
                type="MOUNT_TYPE_VOLUME",
                source="v",
                destination="/d",
                volume=VolumeOptions(no_copy=True, labels={"a": "b=c"}),
            ),
        ),
        (
            '"type=tmpfs","destination=/with,comma",tmpfs-size=1m,tmpfs-mode=0700,tmpfs-exec',
            Mount(
                type="MOUNT_TYPE_TMPFS",
                destination="/with,comma",
                tmpfs=TmpfsOptions(size=2**20, mode=0o700, exec=True),
            ),
        ),
    ],
)
def test_mount_says_it_in_full(text: str, mount: Mount) -> None:
    assert said(mounts=text) == [mount]


@pytest.mark.parametrize(
    "text",
    ["type=nfs,dst=/x", "type=bind,type=tmpfs,dst=/x", "dst", "wat=1,dst=/x", "ro=no,dst=/x",
     "type=bind,src=/a,dst=/b,bind-propagation=upwards", "type=tmpfs,dst=/x,tmpfs-mode=9"],
)  # fmt: skip
def test_mount_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(click.BadParameter):
        said(mounts=text)


def test_tmpfs_takes_a_path_and_options() -> None:
    [plain] = said(tmpfs="/t")
    assert plain == Mount(type="MOUNT_TYPE_TMPFS", destination="/t")
    [full] = said(tmpfs="/t:rw,noexec,nosuid,size=64k,mode=1777")
    assert (full.tmpfs.size, full.tmpfs.mode) == (65536, 0o1777)
    with pytest.raises(click.BadParameter):
        said(tmpfs="/t:wat")
