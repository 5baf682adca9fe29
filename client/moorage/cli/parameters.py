"""What options and arguments of several commands are made of.

``duration``, ``size``, ``time`` and ``address`` are types of options; the help shows their names.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from moorage import addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from moorage.cli.invocation import Invocation

Command = TypeVar("Command", bound="Callable[..., Any]")

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?")
_SECONDS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"([0-9]{1,15})([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_LONGEST: Final = 3e9
"""Seconds: nobody means a century."""


def duration(text: str) -> timedelta:
    if (found := _duration(text)) is None:
        raise click.BadParameter(f"{text!r} is no duration: 500ms, 10s, 5m, 2h or 1d")
    return found


def size(text: str) -> int:
    if (match := _SIZE.fullmatch(text)) is None:
        raise click.BadParameter(f"{text!r} is no size: 6m, 512MiB, 2g")
    return int(match[1]) * _UNITS[match[2].lower()]


def time(text: str) -> datetime:
    """A time as RFC 3339 has it, or so long ago."""
    if (ago := _duration(text)) is not None:
        return datetime.now(UTC) - ago
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is neither a duration nor a time: 10s, or 2006-01-02T15:04:05Z"
        ) from error


def address(text: str) -> str:
    try:
        addresses.target(text)
    except ValueError as refusal:
        raise click.BadParameter(str(refusal)) from refusal
    return text


def _duration(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else _LONGEST
    return timedelta(seconds=seconds) if seconds < _LONGEST else None


def json_option(command: Command) -> Command:
    """Give a command ``--json``, which the invocation keeps."""

    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        invocation: Invocation = context.obj
        invocation.json = value

    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=keep,
        help="Answer in JSON, as the server's messages.",
    )
    return option(command)


dry_run_option: Final = click.option(
    "--dry-run", is_flag=True, help="Do nothing but show what would be done, or the error."
)


def container_names(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    with suppress(Exception):  # a completion that fails completes nothing
        from moorage.cli import completing

        return completing.containers(context.find_root().params["address"], incomplete)
    return []


def _image_names(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    with suppress(Exception):
        from moorage.cli import completing

        return completing.images(context.find_root().params["address"], incomplete)
    return []


def _volume_names(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    with suppress(Exception):
        from moorage.cli import completing

        return completing.volumes(context.find_root().params["address"], incomplete)
    return []


container_argument: Final = click.argument("container", shell_complete=container_names)
containers_argument: Final = click.argument(
    "containers", metavar="CONTAINER...", nargs=-1, required=True, shell_complete=container_names
)
volume_argument: Final = click.argument("volume", shell_complete=_volume_names)
volumes_argument: Final = click.argument(
    "volumes", metavar="VOLUME...", nargs=-1, required=True, shell_complete=_volume_names
)
image_argument: Final = click.argument("image", shell_complete=_image_names)
