"""The commands of containers that exist, and ``create``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from moorage.cli import codes
from moorage.cli.filters import filter_of, filter_option
from moorage.cli.invocation import Invocation, complain
from moorage.cli.parameters import (
    container_argument,
    containers_argument,
    dry_run_option,
    duration,
    json_option,
)
from moorage.cli.specs import FROM_IMAGE_ON, spec_of, spec_options
from moorage.cli.stdio_options import stdio_options

if TYPE_CHECKING:
    from moorage.client import Client
    from moorage.v1.container_service_pb2 import ContainerFilter, ListResponse, WaitResponse

_PATIENCE: Final = timedelta(seconds=30)
"""For which a wait goes on while moored is away."""


@click.command(context_settings=FROM_IMAGE_ON)
@dry_run_option
@stdio_options
@spec_options
@json_option
@click.pass_obj
def create(
    invocation: Invocation, /, dry_run: bool, interactive: bool, tty: bool, **options: Any
) -> None:
    """Record a container and print its id.

    It is not started, and acquires nothing on the host.
    """
    spec = spec_of(stdin=interactive, tty=tty, **options)
    reply = invocation.run(lambda client: client.create(spec, validate_only=dry_run))

    from moorage.cli import plans

    invocation.answer(reply, plans.planned if dry_run else lambda created: created.container.id)


@click.command()
@dry_run_option
@containers_argument
@json_option
@click.pass_obj
def start(invocation: Invocation, /, containers: tuple[str, ...], dry_run: bool) -> int:
    """Start containers, and print their ids."""
    from moorage.cli import plans

    return invocation.for_each(
        containers,
        lambda client, name: client.start(name, validate_only=dry_run),
        plans.planned if dry_run else lambda reply: reply.container.id,
    )


@click.command()
@click.option("--statistics", is_flag=True, help="Also what went through its interfaces.")
@container_argument
@click.option(
    "--check-networks", is_flag=True, help="Also have the plugins of CNI networks look after it."
)
@click.option("--size", is_flag=True, help="Also count what it has written to its layer.")
@json_option
@click.pass_obj
def inspect(
    invocation: Invocation,
    /,
    container: str,
    statistics: bool,
    check_networks: bool,
    size: bool,
) -> None:
    """Show all that is known of a container.

    Ends with the steps of its last start, and how long each took.
    """
    reply = invocation.run(
        lambda client: client.inspect(
            container,
            network_statistics=statistics,
            network_check=check_networks,
            size=size,
        )
    )

    from moorage.cli import network_views, views

    invocation.answer(
        reply,
        lambda shown: (
            views.container(shown.container)
            + network_views.faults(shown.network_faults)
            + (views.layer(shown.layer_usage) if shown.HasField("layer_usage") else "")
        ),
    )


@click.command()
@click.option("--quiet", "-q", is_flag=True, help="Ids only.")
@filter_option
@json_option
@click.pass_obj
def ps(invocation: Invocation, /, quiet: bool, filters: tuple[str, ...]) -> None:
    """List containers, oldest first."""
    wanted = filter_of(filters)
    reply = invocation.run(lambda client: _listed(client, wanted))

    from moorage.cli import views

    if not quiet:
        invocation.answer(reply, lambda listed: views.containers(listed.containers))
    elif invocation.json or reply.containers:
        invocation.answer(reply, lambda listed: "\n".join(c.id for c in listed.containers))


async def _listed(client: Client, wanted: ContainerFilter | None) -> ListResponse:
    from moorage.v1.container_service_pb2 import ListResponse

    listed = client.list_all(filter=wanted)
    return ListResponse(containers=[container async for container in listed])


@click.command()
@click.option("--time", "-t", "grace", type=duration, help="How long to wait before SIGKILL.")
@click.option("--signal", "-s", default="", metavar="SIGNAL", help="What to send first.")
@containers_argument
@json_option
@click.pass_obj
def stop(
    invocation: Invocation, containers: tuple[str, ...], grace: timedelta | None, signal: str
) -> int:
    """Stop containers and wait for their exit."""
    return invocation.for_each(
        containers,
        lambda client, name: client.stop(name, grace=grace, signal=signal),
        lambda reply: reply.container.id,
    )


@click.command()
@click.option(
    "--condition",
    type=click.Choice(["running", "healthy", "exited", "next-exit", "removed"]),
    default="exited",
    show_default=True,
    help="What to wait for.",
)
@click.option("--exit-code", is_flag=True, help="End with the container's exit code.")
@container_argument
@json_option
@click.pass_obj
def wait(invocation: Invocation, /, container: str, condition: str, exit_code: bool) -> int:
    """Wait for a container, and print its exit code.

    As long as it takes, or for --timeout. Goes on through a restart of moored.
    """
    reply = invocation.run(
        lambda client: _reached(client, container, condition, invocation.timeout)
    )

    from moorage.cli import views

    ended = reply.container.status
    if not reply.reached:
        complain(
            f"cannot wait for container {container!r} any longer: it is"
            f" {views.state(ended.state).text}"
        )
        return codes.FAILED
    exited = condition in ("exited", "next-exit")
    invocation.answer(reply, lambda _: str(ended.exit.code) if exited else reply.container.id)
    if exited and not views.exit_is_known(ended.exit):
        complain(f"cannot tell the exit code: {views.exit_line(ended.exit)}")
    return ended.exit.code if exit_code else 0


async def _reached(
    client: Client, container: str, condition: str, limit: float | None
) -> WaitResponse:
    from moorage.v1 import container_service_pb2 as wire

    conditions = {
        "running": wire.WAIT_CONDITION_RUNNING,
        "healthy": wire.WAIT_CONDITION_HEALTHY,
        "exited": wire.WAIT_CONDITION_EXITED,
        "next-exit": wire.WAIT_CONDITION_NEXT_EXIT,
        "removed": wire.WAIT_CONDITION_REMOVED,
    }
    found = await client.inspect(container)  # the id, should its name move on meanwhile
    return await client.wait_until(
        found.container.id,
        conditions[condition],
        limit=None if limit is None else timedelta(seconds=limit),
        patience=_PATIENCE,
    )


_force: Final = click.option("--force", "-f", is_flag=True, help="Kill it if it runs.")
_volumes: Final = click.option(
    "--remove-volumes", "-v", is_flag=True, help="With it its anonymous volumes."
)


@click.command()
@_force
@click.option("--remove", is_flag=True, help="Also its record, its layer, its output, its name.")
@_volumes
@containers_argument
@json_option
@click.pass_obj
def cleanup(
    invocation: Invocation,
    containers: tuple[str, ...],
    force: bool,
    remove: bool,
    remove_volumes: bool,
) -> int:
    """Release what containers hold on the host.

    Shows what became of each resource. Fails if one of them could not be released.
    """
    from moorage.cli import views

    return invocation.for_each(
        containers,
        lambda client, name: client.cleanup(
            name, force=force, remove=remove, remove_volumes=remove_volumes
        ),
        views.released,
        lambda reply: 0 if reply.complete else codes.FAILED,
    )


@click.command("rm")
@_force
@_volumes
@containers_argument
@json_option
@click.pass_context
def remove(context: click.Context, /, **options: Any) -> int:
    """Remove containers: cleanup --remove."""
    code: int = context.invoke(cleanup, remove=True, **options)
    return code
