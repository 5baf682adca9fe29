"""``stats``: what containers use, as a table that is written over, or once."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import click

from moorage.cli.parameters import container_names, duration, json_option

if TYPE_CHECKING:
    from datetime import timedelta

    from moorage.cli.invocation import Invocation
    from moorage.client import Client

_STDOUT: Final = 1
_HOME_AND_CLEAR: Final = "\x1b[H\x1b[J"


@click.command()
@click.option("--no-stream", is_flag=True, help="Once, and not until you interrupt it.")
@click.option("--interval", type=duration, default="1s", show_default=True, help="How often.")
@click.argument("containers", metavar="[CONTAINER]...", nargs=-1, shell_complete=container_names)
@json_option
@click.pass_obj
def stats(
    invocation: Invocation, /, containers: tuple[str, ...], no_stream: bool, interval: timedelta
) -> None:
    """Show what containers use: those that are named, or all that run.

    On a terminal the table is written over and over. Elsewhere it comes once, after an interval
    in which the use of processors is seen; --json gives a line for each interval, or one with
    --no-stream.
    """
    import sys

    once = no_stream or not (invocation.json or sys.stdout.isatty())
    invocation.run(lambda client: _show(invocation, client, containers, interval, once=once))


async def _show(
    invocation: Invocation,
    client: Client,
    containers: tuple[str, ...],
    interval: timedelta,
    *,
    once: bool,
) -> None:
    from moorage.cli import stats_views
    from moorage.cli.invocation import as_json
    from moorage.cli.outlets import Outlet

    outlet = Outlet(_STDOUT)
    answers = client.stats(*containers, interval=interval)
    first = True
    async with aclosing(answers):
        async for answer in answers:
            if first:  # nothing is known of the use of processors before the second
                first = False
                continue
            if invocation.json:
                text = as_json(answer, indent=None)
            else:
                text = ("" if once else _HOME_AND_CLEAR) + stats_views.table_of(answer)
            await outlet.write(f"{text}\n".encode())
            if once:
                return
