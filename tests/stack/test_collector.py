"""A real collector, of the release that compose runs, takes our configuration and a moored's spans.

`make stack` builds it of its modules: the image itself is in no registry of packages.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.real.collector import collecting
from tests.real.deadlines import eventually
from tests.real.ports import unused_port
from tests.real.wire import Wire
from tests.unit.test_telemetry_files import PLACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.collector import Collector
    from tests.real.site import Site

pytestmark = [pytest.mark.real, pytest.mark.soak]

PROGRAM: Final = str(Path(__file__).parent / "collector" / "build" / "collector")
CONFIGURATION: Final = PLACE / "collector.yaml"
WITHIN: Final = 60.0


def validated(configuration: Path) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "validate", "--config", str(configuration)]
    return subprocess.run(command, timeout=WITHIN, capture_output=True, text=True, check=False)


def test_the_collector_finds_nothing_wrong() -> None:
    done = validated(CONFIGURATION)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("changed", [("limit_mib", "limit_mob"), ("[otlp]", "[otlq]")])
def test_the_collector_finds_what_is_wrong(tmp_path: Path, changed: tuple[str, str]) -> None:
    wrong = tmp_path / "collector.yaml"
    wrong.write_text(CONFIGURATION.read_text().replace(*changed))
    assert validated(wrong).returncode != 0


@contextmanager
def running(place: Path, listen: str, jaeger: str) -> Iterator[None]:
    """Run one with our configuration, but for where it listens and who is in Jaeger's place."""
    settings: Any = yaml.safe_load(CONFIGURATION.read_text())
    settings["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] = listen
    settings["exporters"]["otlp"]["endpoint"] = jaeger
    settings["service"]["telemetry"] = {"metrics": {"level": "none"}}
    own = place / "collector.yaml"
    own.write_text(yaml.safe_dump(settings))
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "--config", str(own)], stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(WITHIN) == 0, (place / "log").read_text()


async def test_spans_of_a_moored_pass_through_it(site: Site, tmp_path: Path) -> None:
    entrance = f"127.0.0.1:{unused_port()}"
    passed = "moorage.v1.ContainerService/List"
    with collecting() as jaeger, running(tmp_path, entrance, jaeger.address.partition("//")[2]):
        moored = site.moored()
        moored.spans_to = f"http://{entrance}"
        moored.start()
        async with Wire(moored.address) as wire:
            await wire.list()
        moored.stop()
        await eventually(partial(_has, jaeger, passed), "they pass")


async def _has(jaeger: Collector, name: str) -> bool:
    return name in {span.name for span in jaeger.spans}
