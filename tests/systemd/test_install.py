"""docs/install.md, word for word, in a Debian that a real systemd boots.

Its commands install moored, which systemd then starts, watches, restarts and stops, while a
container runs on.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.real.deadlines import until
from tests.systemd.debian import PROJECT, Debian

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

DOCUMENT: Final = (PROJECT / "docs" / "install.md").read_text()
UNIT: Final = "moored"
IS_ENDED_WITHIN: Final = 90.0
"""More than the unit's WatchdogSec and TimeoutStopSec together need."""
PROGRAMS: Final = "/opt/moorage/bin"


def commands(heading: str) -> str:
    """Return what a section of the document tells one to type."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def debian(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    made = Debian(tmp_path_factory.mktemp("debian"))
    wheel = made.root / "root"
    subprocess.run(["make", "wheel"], cwd=PROJECT, check=True, capture_output=True, timeout=300)
    for path in (*(PROJECT / "dist").glob("*.whl"), archive):
        (wheel / path.name).write_bytes(path.read_bytes())
    made.before_boot(f"cd /root\n{commands('On Debian and its kin')}")
    with made:
        yield made


def moorage(debian: Debian, *words: str) -> str:
    return debian.call(f"{PROGRAMS}/moorage", *words)


def running(debian: Debian) -> str:
    """Return the pid of the process of a container that runs, as containerd has it."""
    listed = debian.call("ctr", "--namespace", "moorage", "tasks", "list").splitlines()[1:]
    (line,) = listed
    assert line.split()[2] == "RUNNING"
    return line.split()[1]


def test_what_the_document_says_installs_a_moored_that_serves(debian: Debian) -> None:
    assert debian.shown(UNIT, "ActiveState") == "active"
    assert debian.shown(UNIT, "StatusText") == "serves 0 containers"
    listed = debian.call("stat", "--format", "%a %U %G", "/run/moorage/moored.sock")
    assert listed == "660 root moorage\n"


def test_a_container_runs_on_while_systemd_restarts_stops_and_starts_moored(
    debian: Debian, archive: Path
) -> None:
    moorage(debian, "images", "import", f"/root/{archive.name}")
    moorage(debian, "run", "--detach", "--name", "web", "busybox", "sleep", "100000")
    process, first = running(debian), debian.shown(UNIT, "MainPID")
    debian.call("systemctl", "restart", UNIT)
    assert debian.shown(UNIT, "MainPID") != first
    assert running(debian) == process
    debian.call("systemctl", "stop", UNIT)
    assert debian.shown(UNIT, "Result") == "success"
    assert running(debian) == process
    debian.call("systemctl", "start", UNIT)
    assert "RUNNING" in moorage(debian, "ps")
    assert debian.shown(UNIT, "StatusText") == "serves 1 containers"
    moorage(debian, "cleanup", "--force", "--remove", "web")


def test_a_moored_that_answers_no_more_is_replaced_and_its_container_found(debian: Debian) -> None:
    moorage(debian, "run", "--detach", "--name", "web", "busybox", "sleep", "100000")
    process, first = running(debian), debian.shown(UNIT, "MainPID")
    debian.call("systemctl", "kill", "--kill-who=main", "--signal=STOP", UNIT)
    until(
        lambda: (
            debian.shown(UNIT, "MainPID") not in ("0", first)
            and debian.shown(UNIT, "ActiveState") == "active"
        ),
        "systemd has replaced it",
        within=IS_ENDED_WITHIN,
    )
    assert debian.shown(UNIT, "NRestarts") == "1"
    assert running(debian) == process
    assert "RUNNING" in moorage(debian, "ps")
    moorage(debian, "cleanup", "--force", "--remove", "web")


def test_settings_that_are_refused_end_it_for_good(debian: Debian) -> None:
    file = debian.root / "etc" / "moorage" / "moored.toml"
    good = file.read_text()
    file.write_text("sokcet_group = 1\n")
    with pytest.raises(AssertionError):
        debian.call("systemctl", "restart", UNIT)
    assert debian.shown(UNIT, "ExecMainStatus") == "2"
    assert debian.shown(UNIT, "ActiveState") == "failed"
    assert "did you mean 'socket_group'?" in debian.call("journalctl", "--unit", UNIT)
    file.write_text(good)
    debian.call("systemctl", "start", UNIT)
    assert debian.shown(UNIT, "ActiveState") == "active"


def test_what_the_document_says_upgrades_and_removes_it(debian: Debian) -> None:
    assert moorage(debian, "ps").count("\n") == 1
    upgrade = commands("Upgrading").replace("install --quiet", "install --quiet --no-index")
    debian.call("sh", "-ec", f"cd /root\n{upgrade}")
    assert debian.shown(UNIT, "ActiveState") == "active"
    debian.call("sh", "-ec", commands("Removing"))
    # containerd keeps an empty directory for each namespace that it ever had.
    places = ("/etc", "/opt", "/run", "/usr/local", "/var/lib")
    left = debian.call("find", *places, "-name", "moor*", "-not", "-path", "*/io.containerd.*")
    assert left == ""
    debian.call("systemctl", "daemon-reload")
    assert debian.shown(UNIT, "LoadState") == "not-found"
