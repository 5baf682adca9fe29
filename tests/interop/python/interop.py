"""The main job in Python, by the moorage library: what the programs beside this one do, too.

    python interop.py ADDRESS ARCHIVE BUSY

ADDRESS is a moored's (unix:///…), ARCHIVE an image with a busybox in it, and BUSY another
moored's, which takes no more starts. Says what it saw, and no times or ids.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from moorage import Client, errors
from moorage.v1 import container_pb2, container_service_pb2, event_pb2, exec_service_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moorage.v1.container_pb2 import Container
    from moorage.v1.container_service_pb2 import LogsResponse, WatchResponse

NAME = "interop"
LINES = container_service_pb2.LOG_FORMAT_LINES
SCRIPT = "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait"


async def main(address: str, archive: Path, busy: str) -> None:
    async with Client(address) as client, Client(busy) as other:
        await import_image(client, archive)
        async with aclosing(client.watch(filter=only(NAME))) as events:
            await anext(events)  # a heartbeat: from here on nothing is missed
            print("watch: begun")
            container = await start(client)
            async with aclosing(client.logs(NAME, follow=True, format=LINES)) as logs:
                print(f"logs: first {(await anext(logs)).line}")
                await inspect(client, container)
                await execute(client)
                await client.kill(NAME, signal="SIGTERM")
                await follow_output(logs)
            await wait(client)
            await watched(events, event_pb2.EVENT_KIND_RESOURCES_RELEASED)
            await errors_told(client, other)
            await cleanup(client)
            await watched(events, event_pb2.EVENT_KIND_REMOVED)
        print("watch: CANCELLED")


async def import_image(client: Client, archive: Path) -> None:
    with archive.open("rb") as file:
        imported = await client.import_image(file, name=NAME)
    for image in imported.images:
        print(f"import: {image.name}")


async def start(client: Client) -> Container:
    # [first call]
    spec = container_pb2.ContainerSpec(
        name="interop",
        image="interop",
        command=["sh", "-c", SCRIPT],
        network="none",
        labels={"made-by": "interop"},
        stop_timeout=timedelta(seconds=2.5),
        log_config=container_pb2.LogConfig(driver=container_pb2.LOG_DRIVER_FILE),
    )
    request_id = str(uuid.uuid4())  # a request that is sent again happens once
    started = await client.start(spec=spec, request_id=request_id, timeout=30)
    container = started.container
    # [first call]
    state = container_pb2.ContainerState.Name(container.status.state)
    print(f"start: run {container.status.run}, {state}")
    again = (await client.start(spec=spec, request_id=request_id, timeout=30)).container
    same = again.id == container.id
    print(f"start: again, the same container {told(same)}, run {again.status.run}")
    return container


async def inspect(client: Client, container: Container) -> None:
    seen = (await client.inspect(container.id)).container
    spec, status = seen.spec, seen.status
    stop = spec.stop_timeout
    state = container_pb2.ContainerState.Name(status.state)
    print(f"inspect: {seen.name}, {state}, generation {seen.generation}, run {status.run}")
    print(f"inspect: label made-by={spec.labels['made-by']}, command of {len(spec.command)} words")
    print(f"inspect: stop_timeout {stop.seconds} s {stop.nanos} ns")
    print(f"inspect: {container_pb2.LogDriver.Name(spec.log_config.driver)}")
    ordered = seen.create_time.ToNanoseconds() < status.start_time.ToNanoseconds()
    print(f"inspect: created before it was started {told(ordered)}")
    print(f"inspect: has a pid {told(status.pid > 0)}, an exit {told(status.HasField('exit'))}")


async def execute(client: Client) -> None:
    args = ["sh", "-c", "tr a-z A-Z; echo oops >&2; exit 3"]
    answer = await client.exec_sync(NAME, args, stdin=b"hello")
    print(f"exec_sync: stdout {answer.stdout.decode()}, stderr {answer.stderr.decode().strip()}")
    print(f"exec_sync: {ended(answer.exec)}")
    async with client.exec(NAME, ["sh", "-c", "cat; exit 4"], stdin=True) as execution:
        print(f"exec: {exec_service_pb2.ExecState.Name(execution.started.state)}")
        await execution.write(b"ahoy\n")
        await execution.end_stdin()
        async for output in execution:
            print(f"exec: stdout {output.data.decode().strip()}")
    if execution.ended is not None:
        print(f"exec: {ended(execution.ended)}")


async def follow_output(logs: AsyncIterator[LogsResponse]) -> None:
    parts = [part async for part in logs if part.HasField("line")]
    for part in sorted(parts, key=lambda part: part.stream):  # two streams have no common order
        print(f"logs: {container_service_pb2.LogStream.Name(part.stream)} {part.line}")
    print("logs: ended")


async def wait(client: Client) -> None:
    exited = container_service_pb2.WAIT_CONDITION_EXITED
    waited = await client.wait(NAME, condition=exited, limit=timedelta(seconds=30))
    status = waited.container.status
    origin = container_pb2.ExitOrigin.Name(status.exit.origin)
    print(f"wait: reached {told(waited.reached)}, exit {status.exit.code}, {origin}")


async def errors_told(client: Client, busy: Client) -> None:
    unknown = container_pb2.ContainerSpec(image="no/such")
    wrong = container_pb2.ContainerSpec(image="busybox", stop_timeout=Duration(seconds=-1))
    right = container_pb2.ContainerSpec(image="busybox", network="none")
    for to, asked in ((client, unknown), (client, wrong), (busy, right)):
        try:
            await to.start(spec=asked)
        except errors.MoorageError as error:
            tell(error)
    before = (await client.inspect(NAME)).container.revision
    try:
        async for _ in client.watch(filter=only("nobody"), timeout=0.5):
            pass
    except errors.MoorageError as error:
        after = (await client.inspect(NAME)).container.revision
        print(f"deadline: {error.code.name}, changed nothing {told(before == after)}")


def tell(error: errors.MoorageError) -> None:
    facts = "".join(f" {key}={value}" for key, value in sorted(error.metadata.items()))
    # A reason is only taken from an ErrorInfo of the domain "moorage".
    print(f"error: {error.code.name} moorage/{error.reason}{facts}")
    print(f"error: message {error.message}")
    for violation in error.violations:
        print(f"error: field {violation.field}: {violation.why}")
    if error.retry_after is not None:
        print(f"error: retry after {error.retry_after * 1000:.0f} ms")


async def cleanup(client: Client) -> None:
    cleaned = await client.cleanup(NAME, remove=True)
    for row in cleaned.resources:
        print(f"cleanup: {row.kind} {container_service_pb2.ReleaseOutcome.Name(row.outcome)}")
    print(f"cleanup: complete {told(cleaned.complete)}")
    try:
        await client.inspect(NAME)
    except errors.ContainerNotFound as error:
        tell(error)


async def watched(events: AsyncIterator[WatchResponse], last: event_pb2.EventKind) -> None:
    async for item in events:
        if item.WhichOneof("item") != "event":
            continue
        event = item.event
        kind, state = event_pb2.EventKind.Name(event.kind), event.state
        print(f"watch: {kind}, run {event.run}, {container_pb2.ContainerState.Name(state)}")
        if event.kind == last:
            return


def only(name: str) -> container_service_pb2.ContainerFilter:
    return container_service_pb2.ContainerFilter(names=[name])


def ended(command: exec_service_pb2.Exec) -> str:
    reason = exec_service_pb2.ExecEndReason.Name(command.end_reason)
    return f"{reason}, exit {command.exit.code}"


def told(truth: bool) -> str:
    return "yes" if truth else "no"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
