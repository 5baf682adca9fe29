"""What people are shown of a container's networks beside the container itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.v1.container_service_pb2 import NetworkFault


def faults(found: Iterable[NetworkFault]) -> str:
    """Return a line for each interface that is not as its network made it."""
    return "".join(
        "\n" + click.style(f"{fault.interface} in {fault.network}: {plain(fault.reason)}", fg="red")
        for fault in found
    )
