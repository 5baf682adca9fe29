"""``moorage volume`` and the options of mounts, as people use them, on the real thing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from moorage import Client, errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.real.moored import Moored

pytestmark = pytest.mark.real


@pytest.fixture
def moorage(mounting: Moored) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "moorage", "--address", mounting.address, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_a_volume_is_made_used_shown_and_removed(
    moorage: Callable[..., subprocess.CompletedProcess[str]], bind_root: Path
) -> None:
    assert moorage("volume", "create", "-l", "a=b", "cli").stdout == "cli\n"
    ran = moorage(
        *("run", "--rm", "--network", "none", "-v", "cli:/v", "-v", f"{bind_root}/cli:/b"),
        *("--tmpfs", "/t:size=1m", "--mount", "type=volume,dst=/anon"),
        *("busybox", "sh", "-c", "echo said > /v/f; cp /v/f /b/f; ls -d /t /anon"),
    )
    assert (ran.returncode, ran.stdout) == (0, "/anon\n/t\n"), ran.stderr
    assert (bind_root / "cli" / "f").read_text() == "said\n"
    listed = json.loads(moorage("volume", "ls", "--json").stdout)["volumes"]
    assert [(one["name"], one["labels"]) for one in listed] == [("cli", {"a": "b"})]
    assert "label" in moorage("volume", "inspect", "cli").stdout
    assert moorage("volume", "ls", "-q", "-f", "in-use=false").stdout == "cli\n"
    assert moorage("volume", "rm", "cli").stdout == "cli\n"
    missing = moorage("volume", "rm", "cli")
    assert missing.returncode != 0
    assert "no volume has this name" in missing.stderr


def test_prune_takes_names_only_if_told(
    moorage: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    moorage("volume", "create", "named")
    anonymous = moorage("volume", "create").stdout.strip()
    assert moorage("volume", "prune").stdout.split() == [anonymous]
    assert moorage("volume", "prune", "--all").stdout == "named\n"


async def test_the_client_has_the_same(mounting: Moored) -> None:
    async with Client(mounting.address) as client:
        made = (await client.create_volume("client", labels={"x": "y"})).volume
        assert (await client.inspect_volume("client")).volume == made
        assert [one.name async for one in client.list_all_volumes(page_size=1)] == ["client"]
        await client.remove_volume("client")
        with pytest.raises(errors.VolumeNotFound):
            await client.inspect_volume("client")
        assert not (await client.prune_volumes(all=True)).removed
