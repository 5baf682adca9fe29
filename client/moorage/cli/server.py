"""``info``, and ``completion`` for shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli.parameters import json_option

if TYPE_CHECKING:
    from moorage.cli.invocation import Invocation

SHELLS = ("bash", "zsh", "fish")


@click.command()
@json_option
@click.pass_obj
def info(invocation: Invocation) -> None:
    """Show what the server is and serves."""
    reply = invocation.run(lambda client: client.server_info())

    from moorage.cli import host_views

    invocation.answer(reply, lambda shown: host_views.server(shown, invocation.address))


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script with which SHELL completes.

    Commands, options, and the names of containers and images.

    \b
    bash:  eval "$(moorage completion bash)"
    zsh:   eval "$(moorage completion zsh)"
    fish:  moorage completion fish | source
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"cannot complete for {shell}: this click does not know it")
    program = context.find_root().command
    click.echo(kind(program, {}, "moorage", "_MOORAGE_COMPLETE").source())
