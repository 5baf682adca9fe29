"""The options that say which namespaces a container shares, and with whom."""

from __future__ import annotations

from typing import Final

import click

from moorage.cli.parameters import size

SHARING_OPTIONS: Final = (
    click.option("--ipc", metavar="MODE", help="private, shareable, host or container:REF."),
    click.option("--pid", metavar="MODE", help="private, host or container:REF."),
    click.option("--uts", metavar="MODE", help="private, host or container:REF."),
    click.option("--shm-size", type=size, metavar="SIZE", help="Of /dev/shm; else 64m."),
    click.option(
        "--read-only", "read_only_rootfs", is_flag=True, help="No writing to its root filesystem."
    ),
)
