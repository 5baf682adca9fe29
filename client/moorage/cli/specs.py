"""The options that say what to run, for ``run`` and ``create``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from moorage.cli.parameters import duration, image_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moorage.v1.container_pb2 import ContainerSpec

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS: Final = (
    click.option("--name", help="A name of your choice."),
    click.option(
        "--env",
        "-e",
        multiple=True,
        metavar="KEY[=VALUE]",
        help="Set a variable; without a value it is taken from here. Repeatable.",
    ),
    click.option("--workdir", "-w", metavar="PATH", help="Where the command runs."),
    click.option("--user", "-u", metavar="UID[:GID]", help="Who the command runs as."),
    click.option(
        "--label", "-l", multiple=True, metavar="KEY[=VALUE]", help="Add a label. Repeatable."
    ),
    click.option("--hostname", help="The host name inside."),
    click.option("--stop-signal", metavar="SIGNAL", help="What stop sends first."),
    click.option("--stop-timeout", type=duration, help="How long stop waits before it kills."),
    click.option("--network", metavar="MODE", help="none or host."),
    click.option("--runtime", metavar="NAME", help="One of those that info lists."),
    click.option(
        "--entrypoint",
        multiple=True,
        metavar="WORD",
        help="Replace the image's entrypoint. Repeatable: a word each.",
    ),
    click.option("--rm", "auto_remove", is_flag=True, help="Remove it once it has exited."),
    image_argument,
    click.argument("args", metavar="[ARG]...", nargs=-1, type=click.UNPROCESSED),
)

FROM_IMAGE_ON: Final[dict[str, Any]] = {"allow_interspersed_args": False}
"""Settings of a command whose options end at IMAGE: what follows is the container's."""


def spec_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def spec_of(
    *,
    image: str,
    args: tuple[str, ...],
    entrypoint: tuple[str, ...],
    env: tuple[str, ...],
    label: tuple[str, ...],
    workdir: str | None,
    **rest: Any,
) -> ContainerSpec:
    """Return the spec that the options of ``spec_options`` say."""
    from moorage.v1.container_pb2 import ContainerSpec

    return ContainerSpec(
        image=image,
        args=args,
        command=entrypoint,
        env=_environment(env),
        labels=dict(_pair(entry) for entry in label),
        working_dir=workdir,
        **rest,
    )


def _environment(entries: Iterable[str]) -> list[str]:
    return [entry if "=" in entry else f"{entry}={_own(entry)}" for entry in entries]


def _own(key: str) -> str:
    try:
        return os.environ[key]
    except KeyError as error:
        raise click.BadParameter(
            f"{key!r} has no value, and none in this environment", param_hint="--env"
        ) from error


def _pair(entry: str) -> tuple[str, str]:
    key, _, value = entry.partition("=")
    return key, value
