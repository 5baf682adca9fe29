"""The law: whoever asks for numbers of each container has them, and as they are documented."""

from __future__ import annotations

import re
import socket
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.real.deadlines import eventually
from tests.real.specs import shell
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN = 40.0
LIMIT = 64 * 2**20
DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def documented() -> dict[str, set[str]]:
    """Return what each number of a container bears beside the container's own attributes."""
    section = DOCUMENT.partition("\n## Of each container")[2]
    rows = re.findall(r"^\| `([\w.]+)` \| \S+ \|([^|]*)\|", section, re.MULTILINE)
    return {
        name.replace(".", "_"): {said.replace(".", "_") for said in re.findall(r"`([\w.]+)`", each)}
        for name, each in rows
    }


def scraped(address: str) -> list[tuple[str, dict[str, str], float]]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    samples = re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE)
    return [
        (name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value))
        for name, labels, value in samples
    ]


@pytest.mark.parametrize("wanted", [True, False])
async def test_what_a_container_uses_is_told_to_whoever_asked_for_it(
    site: Site, wanted: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {"metrics_listen": address, "metrics_containers": str(wanted).lower()}
    daemon = site.start_moored({**settings, "network": "bridge"})
    limits = container_pb2.Resources(memory_limit=LIMIT)
    async with Wire(daemon.address) as wire:
        box = await wire.run(shell("while :; do :; done", name="busy", resources=limits))
        if wanted:
            await eventually(lambda: _of(address, box.id), "it is measured", within=WITHIN)
        found = [(name, labels, value) for name, labels, value in scraped(address)]
        await wire.remove(box.id)
    daemon.stop()
    ours = [(n, labels, v) for n, labels, v in found if labels.get("container_id") == box.id]
    if not wanted:
        assert ours == []
        return
    own = {"container_id", "container_name", "container_image_name"}
    seen: dict[str, set[str]] = {}
    for name, labels, _ in ours:
        stem = re.sub(r"(_seconds|_bytes)?(_total)?$", "", name)
        bare = {label for label in labels if not label.startswith("otel_scope")}
        assert own <= bare
        seen[stem] = bare - own
    optional = {"container_disk_io"}  # nobody counts it everywhere
    assert {k: v for k, v in documented().items() if k not in optional} == {
        k: v for k, v in seen.items() if k not in optional
    }
    numbers = {name: value for name, labels, value in ours if labels.get("cpu_mode") != "system"}
    assert numbers["container_cpu_time_seconds_total"] > 0
    assert numbers["moored_container_memory_limit_bytes"] == LIMIT


async def _of(address: str, container: str) -> bool:
    return any(labels.get("container_id") == container for _, labels, _ in scraped(address))
