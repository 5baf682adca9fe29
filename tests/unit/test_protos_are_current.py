"""The committed code is what the pinned generator makes of the protos, byte by byte."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tools import protos

if TYPE_CHECKING:
    from pathlib import Path

# The first run makes the generator's environment.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("protos")
    protos.generate(tree)
    return tree


def test_committed_code_is_what_the_generator_writes(fresh: Path) -> None:
    assert protos.differences(fresh) == []


def test_a_changed_and_a_missing_file_are_both_named(fresh: Path, tmp_path: Path) -> None:
    changed = "client/moorage/v1/container_pb2.py"
    missing = "server/moored/containerd_api/tasks_pb2.pyi"
    tree = shutil.copytree(fresh, tmp_path / "tree")
    with (tree / changed).open("a") as file:
        file.write("# edited by hand\n")
    (tree / missing).unlink()

    assert protos.differences(tree) == [changed, missing]
