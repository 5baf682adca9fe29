"""One start as its trace shows it: with networks, a volume, and a step that fails.

Run for the tests, and for docs/traces.md, which ``make trace`` draws from it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moorage.v1.container_pb2 import MOUNT_TYPE_VOLUME, Mount
from tests.real.host_network import HostNetwork
from tests.real.receiver import receiving
from tests.real.specs import sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.real.receiver import Received
    from tests.real.site import Site

FAILING: Final = "start.run.before=1*error(told to)"
_WIDTH: Final = 66


@dataclass(frozen=True)
class Stories:
    """What was exported of one life that went well, and of one start that failed."""

    spans: Sequence[Received]
    good: str
    """Ids of traces: of the start that went well, and of the one that failed."""
    failed: str
    run: tuple[str, str]
    """The trace and the span that what follows from the good start refers to."""
    container: str
    logged: str


@contextmanager
def plugged(site: Site) -> Iterator[HostNetwork]:
    """A network namespace that moored takes for the host's, with a network by plugins."""
    name = f"h{secrets.token_hex(4)}"
    host = HostNetwork.make(name, site.directory / name)
    ipam = {"type": "host-local", "dataDir": str(host.addresses)}
    ranges = [[{"subnet": "10.203.7.0/24"}]]
    bridge: dict[str, Any] = {
        "type": "bridge",
        "bridge": "cni0",
        "ipam": {**ipam, "ranges": ranges},
    }
    host.network({"cniVersion": "1.0.0", "name": "blue", "plugins": [bridge]})
    try:
        yield host
    finally:
        host.remove()


def volume(name: str) -> Mount:
    return Mount(type=MOUNT_TYPE_VOLUME, source=name, destination="/data")


async def lived(site: Site, archive: Path) -> Stories:
    """Start twice, once in vain; let the good one exit, and clean all up."""
    with plugged(site) as host, receiving(host.directory) as receiver:
        daemon = site.moored(
            {"failpoints": FAILING, "cni_config_dir": str(host.configuration)},
            host_network=host.path,
        )
        daemon.spans_to = receiver.address
        daemon.start()
        daemon.import_image(archive)
        async with Wire(daemon.address) as wire:
            failing = sleeper(name="in-vain", network="blue", mounts=[volume("kept")])
            await refused(wire.run(failing))
            good = await wire.run(sleeper(name="well", network="bridge", mounts=[volume("kept")]))
            await wire.stop(good.id, grace=0)
            await wire.wait(good.id)
            for container in await wire.list():
                await wire.remove(container.id)
            await wire.remove_volume("kept")
        daemon.stop()
        spans = receiver.spans()
    starts = {span.attributes.get("container.name"): span for span in spans if span.name == "start"}
    well = starts["well"]
    return Stories(
        spans, well.trace, starts["in-vain"].trace, (well.trace, well.id), good.id, daemon.tail()
    )


def drawn(spans: Sequence[Received], trace: str) -> str:
    """Return the tree of a trace as text: names, how long each took, and how it ended."""
    below = defaultdict(list)
    known = {span.id for span in spans}
    for span in sorted((s for s in spans if s.trace == trace), key=lambda s: (s.began, -s.ended)):
        below[span.parent if span.parent in known else ""].append(span)
    return "\n".join(_lines(below, "", ""))


def _lines(below: dict[str, list[Received]], parent: str, indent: str) -> Iterator[str]:
    children = below.get(parent, [])
    for span in children:
        last = span is children[-1]
        mark, more = ("└─ ", "   ") if last else ("├─ ", "│  ")
        if not parent:
            mark = more = ""
        kind = span.attributes.get("moorage.resource.kind")
        name = f"{indent}{mark}{span.name}{f' ({kind})' if kind else ''}"
        took = (span.ended - span.began) / 1e6
        failed = f"  {_why(span)}" if span.status == "ERROR" else ""
        yield f"{name:<{_WIDTH}} {took:8.1f} ms{failed}".rstrip()
        yield from _lines(below, span.id, indent + more)


def _why(span: Received) -> str:
    return "cancelled" if span.said["status"].get("message") == "cancelled" else "ERROR"
