"""``attach``: be beside what a container runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli import codes
from moorage.cli.parameters import container_argument
from moorage.cli.stdio_options import detach_keys_option
from moorage.errors import MoorageError

if TYPE_CHECKING:
    from moorage.cli.invocation import Invocation
    from moorage.client import Client


@click.command()
@click.option("--no-stdin", is_flag=True, help="Only watch: connect no stdin.")
@click.option(
    "--tail",
    "-n",
    type=click.IntRange(min=0),
    metavar="N",
    help="Begin with the last N lines of what was written; 0 for none. Default: with all of it.",
)
@detach_keys_option
@container_argument
@click.pass_obj
def attach(
    invocation: Invocation, /, container: str, no_stdin: bool, tail: int | None, detach_keys: bytes
) -> int:
    """Attach to what a container runs, and end with its exit code.

    Its stdin is ours if it has one. On a terminal, the detach keys leave it running; without one,
    signals are passed on to it.
    """
    try:
        return invocation.run(
            lambda client: _attach(client, container, not no_stdin, tail, detach_keys)
        )
    except MoorageError as error:
        invocation.report(error)
        return codes.of_run(error)


async def _attach(
    client: Client, container: str, stdin: bool, tail: int | None, keys: bytes
) -> int:
    from moorage.cli.beside import beside
    from moorage.cli.conversing import Manner
    from moorage.cli.terminal import Terminal

    shown = (await client.inspect(container)).container
    terminal = Terminal()
    has_one = shown.spec.tty and terminal.is_there
    manner = Manner(
        stdin=stdin and shown.spec.stdin,
        terminal=terminal if has_one else None,
        keys=keys,
    )
    return await beside(client, shown.id, manner, tail=tail)
