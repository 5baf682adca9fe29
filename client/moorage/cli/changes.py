"""The commands that change what a container does, is called, or may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from moorage.cli import codes
from moorage.cli.filters import filter_of, filter_option
from moorage.cli.invocation import Invocation, complain
from moorage.cli.limit_options import resource_options, resources_given, resources_of
from moorage.cli.parameters import (
    container_argument,
    containers_argument,
    duration,
    json_option,
)
from moorage.cli.specs import label_option, labels_of, restart_option, restart_policy_of

if TYPE_CHECKING:
    from datetime import timedelta

    from moorage.client import Client
    from moorage.v1.container_pb2 import ContainerSpec
    from moorage.v1.container_service_pb2 import UpdateResponse

_CHANGEABLE: Final = ("labels", "restart_policy", "stop_signal", "stop_timeout", "auto_remove")


@click.command()
@containers_argument
@json_option
@click.pass_obj
def pause(invocation: Invocation, /, containers: tuple[str, ...]) -> int:
    """Freeze every process of containers."""
    return invocation.for_each(
        containers, lambda client, name: client.pause(name), lambda reply: reply.container.id
    )


@click.command()
@containers_argument
@json_option
@click.pass_obj
def resume(invocation: Invocation, /, containers: tuple[str, ...]) -> int:
    """Thaw paused containers."""
    return invocation.for_each(
        containers, lambda client, name: client.resume(name), lambda reply: reply.container.id
    )


@click.command()
@click.option(
    "--signal", "-s", default="KILL", show_default=True, metavar="SIGNAL", help="Name or number."
)
@containers_argument
@json_option
@click.pass_obj
def kill(invocation: Invocation, /, containers: tuple[str, ...], signal: str) -> int:
    """Send a signal to the first process of containers."""
    return invocation.for_each(
        containers,
        lambda client, name: client.kill(name, signal=signal),
        lambda reply: reply.container.id,
    )


@click.command()
@click.option("--time", "-t", "grace", type=duration, help="How long to wait before SIGKILL.")
@click.option("--signal", "-s", default="", metavar="SIGNAL", help="What to send first.")
@containers_argument
@json_option
@click.pass_obj
def restart(
    invocation: Invocation, containers: tuple[str, ...], grace: timedelta | None, signal: str
) -> int:
    """Stop containers and start them again. Those at rest are only started."""
    return invocation.for_each(
        containers,
        lambda client, name: client.restart(name, grace=grace, signal=signal),
        lambda reply: reply.container.id,
    )


@click.command()
@container_argument
@click.argument("new_name")
@json_option
@click.pass_obj
def rename(invocation: Invocation, /, container: str, new_name: str) -> None:
    """Give a container another name."""
    reply = invocation.run(lambda client: client.rename(container, new_name))
    invocation.answer(reply, lambda renamed: renamed.container.id)


@click.command()
@label_option
@click.option("--no-labels", is_flag=True, help="Take all labels away.")
@restart_option
@click.option("--stop-signal", metavar="SIGNAL", help="What stop sends first.")
@click.option("--stop-timeout", type=duration, help="How long stop waits before it kills.")
@click.option("--rm/--no-rm", "auto_remove", default=None, help="Remove it once it has exited.")
@resource_options
@containers_argument
@json_option
@click.pass_obj
def update(invocation: Invocation, /, containers: tuple[str, ...], **options: Any) -> int:
    """Change what can change of containers that exist.

    --label replaces all labels. What is not named stays. New limits hold at once.
    """
    spec, fields = _changed(**options)
    if not fields:
        raise click.UsageError("Say what to change: see --help.")

    async def ask(client: Client, name: str) -> UpdateResponse:
        return await client.update(name, spec, fields)

    return invocation.for_each(containers, ask, lambda reply: reply.container.id)


def _changed(
    *, label: tuple[str, ...], no_labels: bool, restart: tuple[str, int] | None, **rest: Any
) -> tuple[ContainerSpec, list[str]]:
    """Return the new values, and the names of the fields that have some."""
    from moorage.v1.container_pb2 import ContainerSpec

    if label and no_labels:
        raise click.BadParameter("does not go with --label", param_hint="--no-labels")
    limits, resources = resources_given(rest), resources_of(rest)
    values: dict[str, Any] = {name: value for name, value in rest.items() if value is not None}
    if label or no_labels:
        values["labels"] = labels_of(label)
    if restart is not None:
        values["restart_policy"] = restart_policy_of(restart)
    fields = (name for name in _CHANGEABLE if name in values)
    limited = (f"resources.{limit}" for limit in limits)
    return ContainerSpec(**values, resources=resources), [*fields, *limited]


@click.command()
@filter_option
@json_option
@click.pass_obj
def prune(invocation: Invocation, /, filters: tuple[str, ...]) -> int:
    """Remove all containers that have no process, and none to come.

    Prints the ids of those that are gone.
    """
    wanted = filter_of(filters)
    reply = invocation.run(lambda client: client.prune(filter=wanted))
    if invocation.json or reply.removed:
        invocation.answer(reply, lambda pruned: "\n".join(pruned.removed))
    for container in reply.incomplete:
        complain(f"cannot remove all of container {container!r}: see moorage inspect")
    return codes.FAILED if reply.incomplete else 0
