"""The command ``moored``: what to do, with which settings. What it takes is imported then."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moored import __version__, errors
from moored.commands.audit import audit
from moored.commands.ends import MISUSED, REFUSED, end
from moored.commands.ledger import ledger_group

if TYPE_CHECKING:
    from moored.config import Settings


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings in TOML.")
@click.option("--root", help="Where what must last is kept (/var/lib/moorage).")
@click.option("--state", help="Where what a reboot ends is kept (/run/moorage).")
@click.option("--listen", multiple=True, help="unix:///PATH or tcp://127.0.0.1:PORT; repeatable.")
@click.option("--containerd", help="auto, embedded, or the socket of a running one.")
@click.option("--runtime", help="The runtime of specs that name none (runc).")
@click.option("--instance", help="Scopes all that this moored owns on the host (moorage).")
@click.option("--metrics-listen", help="HOST:PORT that Prometheus reads; none by default.")
@click.option(
    "--log-level",
    help="trace, debug, info, warning or error; with a module's own: info,moored.network=debug.",
)
@click.option("--log-format", help="text or json.")
@click.version_option(__version__, prog_name="moored")
@click.pass_context
def main(context: click.Context, /, file: Path | None, **flags: Any) -> None:
    """Serve the life of this host's containers over gRPC.

    Each setting can be given as a flag, as MOORED_NAME in the environment, or in the file.
    """
    from moored import config

    flags["listen"] = flags["listen"] or None
    try:
        context.obj = config.load(file, flags, os.environ)
    except errors.SetupRefused as refusal:
        end(refusal, MISUSED)
    if context.invoked_subcommand is None:
        _serve(context.obj)


@main.command("config")
@click.pass_obj
def show_config(settings: Settings) -> None:
    """Print the settings in force, each with where it comes from."""
    from moored import config

    click.echo(config.show(settings), nl=False)


@main.group("containerd")
def containerd_group() -> None:
    """The containerd that moored started for itself."""


@containerd_group.command("stop")
@click.pass_obj
def stop_containerd(settings: Settings) -> None:
    """Stop the embedded containerd. Containers that run go on without one."""
    from moored import premises
    from moored.containerd import traces
    from moored.containerd.embedded import Embedded
    from moored.oci import cgroups

    async def stop() -> bool:
        return await Embedded(settings.root, settings.state).stop()

    try:
        premises.refuse_unless_root()
        stopped = asyncio.run(stop())
    except errors.MooredError as refusal:
        end(refusal, REFUSED)
    cgroups.remove_parent_if_empty(settings.instance)
    traces.forget_namespace(settings.instance)
    click.echo("containerd stopped" if stopped else "no embedded containerd was running")


def _serve(settings: Settings) -> None:
    # What is imported stays, so looking for garbage meanwhile finds none. The daemon turns it on.
    gc.disable()
    from moored.daemon import serve
    from moored.running import run
    from moored.supervisor import Supervisor

    try:
        supervisor = Supervisor.found(os.environ, pid=os.getpid())
        run(serve(settings, supervisor))
    except errors.SetupRefused as refusal:
        end(refusal, REFUSED)


main.add_command(audit)
main.add_command(ledger_group)


if __name__ == "__main__":
    main(prog_name="moored")
