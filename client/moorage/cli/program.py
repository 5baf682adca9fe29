"""The command's root: its options, its commands, and how whatever they raise ends."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from moorage.addresses import DEFAULT_ADDRESS
from moorage.cli import (
    attaching,
    auditing,
    changes,
    codes,
    containers,
    events,
    executing,
    images,
    logs,
    running,
    server,
    stats,
    volumes,
)
from moorage.cli.invocation import Invocation, complain
from moorage.cli.parameters import address as an_address
from moorage.cli.parameters import duration
from moorage.errors import MoorageError
from moorage.tls import Tls

if TYPE_CHECKING:
    from datetime import timedelta


class ReaderGone(Exception):
    """Whoever read our output does not any more."""


class Root(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would call it a failure
            raise ReaderGone from error


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib import metadata

        try:
            version = metadata.version("moorage")
        except metadata.PackageNotFoundError:
            version = "not installed"
        click.echo(f"moorage {version}")
        context.exit()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=codes.EPILOG,
)
@click.option(
    "--address",
    "-H",
    type=an_address,
    envvar="MOORAGE_ADDRESS",
    default=DEFAULT_ADDRESS,
    show_default=True,
    show_envvar=True,
    help="Where moored listens: unix:///PATH, tls://HOST:PORT or tcp://HOST:PORT.",
)
@click.option("--tls-ca", envvar="MOORAGE_TLS_CA", default="", help="Whom to believe, in PEM.")
@click.option("--tls-cert", envvar="MOORAGE_TLS_CERT", default="", help="Who we are, in PEM.")
@click.option("--tls-key", envvar="MOORAGE_TLS_KEY", default="", help="The key to that.")
@click.option(
    "--tls-server-name", envvar="MOORAGE_TLS_SERVER_NAME", default="",
    help="What the server's certificate says, if not the address.",
)  # fmt: skip
@click.option("--timeout", type=duration, help="Give up after this long: 500ms, 10s, 5m.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version.",
)  # fmt: skip
@click.pass_context
def moorage(context: click.Context, /, address: str, timeout: timedelta | None, **tls: str) -> None:
    """Start, inspect and clean up containers through moored."""
    if timeout is not None and not timeout:
        raise click.BadParameter("must be more than nothing", param_hint="--timeout")
    invocation: Invocation = context.obj
    invocation.address = address
    invocation.tls = Tls(**{name.removeprefix("tls_"): value for name, value in tls.items()})
    if bool(invocation.tls.cert) != bool(invocation.tls.key):
        raise click.BadParameter("go together", param_hint="--tls-cert and --tls-key")
    invocation.timeout = None if timeout is None else timeout.total_seconds()
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (
    running.run,
    containers.create,
    containers.start,
    containers.inspect,
    containers.ps,
    logs.logs,
    attaching.attach,
    executing.execute,
    executing.execs,
    executing.inspect_exec,
    executing.kill_exec,
    events.events,
    stats.stats,
    containers.stop,
    changes.restart,
    changes.kill,
    changes.pause,
    changes.resume,
    changes.rename,
    changes.update,
    containers.wait,
    containers.cleanup,
    containers.remove,
    changes.prune,
    auditing.audit,
    images.images,
    volumes.volume,
    server.info,
    server.completion,
):
    moorage.add_command(command)


def main() -> NoReturn:
    _occupy_standard_descriptors()
    # gRPC's own log would come out between a container's lines on stderr.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_invoke(Invocation()))


def _occupy_standard_descriptors() -> None:
    """Keep sockets from becoming our stdout, where we were started without one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _invoke(invocation: Invocation) -> int:
    """Run the command that the arguments say, and return its exit code."""
    try:
        code = moorage.main(prog_name="moorage", obj=invocation, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as misuse:
        misuse.show()
        return misuse.exit_code
    except (click.Abort, KeyboardInterrupt):
        return codes.INTERRUPTED
    except MoorageError as error:
        return invocation.report(error)
    except UnicodeEncodeError as error:
        complain(f"cannot send {error.object!r}: it is not UTF-8")
        return codes.MISUSED
    except (ReaderGone, BrokenPipeError):
        _drop_output()
        return codes.READER_GONE
    except OSError as error:
        if error.filename is None:
            _drop_output()
        complain(f"cannot use {error.filename or 'our own output'}: {error.strerror}")
        return codes.FAILED
    return code or 0


def _drop_output() -> None:
    """Drop what is still buffered: it has nowhere to go, and the interpreter would try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
