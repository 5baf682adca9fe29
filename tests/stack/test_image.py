"""The image of moored, built from our Dockerfile and run as docker-compose.yml says.

On a base of our own making, since the tests have no registry; on a containerd that is the test's,
at paths that are the test's. All else is as users have it.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from demo.demo import one_container
from moored.model import capabilities
from tests.outside.world import Place
from tests.real.deadlines import until
from tests.stack.docker import Docker
from tests.systemd.debian import PROJECT, Debian

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.site import Site

pytestmark = [pytest.mark.real, pytest.mark.soak, pytest.mark.timeout(1800)]

COMPOSE: Final = PROJECT / ".cache/compose/usr/libexec/docker/cli-plugins/docker-compose"
SERVICE: Final = "moored"
BASE: Final = "local/base:1"
INSTANCE: Final = "stack"
BUILD_WITHIN: Final = 900.0
HEALTHY_WITHIN: Final = 60.0


@contextmanager
def shared(directory: Path) -> Iterator[None]:
    """Let mounts below a directory be seen on both sides, as systemd has it for all of a host."""
    for words in (("--bind", str(directory), str(directory)), ("--make-shared", str(directory))):
        subprocess.run(["mount", *words], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True, timeout=10)


@pytest.fixture
def docker(own_site: Site) -> Iterator[Docker]:
    # Its containerd's socket needs a short path.
    with (
        TemporaryDirectory(prefix="mgd.", dir="/tmp") as home,
        shared(own_site.directory),
        Docker(Path(home) / "d", COMPOSE) as running,
    ):
        yield running


def base_image(docker: Docker, place: Path) -> None:
    """Let there be a Debian with Python, as the Dockerfile wants one."""
    place.mkdir()
    debian = Debian(place)
    with subprocess.Popen(
        ["tar", "--create", "--directory", str(debian.root), "."], stdout=subprocess.PIPE
    ) as packing:
        assert packing.stdout is not None
        docker.call("import", "-", BASE, stdin=packing.stdout.fileno(), within=BUILD_WITHIN)


def of_this_test(site: Site, file: Path) -> Path:
    """Write what differs from docker-compose.yml: where the host's containerd is, and moored."""
    home = site.directory / INSTANCE
    options = {
        "--containerd": site.containerd.address.socket,
        "--root": f"{home}/root",
        "--state": f"{home}/state",
        "--listen": f"unix://{home}/state/moored.sock",
        "--instance": INSTANCE,
    }
    service = {
        "build": {"context": str(PROJECT), "network": "host", "args": {"BASE": BASE}},
        "command": [word for option in options.items() for word in option],
        # Where root itself has not all capabilities, "privileged" cannot be had: what it has, then.
        "privileged": False,
        "cap_add": sorted(name.removeprefix("CAP_") for name in bounding_set()),
        "security_opt": ["seccomp=unconfined", "systempaths=unconfined"],
        "device_cgroup_rules": ["a *:* rwm"],
        "environment": {
            "MOORED_METRICS_LISTEN": "",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "",
            "OTEL_TRACES_EXPORTER": "none",
            "MOORAGE_ADDRESS": options["--listen"],
        },
        "volumes": [
            {
                "type": "bind",
                "source": str(site.directory),
                "target": str(site.directory),
                "bind": {"propagation": "rshared"},
            },
            "/sys/fs/cgroup:/sys/fs/cgroup",
        ],
    }
    # In place of those, and not beside them: this host's own directories are nobody's here.
    written = yaml.safe_dump({"services": {SERVICE: service}})
    file.write_text(written.replace("volumes:", "volumes: !override"))
    return file


async def test_the_image_that_we_ship_passes_the_demo(
    own_site: Site, docker: Docker, archive: Path, tmp_path: Path
) -> None:
    base_image(docker, tmp_path / "base")
    override = of_this_test(own_site, tmp_path / "override.yml")
    files = ("-f", str(PROJECT / "docker-compose.yml"), "-f", str(override), "-p", INSTANCE)
    docker.compose(*files, "build", SERVICE, within=BUILD_WITHIN)
    docker.compose(*files, "up", "--detach", "--no-deps", SERVICE)
    container = docker.compose(*files, "ps", "--quiet", SERVICE).strip()
    try:
        until(
            lambda: inspected(docker, container, "{{.State.Health.Status}}") == "healthy",
            "the image's own check finds it healthy",
            within=HEALTHY_WITHIN,
        )
        place = Place(own_site.containerd.address, own_site.directory, frozenset({INSTANCE}))
        address = f"unix://{own_site.directory}/{INSTANCE}/state/moored.sock"
        await one_container(address, place, archive)
        docker.compose(*files, "stop", SERVICE)
        assert inspected(docker, container, "{{.State.ExitCode}}") == "0"
    except BaseException:
        print(docker.call("logs", container))
        raise
    finally:
        docker.compose(*files, "down")


def bounding_set() -> frozenset[str]:
    """Return the capabilities that root may have here, but for those that dockerd may not know."""
    status = Path("/proc/self/status").read_text()
    mask = int(status.partition("CapBnd:")[2].split()[0], 16)
    return capabilities.of_mask(mask) - {"CAP_BPF", "CAP_PERFMON", "CAP_CHECKPOINT_RESTORE"}


def inspected(docker: Docker, container: str, template: str) -> str:
    return docker.call("inspect", "--format", template, container).strip()


def test_compose_understands_the_whole_file(tmp_path: Path) -> None:
    said = subprocess.run(
        [str(COMPOSE), "-f", str(PROJECT / "docker-compose.yml"), "config", "--format", "json"],
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    ).stdout
    services = json.loads(said)["services"]
    assert set(services) == {"moored", "collector", "jaeger", "prometheus", "grafana"}
