"""One container from beginning to end, on a containerd of its own, and nothing left.

    make demo

Needs root, and no system service. Everything lies in one scratch directory and under one
instance's name, so that it disturbs nobody and can be looked for afterwards, from outside.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo import busybox_image, left
from moorage import Client
from moorage.v1 import container_pb2, container_service_pb2
from tests.outside.containerd import Address
from tests.outside.world import Place, look, settled
from tests.real.moored import Moored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.duration_pb2 import Duration

_ROW: Final = "{:>20} {:>10} {:>10}  {}"
_SETTLE_WITHIN: Final = 10.0
"""Shims end after their last answer, and nobody says when."""
_STOP_WITHIN: Final = 30.0
_SCRIPT: Final = """\
echo "hello from $(hostname), uid $(id -u), process $$"
for word in one two three; do sleep 0.1; echo "$word"; done
echo "and this is stderr" >&2
exit 7
"""


class StillThereError(Exception):
    """Something is left that should be gone."""


def main() -> None:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    scratch = Path(tempfile.mkdtemp(prefix="moorage.", dir="/tmp"))
    instance = f"demo-{secrets.token_hex(3)}"
    began = time.monotonic()
    try:
        _demonstrate(scratch, instance)
    except (StillThereError, KeyboardInterrupt) as end:
        sys.exit(f"\nThe demo did not come to its end: {end!r}")
    finally:
        if scratch.exists():
            left.end(scratch, instance)
            print("\nWhat it had begun was ended by force, and removed.", file=sys.stderr)
    print(f"\nAll of it took {time.monotonic() - began:.1f} s.")


def _demonstrate(scratch: Path, instance: str) -> None:
    archive = scratch / "busybox.tar"
    with _stage("Build an image of Debian's busybox"):
        busybox_image.build(archive)
        _say(f"{busybox_image.NAME}, {archive.stat().st_size / 1e6:.1f} MB")
    moored = Moored(scratch / instance, containerd="embedded", instance=instance)
    try:
        with _stage("Start moored, on a containerd of its own"):
            moored.start()
            _say(f"it serves at {moored.address}")
        asyncio.run(one_container(moored.address, _place(moored), archive))
        with _stage("Stop moored by SIGTERM, and its containerd"):
            moored.stop()
            _say("moored ended with exit code 0")
            _say(_stop_containerd(moored))
    except BaseException:
        print(moored.tail(), file=sys.stderr)
        raise
    with _stage("Look at the machine from outside"):
        _prove(scratch, instance)


async def one_container(address: str, place: Place, archive: Path) -> None:
    """Tell one container's story, and see from outside that it has left no trace.

    ``place`` is where the moored at ``address``, and its containerd, have everything.
    """
    async with Client(address) as client:
        with _stage("Import the image"), archive.open("rb") as file:
            for image in (await client.import_image(file)).images:
                _say(f"{image.name} at {image.digest}")
        before = look(place)
        with _stage("Start a container from a spec, in one call"):
            spec = container_pb2.ContainerSpec(
                name="hello", image="busybox", command=["sh", "-c", _SCRIPT], network="none"
            )
            container = (await client.start(spec=spec)).container
            _say(f"{container.id} runs as process {container.status.pid}")
        with _stage("Follow its output until it has ended"):
            await _print_output(client, "hello")
        with _stage("Inspect it"):
            await client.wait_exited("hello")
            _print_status((await client.inspect("hello")).container)
        with _stage("Clean it up, with its name and record"):
            _print_released(await client.cleanup("hello", remove=True))
        with _stage("Compare the machine with what it was before the start"):
            if changes := settled(before, place, within=_SETTLE_WITHIN)[1]:
                raise StillThereError("; ".join(changes))
            _say("no difference: tasks, layers, leases, bundles, shims, cgroups, mounts, files …")


async def _print_output(client: Client, container: str) -> None:
    lines = client.logs(container, follow=True, format=container_service_pb2.LOG_FORMAT_LINES)
    async for part in lines:
        if part.WhichOneof("payload") == "line":
            stream = container_service_pb2.LogStream.Name(part.stream)
            _say(f"{_told(stream, 'LOG_STREAM_')} | {part.line}")


def _print_status(container: container_pb2.Container) -> None:
    status, start = container.status, container.status.last_start
    state = container_pb2.ContainerState.Name(status.state)
    origin = container_pb2.ExitOrigin.Name(status.exit.origin)
    _say(f"state     {_told(state, 'CONTAINER_STATE_')}, run {status.run}")
    _say(f"exit      {status.exit.code}, of its {_told(origin, 'EXIT_ORIGIN_')}")
    _say(f"image     {container.spec.image} at {status.image_digest}")
    _say(f"its start took {_milliseconds(start.duration)} ms (trace {start.trace_id}):")
    _say(_ROW.format("step", "began, ms", "took, ms", "outcome"))
    for step in start.steps:
        outcome = container_pb2.StepOutcome.Name(step.outcome)
        began, took = _milliseconds(step.offset), _milliseconds(step.duration)
        _say(_ROW.format(step.name, began, took, _told(outcome, "STEP_OUTCOME_")))


def _print_released(answer: container_service_pb2.CleanupResponse) -> None:
    for row in answer.resources:
        outcome = container_service_pb2.ReleaseOutcome.Name(row.outcome)
        _say(f"{row.kind:10}{_told(outcome, 'RELEASE_OUTCOME_')}")


def _stop_containerd(moored: Moored) -> str:
    command = [*moored.command, "containerd", "stop"]
    done = subprocess.run(
        command,
        env=moored.environment,
        check=True,
        timeout=_STOP_WITHIN,
        text=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout.strip()


def _prove(scratch: Path, instance: str) -> None:
    """Say that nothing is left, kind by kind, or raise StillThereError."""
    there = left.things(scratch, instance)
    for kind, found in there.items():
        _say(f"{kind:22} {', '.join(found) or 'none'}")
    if any(there.values()):
        raise StillThereError(f"left: {', '.join(kind for kind, found in there.items() if found)}")
    shutil.rmtree(scratch)
    _say(f"{'files':22} none: {scratch} held all, and was removed")


def _place(moored: Moored) -> Place:
    """Return where this moored, and the containerd that it started, have everything."""
    of_containerd = moored.state / "containerd"
    address = Address(
        socket=str(of_containerd / "containerd.sock"),
        root=moored.root / "containerd",
        state=of_containerd / "state",
        log=of_containerd / "log",
    )
    return Place(address, moored.home.parent, frozenset({moored.instance}))


@contextmanager
def _stage(title: str) -> Iterator[None]:
    """Say what happens now, and how long it took."""
    print(f"\n{title}", flush=True)
    began = time.monotonic()
    yield
    _say(f"({time.monotonic() - began:.2f} s)")


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _told(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).replace("_", " ").lower()


def _milliseconds(duration: Duration) -> str:
    return f"{duration.ToTimedelta().total_seconds() * 1000:.1f}"


if __name__ == "__main__":
    main()
