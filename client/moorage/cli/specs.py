"""The options that say what to run, for ``run`` and ``create``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from moorage.cli import health_options, limit_options, output_options, security_options
from moorage.cli.mount_options import MOUNT_OPTIONS, mounts_of
from moorage.cli.network_options import NETWORK_OPTIONS, network_fields
from moorage.cli.parameters import duration, image_argument
from moorage.cli.port_options import PORT_OPTIONS, port_fields
from moorage.cli.secret_options import SECRET_OPTIONS, secret_fields
from moorage.cli.sharing_options import SHARING_OPTIONS
from moorage.cli.userns_options import USERNS_OPTIONS, userns_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moorage.v1.container_pb2 import ContainerSpec, RestartPolicy

Command = TypeVar("Command", bound="Callable[..., Any]")

_CONDITIONS: Final = {
    "no": "NEVER",
    "on-failure": "ON_FAILURE",
    "always": "ALWAYS",
    "unless-stopped": "UNLESS_STOPPED",
}


def restart_policy(text: str) -> tuple[str, int]:
    """The condition's name on the wire, and how many retries."""
    condition, colon, retries = text.partition(":")
    limited = condition == "on-failure" and retries.isascii() and retries.isdecimal()
    if condition not in _CONDITIONS or (colon and not limited) or len(retries) > _LONGEST_COUNT:
        raise click.BadParameter(
            f"{text!r} is none of no, on-failure[:RETRIES], always, unless-stopped"
        )
    return _CONDITIONS[condition], int(retries or 0)


_LONGEST_COUNT: Final = 9
label_option: Final = click.option(
    "--label", "-l", multiple=True, metavar="KEY[=VALUE]", help="Add a label. Repeatable."
)
restart_option: Final = click.option(
    "--restart",
    type=restart_policy,
    metavar="POLICY",
    help="When to start it again: no, on-failure[:RETRIES], always or unless-stopped.",
)
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
    click.option("--user", "-u", metavar="USER[:GROUP]", help="Who the command runs as."),
    label_option,
    click.option("--hostname", help="The host name inside."),
    click.option("--stop-signal", metavar="SIGNAL", help="What stop sends first."),
    click.option("--stop-timeout", type=duration, help="How long stop waits before it kills."),
    *NETWORK_OPTIONS,
    *PORT_OPTIONS,
    click.option("--runtime", metavar="NAME", help="One of those that info lists."),
    click.option(
        "--entrypoint",
        multiple=True,
        metavar="WORD",
        help="Replace the image's entrypoint. Repeatable: a word each.",
    ),
    *limit_options.RESOURCE_OPTIONS,
    *limit_options.PROCESS_OPTIONS,
    *security_options.SECURITY_OPTIONS,
    *SHARING_OPTIONS,
    *USERNS_OPTIONS,
    *SECRET_OPTIONS,
    *MOUNT_OPTIONS,
    *health_options.HEALTH_OPTIONS,
    *output_options.OUTPUT_OPTIONS,
    restart_option,
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
    ulimit: tuple[tuple[str, int, int], ...],
    oom_score_adj: int | None,
    group_add: tuple[str, ...],
    restart: tuple[str, int] | None,
    **rest: Any,
) -> ContainerSpec:
    """Return the spec that the options of ``spec_options`` say."""
    from moorage.v1.container_pb2 import ContainerSpec

    return ContainerSpec(
        image=image,
        args=args,
        command=entrypoint,
        env=environment(env),
        labels=labels_of(label),
        working_dir=workdir,
        resources=limit_options.resources_of(rest),
        health_check=health_options.health_check_of(rest),
        log_config=output_options.log_config_of(rest),
        rlimits=limit_options.rlimits_of(ulimit),
        oom_score_adjust=oom_score_adj,
        supplementary_groups=group_add,
        **security_options.security_of(rest),
        restart_policy=None if restart is None else restart_policy_of(restart),
        **network_fields(rest),
        **secret_fields(rest),
        **port_fields(rest),
        **userns_fields(rest),
        mounts=mounts_of(rest),
        **rest,
    )


def labels_of(entries: Iterable[str]) -> dict[str, str]:
    return dict(_pair(entry) for entry in entries)


def restart_policy_of(asked: tuple[str, int]) -> RestartPolicy:
    from moorage.v1.container_pb2 import RestartPolicy

    condition, retries = asked
    return RestartPolicy(condition=f"RESTART_CONDITION_{condition}", max_retries=retries)


def environment(entries: Iterable[str]) -> list[str]:
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
