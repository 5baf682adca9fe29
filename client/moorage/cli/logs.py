"""``logs``: what a run wrote, or writes."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from moorage.cli.parameters import container_argument, json_option, time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from moorage.cli.invocation import Invocation
    from moorage.client import Client
    from moorage.v1.container_service_pb2 import LogStream


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@click.option("--tail", "-n", type=click.IntRange(min=0), metavar="N", help="The last N lines.")
@click.option("--since", type=time, help="Nothing older: 10s, or 2006-01-02T15:04:05Z.")
@click.option("--until", type=time, help="Nothing newer.")
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), help="Only this one.")
@click.option("--timestamps", "-t", is_flag=True, help="Each line with its time.")
@click.option(
    "--run", type=click.IntRange(min=1), metavar="N", help="Of this run, instead of the last."
)
@click.option("--all-runs", "-a", is_flag=True, help="Every run, and with -f those to come.")
@container_argument
@json_option
@click.pass_obj
def logs(invocation: Invocation, /, container: str, **options: Any) -> None:
    """Print what a container wrote.

    Of the last run, or of another, or of all with a line on stderr between two of them.
    Its stdout comes out on stdout and its stderr on stderr, exactly as written.
    """
    invocation.run(lambda client: _print(invocation, client, container, **options))


async def _print(
    invocation: Invocation,
    client: Client,
    container: str,
    *,
    follow: bool,
    tail: int | None,
    since: datetime | None,
    stream: str | None,
    timestamps: bool,
    run: int | None,
    until: datetime | None,
    all_runs: bool,
) -> None:
    from moorage.cli import sinks
    from moorage.v1 import container_service_pb2 as wire

    lines = timestamps or invocation.json
    pieces = client.logs(
        container,
        follow=follow,
        tail=tail,
        since=since,
        streams=_streams(stream),
        format=wire.LOG_FORMAT_LINES if lines else wire.LOG_FORMAT_BYTES,
        run=run or 0,
        until=until,
        all_runs=all_runs,
    )
    sink = sinks.sink(json=invocation.json)
    async with aclosing(pieces):
        async for piece in pieces:
            await sink.write(piece)


def _streams(name: str | None) -> Sequence[LogStream]:
    from moorage.v1 import container_service_pb2 as wire

    named = {"stdout": wire.LOG_STREAM_STDOUT, "stderr": wire.LOG_STREAM_STDERR}
    return [named[name]] if name else []
