"""``exec``, and what is under way: commands in containers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from moorage.cli import codes
from moorage.cli.invocation import Invocation, complain
from moorage.cli.parameters import container_argument, json_option
from moorage.cli.specs import FROM_IMAGE_ON, environment
from moorage.cli.stdio_options import detach_keys_option, manner_of, stdio_options
from moorage.errors import MoorageError

if TYPE_CHECKING:
    from moorage.cli.conversing import Manner
    from moorage.client import Client


@click.command("exec", context_settings=FROM_IMAGE_ON)
@stdio_options
@detach_keys_option
@click.option("--detach", "-d", is_flag=True, help="Print its id, and leave it running.")
@click.option(
    "--env",
    "-e",
    multiple=True,
    metavar="KEY[=VALUE]",
    help="Set a variable; without a value it is taken from here. Repeatable.",
)
@click.option("--workdir", "-w", "working_dir", default="", metavar="PATH", help="Where it runs.")
@click.option("--user", "-u", default="", metavar="USER[:GROUP]", help="Who it runs as.")
@click.option("--privileged", is_flag=True, help="With every capability, if the policy allows it.")
@container_argument
@click.argument("args", metavar="COMMAND [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@json_option
@click.pass_obj
def execute(
    invocation: Invocation,
    /,
    container: str,
    interactive: bool,
    tty: bool,
    detach: bool,
    detach_keys: bytes,
    env: tuple[str, ...],
    **options: Any,
) -> int:
    """Execute a command in a container that runs, and end with its exit code.

    When we end, it does too, unless it was detached.
    """
    if detach and (interactive or tty):
        raise click.UsageError("--detach goes with neither --interactive nor --tty")
    options["env"] = environment(env)
    try:
        if detach:
            return _detached(invocation, container, options)
        manner = manner_of(interactive=interactive, tty=tty, keys=detach_keys)
        return invocation.run(lambda client: _connected(client, container, tty, manner, options))
    except MoorageError as error:
        invocation.report(error)
        return codes.of_run(error)


@click.command()
@click.argument("container", required=False, default="")
@json_option
@click.pass_obj
def execs(invocation: Invocation, /, container: str) -> None:
    """List what is executed in a container, or in all, oldest first."""
    reply = invocation.run(lambda client: client.list_execs(container))

    from moorage.cli import exec_views

    invocation.answer(reply, lambda listed: exec_views.table(listed.execs))


@click.command("exec-inspect")
@click.argument("exec_id", metavar="EXEC")
@json_option
@click.pass_obj
def inspect_exec(invocation: Invocation, /, exec_id: str) -> None:
    """Show what is known of an exec."""
    reply = invocation.run(lambda client: client.inspect_exec(exec_id))

    from moorage.cli import exec_views

    invocation.answer(reply, lambda shown: exec_views.whole(shown.exec))


@click.command("exec-kill")
@click.option("--signal", "-s", default="KILL", show_default=True, help="A name or number.")
@click.argument("exec_ids", metavar="EXEC...", nargs=-1, required=True)
@json_option
@click.pass_obj
def kill_exec(invocation: Invocation, /, exec_ids: tuple[str, ...], signal: str) -> int:
    """Send a signal to the processes of execs."""
    return invocation.for_each(
        exec_ids,
        lambda client, name: client.kill_exec(name, signal=signal),
        lambda reply: reply.exec.id,
    )


def _detached(invocation: Invocation, container: str, options: dict[str, Any]) -> int:
    reply = invocation.run(lambda client: client.exec_detached(container, **options))
    invocation.answer(reply, lambda begun: begun.exec.id)
    return 0


async def _connected(
    client: Client, container: str, tty: bool, manner: Manner, options: dict[str, Any]
) -> int:
    from moorage.cli.conversing import Conversation
    from moorage.cli.views import exit_is_known, exit_line

    window = manner.terminal.size() if manner.terminal else None
    async with client.exec(
        container, stdin=manner.stdin, tty=tty, window=window, timeout=None, **options
    ) as execution:
        conversation = Conversation(execution, manner)
        if not await conversation.hold():
            return codes.left(conversation.left_by)
    if execution.ended is None or not exit_is_known(execution.ended.exit):
        why = exit_line(execution.ended.exit) if execution.ended else "the server did not say it"
        complain(f"cannot tell the exit code: {why}")
        return codes.NOT_STARTED
    return execution.ended.exit.code
