"""Each run has files of its own that nobody else reads, and whatever was made can be removed."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from moored.model.identity import ContainerId
from moored.streams.output import Output, Stream, index_path
from tests.unit.outputs import BOX

if TYPE_CHECKING:
    from pathlib import Path

OTHER = ContainerId("0f" * 16)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "root")


def test_a_new_run_has_empty_files_that_only_the_service_may_read(
    output: Output, tmp_path: Path
) -> None:
    made = output.create(BOX, 1)
    assert made.stdout == tmp_path / "root" / "output" / BOX / "1" / "stdout"
    assert made.stderr == made.stdout.with_name("stderr")
    for stream in Stream:
        assert made.path(stream).read_bytes() == b""
        assert stat.S_IMODE(made.path(stream).stat().st_mode) == 0o600
    for directory in list(made.stdout.parents)[:3]:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_files_of_a_run_that_has_been_are_never_taken_for_another(output: Output) -> None:
    output.create(BOX, 1).stdout.write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        output.create(BOX, 1)
    assert output.paths(BOX, 1).stdout.read_bytes() == b"kept"


def test_a_run_is_found_while_its_files_are_there(output: Output) -> None:
    assert output.find(BOX, 1) is None
    made = output.create(BOX, 1)
    assert output.find(BOX, 1) == made
    assert output.find(BOX, 2) is None
    made.stderr.unlink()
    assert output.find(BOX, 1) is None


def test_runs_are_listed_by_number(output: Output) -> None:
    assert output.runs(BOX) == []
    for run in (10, 9, 1):
        output.create(BOX, run)
    assert output.runs(BOX) == [1, 9, 10]
    assert output.runs(OTHER) == []


def test_containers_with_output_are_listed_and_nothing_else_is(output: Output) -> None:
    assert output.containers() == []
    output.create(BOX, 1)
    output.create(OTHER, 3)
    (output.directory / "lost+found").mkdir()
    assert output.containers() == [OTHER, BOX]


def test_removing_a_run_leaves_the_others(output: Output) -> None:
    output.create(BOX, 1)
    output.create(BOX, 2)
    assert output.remove_run(BOX, 1)
    assert output.runs(BOX) == [2]
    assert not output.remove_run(BOX, 1)


def test_removing_the_only_run_leaves_nothing_of_the_container(output: Output) -> None:
    output.create(BOX, 1)
    assert output.remove_run(BOX, 1)
    assert list(output.directory.iterdir()) == []


def test_removing_a_run_that_was_half_made_leaves_nothing(output: Output) -> None:
    made = output.create(BOX, 1)
    made.stderr.unlink()
    assert output.remove_run(BOX, 1)
    assert list(output.directory.iterdir()) == []


def test_removing_a_container_removes_all_its_runs(output: Output) -> None:
    output.create(BOX, 1)
    output.create(BOX, 2)
    output.create(OTHER, 1)
    assert output.remove(BOX)
    assert output.containers() == [OTHER]
    assert not output.remove(BOX)


def test_what_is_no_id_never_becomes_a_path(output: Output) -> None:
    with pytest.raises(ValueError, match="cannot name output"):
        output.remove(ContainerId("../etc"))


def test_an_index_lies_beside_its_file(output: Output) -> None:
    made = output.create(BOX, 1)
    assert sorted(path.name for path in made.stdout.parent.iterdir()) == [
        "stderr",
        "stderr.floor",
        "stderr.index",
        "stdout",
        "stdout.floor",
        "stdout.index",
    ]
    assert index_path(made.stdout) == str(made.stdout) + ".index"
