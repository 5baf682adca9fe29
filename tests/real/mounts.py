"""Mounts to ask for, in one line each."""

from __future__ import annotations

from typing import Any

from moorage.v1 import container_pb2 as wire


def bind(
    source: object, destination: str, *, read_only: bool = False, **options: Any
) -> wire.Mount:
    return wire.Mount(
        type=wire.MOUNT_TYPE_BIND,
        source=str(source),
        destination=destination,
        read_only=read_only,
        bind=wire.BindOptions(**options),
    )


def volume(name: str, destination: str, *, read_only: bool = False, **options: Any) -> wire.Mount:
    return wire.Mount(
        type=wire.MOUNT_TYPE_VOLUME,
        source=name,
        destination=destination,
        read_only=read_only,
        volume=wire.VolumeOptions(**options),
    )


def tmpfs(destination: str, *, read_only: bool = False, **options: Any) -> wire.Mount:
    return wire.Mount(
        type=wire.MOUNT_TYPE_TMPFS,
        destination=destination,
        read_only=read_only,
        tmpfs=wire.TmpfsOptions(**options),
    )
