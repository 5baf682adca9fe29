"""The profile that comes along is what AppArmor's own compiler takes, whole, by the name asked for.

Compiled for a kernel that enforces all that AppArmor 3.0 knows, and loaded into none.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from moored.oci.confinement import DEFAULT_APPARMOR

PROFILE: Final = Path(__file__).parents[2] / "packaging" / "apparmor" / "moorage-default"
KERNEL: Final = "/etc/apparmor.d/abi/3.0"


def compiled(profile: Path, *options: str) -> bytes:
    command = ["apparmor_parser", "--skip-kernel-load", "--skip-cache", "--kernel-features", KERNEL]
    done = subprocess.run(
        [*command, "--Werror", *options, profile], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_it_has_the_name_that_moored_looks_for() -> None:
    assert compiled(PROFILE, "--names").decode().split() == [DEFAULT_APPARMOR]


@pytest.mark.parametrize("rule", ["deny mount,", "deny @{PROC}/kcore", "deny /sys/kernel/debug/"])
def test_each_rule_counts(rule: str, tmp_path: Path) -> None:
    lines = PROFILE.read_text().splitlines(keepends=True)
    without = tmp_path / "without"
    without.write_text("".join(line for line in lines if rule not in line))
    assert without.read_text() != PROFILE.read_text()
    assert compiled(PROFILE, "--stdout") != compiled(without, "--stdout")
