"""A real Prometheus, as we configure it, asks a real moored: each query of ours has an answer."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from moorage.v1 import container_pb2, health_pb2
from tests.real.deadlines import until
from tests.real.specs import IMAGE, shell
from tests.real.wire import Wire, duration, refused
from tests.unit.test_telemetry_files import BOARDS, PLACE, expressions, rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.site import Site

pytestmark = [pytest.mark.real, pytest.mark.soak, pytest.mark.timeout(300)]

SCRAPED_WITHIN: Final = 60.0
MACROS: Final = {"$__rate_interval": "1m", "$__range": "5m", "$instance": ".*"}
NEVER_HERE: Final = (
    "moored_orphans",
    "moored_leftovers",
    "moored_interferences",
    "moored_restarts",
    "undo",
    "admit.claim",
    "container_disk_io",
    "oom_kills",
)
"""What a host where all is well has no numbers of; the others have to have some."""


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def prometheus(home: Path, target: str) -> Iterator[str]:
    """Run one with our configuration, but for its target and its pace; yield its address."""
    home.mkdir()
    shutil.copy(PLACE / "alerts.yaml", home)
    settings = yaml.safe_load((PLACE / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (home / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = free_address()
    command = [
        *("prometheus", "--config.file", str(home / "prometheus.yaml")),
        *("--storage.tsdb.path", str(home / "data"), "--web.listen-address", address),
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(30)


def ask(address: str, path: str, **query: str) -> Any:
    url = f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        told = json.load(answer)
    assert told["status"] == "success"
    return told["data"]


def is_scraped(address: str, times: int) -> bool:
    try:
        found = ask(address, "query", query="count_over_time(up[5m])")["result"]
    except OSError:
        return False
    return bool(found) and int(found[0]["value"][1]) >= times


async def test_every_query_of_the_dashboards_is_answered_with_numbers(
    site: Site, tmp_path: Path
) -> None:
    target = free_address()
    daemon = site.start_moored(
        {"metrics_listen": target, "metrics_containers": "true", "network": "bridge"}
    )
    probe = health_pb2.HealthCheck(exec=health_pb2.ExecProbe(args=["true"]), interval=duration(1))
    limits = container_pb2.Resources(memory_limit=64 * 2**20)
    busy = shell("while :; do :; done", name="busy", resources=limits, health_check=probe)
    async with Wire(daemon.address) as wire:
        box = await wire.run(busy)
        await fail(wire)
        with prometheus(tmp_path / "prometheus", target) as address:
            until(lambda: is_scraped(address, 3), "it was scraped", within=SCRAPED_WITHIN)
            ended = await wire.run(shell("exit 3"))
            await wire.wait(ended.id)
            await fail(wire)
            await wire.remove(ended.id)
            until(lambda: is_scraped(address, 15), "it was scraped again", within=SCRAPED_WITHIN)
            macros = {**MACROS, "$id": box.id, "$container": "busy"}
            silent = [
                expression
                for board in BOARDS
                for each in expressions(board)
                for expression in (filled(each, macros),)
                if not ask(address, "query", query=expression)["result"]
                and not any(word in expression for word in NEVER_HERE)
            ]
            loaded = ask(address, "rules")["groups"][0]["rules"]
            firing = ask(address, "alerts")["alerts"]
        await wire.remove(box.id)
    daemon.stop()
    assert silent == []
    assert [rule["name"] for rule in loaded] == [rule["alert"] for rule in rules()]
    assert {rule["health"] for rule in loaded} == {"ok"}
    assert [alert for alert in firing if alert["state"] == "firing"] == []


async def fail(wire: Wire) -> None:
    """Let two starts fail, of which one is refused before it began."""
    await refused(wire.run(container_pb2.ContainerSpec(image="nosuch:1")))
    await refused(
        wire.run(container_pb2.ContainerSpec(image=IMAGE, command=["nosuch"], auto_remove=True))
    )


def filled(expression: str, macros: dict[str, str]) -> str:
    for macro in sorted(macros, key=len, reverse=True):
        expression = expression.replace(macro, macros[macro])
    assert not re.search(r"\$\w", expression)
    return expression


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yaml"),
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts_test.yaml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *words], cwd=PLACE, timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong_with_what_moored_says(site: Site) -> None:
    target = free_address()
    daemon = site.start_moored({"metrics_listen": target, "metrics_containers": "true"})
    with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
        said = answer.read()
    daemon.stop()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=said, timeout=60, capture_output=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr  # 3: names against its taste
