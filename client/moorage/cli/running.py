"""``run``: a container from a spec to its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from moorage.cli import codes
from moorage.cli.invocation import Invocation, complain
from moorage.cli.parameters import dry_run_option, json_option
from moorage.cli.specs import FROM_IMAGE_ON, spec_of, spec_options
from moorage.cli.stdio_options import detach_keys_option, manner_of, stdio_options
from moorage.errors import MoorageError

if TYPE_CHECKING:
    from moorage.cli.conversing import Manner
    from moorage.v1.container_pb2 import ContainerSpec


@click.command(context_settings=FROM_IMAGE_ON)
@click.option("--detach", "-d", is_flag=True, help="Print its id, and leave it running.")
@dry_run_option
@stdio_options
@detach_keys_option
@spec_options
@json_option
@click.pass_obj
def run(
    invocation: Invocation,
    /,
    detach: bool,
    dry_run: bool,
    interactive: bool,
    tty: bool,
    detach_keys: bytes,
    **options: Any,
) -> int:
    """Run a container and end with its exit code.

    Its output comes out here as it is written. Ctrl-C and SIGTERM stop it; a second one kills it.
    With -it it has our terminal, as if it ran here, until the detach keys are typed.
    """
    # A stdin that is piped ends with us; a terminal's is there for the next attach.
    once = interactive and not (tty or detach)
    spec = spec_of(stdin=interactive, stdin_once=once, tty=tty, **options)
    try:
        if dry_run:
            return _planned(invocation, spec)
        if detach:
            return _detached(invocation, spec)
        if interactive or tty:
            manner = manner_of(interactive=interactive, tty=tty, keys=detach_keys)
            return _attached(invocation, spec, manner)
        return _foreground(invocation, spec)
    except MoorageError as error:
        invocation.report(error)
        return codes.of_run(error)


def _planned(invocation: Invocation, spec: ContainerSpec) -> int:
    from moorage.cli import plans

    reply = invocation.run(lambda client: client.start(spec=spec, validate_only=True))
    invocation.answer(reply, plans.planned)
    return 0


def _detached(invocation: Invocation, spec: ContainerSpec) -> int:
    reply = invocation.run(lambda client: client.start(spec=spec))
    invocation.answer(reply, lambda started: started.container.id)
    return 0


def _attached(invocation: Invocation, spec: ContainerSpec, manner: Manner) -> int:
    from moorage.cli import beside, foreground

    try:
        return invocation.run(lambda client: beside.run(client, spec, manner))
    except foreground.GivenUp:
        return _unanswered()


def _foreground(invocation: Invocation, spec: ContainerSpec) -> int:
    from moorage.cli import foreground, sinks

    sink = sinks.sink(json=invocation.json)
    try:
        return invocation.run(lambda client: foreground.run(client, spec, sink, invocation.report))
    except foreground.GivenUp:
        return _unanswered()


def _unanswered() -> int:
    complain("cannot tell whether the container was started: see moorage ps")
    return codes.INTERRUPTED
