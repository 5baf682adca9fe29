"""``volume``: what containers keep their data in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli import codes
from moorage.cli.invocation import complain
from moorage.cli.parameters import json_option, volume_argument, volumes_argument
from moorage.cli.specs import label_option, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.cli.invocation import Invocation
    from moorage.client import Client
    from moorage.v1.volume_service_pb2 import (
        Volume,
        VolumeFilter,
        VolumeServiceListResponse,
        VolumeServiceRemoveResponse,
    )

_FIELDS = {"label": "labels", "name": "names"}
_FLAGS = {"in-use": "in_use", "anonymous": "anonymous"}
_filter_option = click.option(
    "--filter",
    "-f",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only those with this label or name, or with in-use= or anonymous=true or false.",
)


@click.group()
def volume() -> None:
    """The volumes that containers keep their data in."""


@volume.command("create")
@label_option
@click.argument("name", default="")
@json_option
@click.pass_obj
def create_volume(invocation: Invocation, /, name: str, label: tuple[str, ...]) -> None:
    """Make an empty volume, and print its name. Without NAME it is anonymous."""
    reply = invocation.run(lambda client: client.create_volume(name, labels=labels_of(label)))
    invocation.answer(reply, lambda made: made.volume.name)


@volume.command("inspect")
@volume_argument
@json_option
@click.pass_obj
def inspect_volume(invocation: Invocation, /, volume: str) -> None:
    """Tell what is known of a volume."""
    from moorage.cli import volume_views

    reply = invocation.run(lambda client: client.inspect_volume(volume))
    invocation.answer(reply, lambda told: volume_views.volume(told.volume))


@volume.command("ls")
@_filter_option
@click.option("--quiet", "-q", is_flag=True, help="Names only.")
@json_option
@click.pass_obj
def list_volumes(invocation: Invocation, /, filters: tuple[str, ...], quiet: bool) -> None:
    """List the volumes by name."""
    from moorage.cli import volume_views
    from moorage.v1.volume_service_pb2 import VolumeServiceListResponse

    wanted = _filter(filters)

    async def ask(client: Client) -> VolumeServiceListResponse:
        found: list[Volume] = [one async for one in client.list_all_volumes(filter=wanted)]
        return VolumeServiceListResponse(volumes=found)

    reply = invocation.run(ask)
    if not quiet:
        invocation.answer(reply, lambda listed: volume_views.volumes(listed.volumes))
    elif invocation.json or reply.volumes:
        invocation.answer(reply, lambda listed: "\n".join(one.name for one in listed.volumes))


@volume.command("rm")
@volumes_argument
@json_option
@click.pass_obj
def remove_volumes(invocation: Invocation, /, volumes: tuple[str, ...]) -> int:
    """Delete volumes that no container uses, with all that is in them."""
    names: dict[int, str] = {}

    async def ask(client: Client, name: str) -> VolumeServiceRemoveResponse:
        reply = await client.remove_volume(name)
        names[id(reply)] = name
        return reply

    return invocation.for_each(volumes, ask, lambda reply: names[id(reply)])


@volume.command("prune")
@_filter_option
@click.option("--all", "-a", "every", is_flag=True, help="Also those that have a name.")
@json_option
@click.pass_obj
def prune_volumes(invocation: Invocation, /, filters: tuple[str, ...], every: bool) -> int:
    """Delete the anonymous volumes that no container uses. Prints the names of those."""
    wanted = _filter(filters)
    reply = invocation.run(lambda client: client.prune_volumes(all=every, filter=wanted))
    if invocation.json or reply.removed:
        invocation.answer(reply, lambda pruned: "\n".join(pruned.removed))
    for name in reply.incomplete:
        complain(f"cannot remove all of volume {name!r}: try moorage volume rm")
    return codes.FAILED if reply.incomplete else 0


def _filter(texts: Iterable[str]) -> VolumeFilter:
    from moorage.v1.volume_service_pb2 import VolumeFilter

    found = VolumeFilter()
    for text in texts:
        key, equals, value = text.partition("=")
        if key in _FIELDS and equals:
            getattr(found, _FIELDS[key]).append(value)
        elif key in _FLAGS and value in ("true", "false"):
            setattr(found, _FLAGS[key], value == "true")
        else:
            known = ", ".join(f"{name}=" for name in (*_FIELDS, *_FLAGS))
            raise click.BadParameter(f"{text!r} is none of {known}", param_hint="--filter")
    return found
