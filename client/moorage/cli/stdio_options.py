"""The options of commands that connect us: -i, -t and the keys that detach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from moorage.cli import detach_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from moorage.cli.conversing import Manner

Command = TypeVar("Command", bound="Callable[..., Any]")

detach_keys_option: Final = click.option(
    "--detach-keys",
    type=detach_keys.keys,
    default=detach_keys.DEFAULT,
    show_default=True,
    envvar="MOORAGE_DETACH_KEYS",
    show_envvar=True,
    metavar="KEYS",
    help="What detaches on a terminal: characters and ctrl-x, with commas between. Empty: nothing.",
)


def stdio_options(command: Command) -> Command:
    command = click.option("--tty", "-t", is_flag=True, help="Give it a terminal.")(command)
    return click.option("--interactive", "-i", is_flag=True, help="Connect our stdin.")(command)


def manner_of(*, interactive: bool, tty: bool, keys: bytes, **more: Any) -> Manner:
    """Return how we are connected. Refuses a terminal that we would have to have, and have not."""
    from moorage.cli.conversing import Manner
    from moorage.cli.terminal import Terminal

    terminal = Terminal()
    if tty and interactive and not terminal.is_there:
        raise click.UsageError("--tty with --interactive needs a terminal, and our stdin is none")
    has_one = tty and terminal.is_there
    return Manner(stdin=interactive, terminal=terminal if has_one else None, keys=keys, **more)
