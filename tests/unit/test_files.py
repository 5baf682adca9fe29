"""The law: a run's files are its own, and no link leads a write or a removal elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from moored.model.identity import ContainerId, RunId, run_id
from moored.storage.files import GeneratedFiles

_RUN = run_id(ContainerId("ab" * 16), 3)


_WEB = {"hosts": "127.0.0.1\tweb\n", "hostname": "web\n", "resolv.conf": ""}


@pytest.fixture
def files(tmp_path: Path) -> GeneratedFiles:
    return GeneratedFiles(tmp_path / "state")


def test_what_was_written_is_read_again(files: GeneratedFiles) -> None:
    written = files.write(_RUN, _WEB)
    assert Path(written["/etc/hosts"]).read_text() == "127.0.0.1\tweb\n"
    assert Path(written["/etc/hostname"]).read_text() == "web\n"
    assert files.read(_RUN) == _WEB


def test_a_text_that_is_rewritten_is_seen_where_the_file_is_shown(files: GeneratedFiles) -> None:
    written = files.write(_RUN, _WEB)
    with Path(written["/etc/hosts"]).open() as shown:
        files.rewrite(_RUN, "hosts", "10.0.0.2\tweb\n")
        assert shown.read() == "10.0.0.2\tweb\n"


def test_a_link_in_the_place_of_a_file_is_not_rewritten(
    files: GeneratedFiles, tmp_path: Path
) -> None:
    written = files.write(_RUN, _WEB)
    Path(written["/etc/hosts"]).unlink()
    (tmp_path / "precious").write_text("precious")
    Path(written["/etc/hosts"]).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="Too many levels"):
        files.rewrite(_RUN, "hosts", "x")
    assert (tmp_path / "precious").read_text() == "precious"


def test_everybody_in_the_container_may_read_them(files: GeneratedFiles) -> None:
    before = os.umask(0o077)
    try:
        written = files.write(_RUN, _WEB)
    finally:
        os.umask(before)
    places = [Path(place) for place in written.values()]
    assert {stat.S_IMODE(place.stat().st_mode) for place in places} == {0o644}
    assert {stat.S_IMODE(place.parent.stat().st_mode) for place in places} == {0o755}


def test_writing_again_replaces_and_does_not_rewrite(files: GeneratedFiles) -> None:
    written = files.write(_RUN, {"hostname": "old\n"})
    with Path(written["/etc/hostname"]).open() as shown:
        files.write(_RUN, {"hostname": "new\n"})
        assert shown.read() == "old\n"
    assert Path(written["/etc/hostname"]).read_text() == "new\n"


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(
    files: GeneratedFiles, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    written = files.write(_RUN, _WEB)
    Path(written["/etc/hosts"]).unlink()
    Path(written["/etc/hosts"]).symlink_to(precious)
    files.write(_RUN, _WEB)
    assert precious.read_text() == "precious"
    assert not Path(written["/etc/hosts"]).is_symlink()


def test_a_link_in_the_place_of_the_directory_is_replaced_not_followed(
    files: GeneratedFiles, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "state" / "runs").mkdir(parents=True)
    (tmp_path / "state" / "runs" / _RUN).symlink_to(elsewhere)
    files.write(_RUN, _WEB)
    assert list(elsewhere.iterdir()) == []


def test_removing_a_link_leaves_what_it_leads_to(files: GeneratedFiles, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (tmp_path / "state" / "runs").mkdir(parents=True)
    (tmp_path / "state" / "runs" / _RUN).symlink_to(elsewhere)
    assert files.remove(_RUN)
    assert (elsewhere / "precious").exists()
    assert files.list() == []


def test_what_was_written_is_removed_whole_and_once(files: GeneratedFiles, tmp_path: Path) -> None:
    files.write(_RUN, _WEB)
    assert files.remove(_RUN)
    assert not files.remove(_RUN)
    assert list((tmp_path / "state" / "runs").iterdir()) == []


def test_only_runs_are_listed(files: GeneratedFiles, tmp_path: Path) -> None:
    assert files.list() == []
    files.write(_RUN, _WEB)
    (tmp_path / "state" / "runs" / "not-ours").mkdir()
    assert files.list() == [_RUN]


@pytest.mark.parametrize("name", ["..", "../../etc", "", f"{_RUN}/.."])
def test_what_is_no_run_has_no_files(files: GeneratedFiles, name: str) -> None:
    with pytest.raises(ValueError, match="no run"):
        files.remove(RunId(name))
