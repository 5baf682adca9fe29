"""Beside a running dockerd that drops what it does not know: both work, and neither is changed.

Long, and needs docker.io: ``make beside`` runs it.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.identity import RunId
from moored.model.ports import PortMapping
from tests.real.dockerd import Dockerd
from tests.real.machines import heard_by_tcp
from tests.real.town import HOST, NEIGHBOUR, ONE, TABLE, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moored.network.firewall import Firewall

pytestmark = [pytest.mark.real, pytest.mark.soak]

RUN = RunId("1.1")
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"
SERVE = "mkdir /www && echo docker > /www/index.html && exec httpd -f -p 80 -h /www"


@pytest.fixture
def town() -> Iterator[Town]:
    with Town() as built:
        # Or Docker finds it on, and has nobody to keep out.
        built.host.sysctl("ipv4/ip_forward", "0")
        yield built


@pytest.fixture
def docker(town: Town, tmp_path: Path, archive: Path) -> Iterator[Dockerd]:
    """One that runs a container, which serves a page on the host's port 9080."""
    with Dockerd(town.host, tmp_path) as running:
        running.call("load", "--input", str(archive))
        words = ("--detach", "--name", "theirs", "--publish", "9080:80", "busybox", "sh", "-c")
        running.call("run", *words, SERVE)
        yield running


def ours_flows(town: Town) -> bool:
    with town.neighbour.socket(socket.SOCK_STREAM, NEIGHBOUR, 99) as outside:
        out = heard_by_tcp(town.one, (NEIGHBOUR, 99), outside) == HOST
    with town.one.socket(socket.SOCK_STREAM, "0.0.0.0", 80) as inside:
        return out and heard_by_tcp(town.neighbour, (HOST, 8080), inside) == NEIGHBOUR


def theirs_flows(town: Town, docker: Dockerd) -> bool:
    """Whether Docker's container is reached from outside, and gets out."""
    page = town.neighbour.command(sys.executable, "-c", GET, f"http://{HOST}:9080/")
    with town.neighbour.socket(socket.SOCK_STREAM, NEIGHBOUR, 98) as outside:
        docker.call("exec", "theirs", "sh", "-c", f"timeout 1 nc {NEIGHBOUR} 98 || true")
        heard, peer = outside.accept()
        with heard:
            return page.strip() == "docker" and peer[0] == HOST


def join(town: Town, firewall: Firewall) -> None:
    town.host.run(lambda: firewall.join(RUN, [ONE], [PortMapping(80, 8080)]))


def leave(town: Town, firewall: Firewall) -> None:
    assert town.host.run(lambda: firewall.leave(RUN))


def test_cooperating_both_work_and_all_is_as_before(town: Town, docker: Dockerd) -> None:
    firewall, kernel = town.firewall("cooperate")
    before = town.host.rules()
    assert "policy drop" in before
    assert theirs_flows(town, docker)
    join(town, firewall)
    assert ours_flows(town)
    assert theirs_flows(town, docker)
    users = town.host.nft("list", "chain", "ip", "filter", "DOCKER-USER")
    assert users.count(TABLE) == 2
    leave(town, firewall)
    assert town.host.rules() == before
    assert theirs_flows(town, docker)
    kernel.close()


def test_owning_says_that_docker_blocks_and_changes_nothing(town: Town, docker: Dockerd) -> None:
    firewall, kernel = town.firewall("own")
    before = town.host.rules()
    with pytest.raises(errors.ForwardingBlocked) as refused:
        join(town, firewall)
    assert refused.value.facts == {"chain": "ip filter FORWARD"}
    leave(town, firewall)
    assert town.host.rules() == before
    assert theirs_flows(town, docker)
    kernel.close()


def test_docker_that_comes_later_does_not_cut_us_off(
    town: Town, tmp_path: Path, archive: Path
) -> None:
    firewall, kernel = town.firewall("cooperate")
    join(town, firewall)
    town.host.sysctl("ipv4/ip_forward", "0")
    with Dockerd(town.host, tmp_path) as running:
        running.call("load", "--input", str(archive))
        town.host.run(firewall.mend)
        assert ours_flows(town)
        leave(town, firewall)
        assert TABLE not in town.host.rules()
    kernel.close()
