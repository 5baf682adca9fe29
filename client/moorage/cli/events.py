"""``events``: what happens to containers, as it happens."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from moorage.cli.filters import filter_of, filter_option
from moorage.cli.parameters import json_option

if TYPE_CHECKING:
    from moorage.cli.invocation import Invocation
    from moorage.client import Client
    from moorage.v1.container_service_pb2 import ContainerFilter, WatchResponse

_PATIENCE: Final = timedelta(seconds=30)
"""For which it goes on while moored is away."""
_STDOUT: Final = 1


@click.command()
@click.option(
    "--since",
    type=click.IntRange(min=0, max=2**64 - 1),
    metavar="REVISION",
    help="Begin with what came after it, instead of now.",
)
@filter_option
@json_option
@click.pass_obj
def events(invocation: Invocation, /, since: int | None, filters: tuple[str, ...]) -> None:
    """Show what happens to containers, until you interrupt it.

    Each line begins with a revision, which --since takes. Goes on through a restart of moored,
    without gap or repeat.
    """
    wanted = filter_of(filters)
    invocation.run(lambda client: _show(invocation, client, since, wanted))


async def _show(
    invocation: Invocation, client: Client, since: int | None, wanted: ContainerFilter | None
) -> None:
    from moorage.cli.outlets import Outlet

    outlet = Outlet(_STDOUT)
    answers = client.watch(since=since, filter=wanted, patience=_PATIENCE)
    async with aclosing(answers):
        async for answer in answers:
            if answer.WhichOneof("item") == "event":
                await outlet.write(f"{_line(answer, json=invocation.json)}\n".encode())


def _line(answer: WatchResponse, *, json: bool) -> str:
    from moorage.cli import event_views
    from moorage.cli.invocation import as_json

    return as_json(answer.event, indent=None) if json else event_views.line(answer.event)
