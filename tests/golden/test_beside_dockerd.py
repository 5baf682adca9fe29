"""The law: what a request becomes here is what it becomes in dockerd, but for what is listed.

docs/beside-docker.md has each difference with its reason. One that is not there fails, and so
does one that is there and was not seen: the list is the truth, whole and current.
"""

from __future__ import annotations

import json
import re
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_service_pb2
from tests.golden.comparison import differences
from tests.golden.dockerd import Dockerd
from tests.golden.requests import PAIRS
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.golden.requests import Pair
    from tests.real.site import Site

pytestmark = [
    pytest.mark.real,
    pytest.mark.soak,
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="dockerd is not installed"),
]
_ALWAYS, _, _SOMETIMES = (
    (Path(__file__).parents[2] / "docs" / "beside-docker.md")
    .read_text()
    .partition("## On some hosts")
)
_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
SEEN = _ROW.findall(_ALWAYS)
LISTED = [*SEEN, *_ROW.findall(_SOMETIMES)]
"""Patterns of the paths that differ, and those of them that differ everywhere."""
POLICY = """
[roles.local]
host_network = true
host_ipc = true
host_pid = true
host_uts = true
privileged = true
capabilities = ["ALL"]
devices = ["*"]
device_rules = true
seccomp = "unconfined"
system_paths = true
"""


async def test_every_request_becomes_the_same_but_for_what_is_listed(
    site: Site, archive: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    daemon = site.start_moored({"policy": str(policy)})
    seen: dict[str, str] = {}
    with Dockerd(site.directory / "dockerd", Path(site.containerd.address.socket)) as dockerd:
        dockerd.load(archive)
        theirs = [dockerd.runtime_spec(pair.docker) for pair in PAIRS]
    async with Wire(daemon.address) as wire:
        for pair, their in zip(PAIRS, theirs, strict=True):
            for path, how in differences(their, await _ours(wire, pair)):
                seen.setdefault(path, f"{pair.name}: {path}: {how}")
    daemon.stop()
    unlisted = [first for path, first in seen.items() if not any(_fits(path, p) for p in LISTED)]
    assert unlisted == []
    assert [p for p in SEEN if not any(_fits(path, p) for path in seen)] == []


async def _ours(wire: Wire, pair: Pair) -> dict[str, object]:
    """Return the runtime spec as a start would have it: a user by number needs no look."""
    request = container_service_pb2.CreateRequest(spec=pair.spec, validate_only=True)
    answer = await wire.containers.Create(request, timeout=60, wait_for_ready=True)
    spec: dict[str, object] = json.loads(answer.plan.runtime_spec)
    return spec


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern.replace("[", "[[]"))
