"""The index tells when each byte was written; sizes rise, times never fall, whatever happens."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moored.streams.index import Forward, Index, Record, Segment, append, append_all
from moored.streams.output import index_path

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)), min_size=0, max_size=600).map(
    lambda steps: [
        Record(sum(size for size, _ in steps[: n + 1]), 100 + sum(t for _, t in steps[: n + 1]))
        for n in range(len(steps))
    ]
)
"""Rising sizes, times that never fall."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "stdout"
    Path(index_path(made)).touch()
    return made


@contextmanager
def written(file: Path, *records: tuple[int, int]) -> Iterator[Index]:
    """The index of ``file`` once these records were added."""
    for record in records:
        append(file, Record(*record))
    index = Index(file)
    yield index
    index.close()


def block(file: Path, *records: tuple[int, int]) -> list[Record]:
    with written(file, *records) as index:
        return index.block(0)


def test_a_record_that_tells_nothing_new_is_left_out(file: Path) -> None:
    assert append(file, Record(5, 10))
    assert not append(file, Record(5, 11))
    assert not append(file, Record(4, 12))
    assert block(file) == [(5, 10)]


def test_an_empty_file_needs_no_record(file: Path) -> None:
    assert not append(file, Record(0, 10))
    assert block(file) == []


def test_times_never_fall_though_clocks_do(file: Path) -> None:
    assert block(file, (5, 10), (6, 3), (7, 12)) == [(5, 10), (6, 10), (7, 12)]


def test_half_a_record_is_overwritten_by_the_next(file: Path) -> None:
    append(file, Record(5, 10))
    with Path(index_path(file)).open("ab") as opened:
        opened.write(b"\x01\x02\x03")
    assert block(file, (6, 11)) == [(5, 10), (6, 11)]


def test_zeros_that_a_power_cut_left_are_overwritten_by_the_next(file: Path) -> None:
    append(file, Record(5, 10))
    with Path(index_path(file)).open("ab") as opened:
        opened.write(bytes(48))
    assert block(file) == [(5, 10)]
    assert block(file, (6, 11)) == [(5, 10), (6, 11)]


def test_a_removed_index_does_not_come_back(file: Path) -> None:
    Path(index_path(file)).unlink()
    assert not append(file, Record(5, 10))
    assert not Path(index_path(file)).exists()
    assert block(file) == []
    with written(file) as index:
        assert list(index.backwards(5, 20)) == [Segment(0, 5, 20)]


def test_one_index_that_cannot_be_written_does_not_stop_the_others(
    file: Path, tmp_path: Path
) -> None:
    Path(index_path(tmp_path / "stderr")).mkdir()
    failure = append_all({str(tmp_path / "stderr"): Record(1, 1), str(file): Record(2, 2)})
    assert isinstance(failure, IsADirectoryError)
    assert block(file) == [(2, 2)]
    assert append_all({str(file): Record(3, 3)}) is None


def test_since_is_the_end_of_what_was_written_before(file: Path) -> None:
    with written(file, (5, 10), (8, 20), (9, 20), (12, 30)) as index:
        assert [index.since(time) for time in (0, 10, 11, 20, 21, 30, 31)] == [0, 0, 5, 5, 9, 9, 12]


def test_what_no_record_covers_was_written_when_the_file_was_modified(file: Path) -> None:
    with written(file, (5, 10), (8, 20)) as index:
        assert list(index.backwards(11, 30)) == [(8, 11, 30), (5, 8, 20), (0, 5, 10)]


def test_looking_back_times_never_rise_though_clocks_do(file: Path) -> None:
    with written(file, (5, 10)) as index:
        assert list(index.backwards(8, 3)) == [(5, 8, 10), (0, 5, 10)]


def test_looking_back_from_the_middle_starts_with_the_record_that_covers_it(file: Path) -> None:
    with written(file, (5, 10), (8, 20), (12, 30)) as index:
        assert list(index.backwards(7, 99)) == [(5, 7, 20), (0, 5, 10)]


def test_looking_forward_sees_records_that_come_meanwhile(file: Path) -> None:
    with written(file, (5, 10)) as index:
        forward = Forward(index, 0)
        assert forward.cover(4) == (5, 10)
        assert forward.cover(5) is None
        append(file, Record(9, 20))
        assert forward.cover(5) == (9, 20)


@settings(deadline=None)
@given(RECORDS, st.integers(0, 700), st.integers(0, 40000))
def test_both_directions_and_both_searches_agree(
    records: list[Record], unseen: int, anywhere: int
) -> None:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "stdout"
        Path(index_path(file)).touch()
        end = (records[-1].size if records else 0) + unseen
        modified = (records[-1].time if records else 100) + 1
        offset = anywhere % (end + 1)
        times = (0, 100, modified - 1, modified)
        with written(file, *records) as index:
            back = list(index.backwards(end, modified))
            cover = Forward(index, offset).cover(offset)
            since = [index.since(time) for time in times]
    assert [segment.end for segment in back][:1] == ([end] if end else [])
    assert all(one.start == two.end for one, two in pairwise(back))
    assert all(one.time >= two.time for one, two in pairwise(back))
    assert cover == next((record for record in records if record.size > offset), None)
    assert since == [max([0, *(r.size for r in records if r.time < time)]) for time in times]
