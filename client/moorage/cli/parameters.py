"""What options and arguments of several commands are made of."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from moorage import addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from moorage.cli.session import Session

Command = TypeVar("Command", bound="Callable[..., Any]")

_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?")
_SECONDS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class DurationType(click.ParamType):
    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        if (duration := _duration(str(value))) is None:
            self.fail(f"{value!r} is no duration: 500ms, 10s, 5m, 2h or 1d", param, ctx)
        return duration


class MomentType(click.ParamType):
    """A time as RFC 3339 has it, or so long ago."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        if (ago := _duration(str(value))) is not None:
            return datetime.now(UTC) - ago
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            why = "10s, or 2006-01-02T15:04:05Z"
            self.fail(f"{value!r} is neither a time nor a duration: {why}", param, ctx)


class AddressType(click.ParamType):
    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            addresses.target(str(value))
        except ValueError as refusal:
            self.fail(str(refusal), param, ctx)
        return str(value)


DURATION: Final = DurationType()
MOMENT: Final = MomentType()
ADDRESS: Final = AddressType()


def _duration(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text)
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]]) if match else None


def json_option(command: Command) -> Command:
    """Give a command ``--json``, which the session keeps."""

    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        session: Session = context.obj
        session.json = value

    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=keep,
        help="Answer in JSON, as the server's messages.",
    )
    return option(command)


def _container_names(
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


container_argument: Final = click.argument("container", shell_complete=_container_names)
containers_argument: Final = click.argument(
    "containers", metavar="CONTAINER...", nargs=-1, required=True, shell_complete=_container_names
)
image_argument: Final = click.argument("image", shell_complete=_image_names)
