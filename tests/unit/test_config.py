"""The law: what was written last wins, nothing written is ignored, and a refusal is one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moored.config import Settings, load, show, socket_path
from moored.errors import SetupRefused

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty file of settings: without one, the machine's own would count."""
    path = tmp_path / "moored.toml"
    path.touch()
    return path


def _refusal(file: Path, flags: Mapping[str, object] | None = None, **environ: str) -> str:
    with pytest.raises(SetupRefused) as refused:
        load(file, flags or {}, environ)
    assert "\n" not in refused.value.message
    return refused.value.message


def test_nothing_given_means_the_defaults(file: Path) -> None:
    settings = load(file, {}, {"PATH": "/bin"})
    assert settings == Settings()
    assert settings.listen == ("unix:///run/moorage/moored.sock",)
    assert settings.origin("listen") == "default"


def test_a_flag_beats_the_environment_and_that_the_file(file: Path) -> None:
    file.write_text('root = "/file"\nstate = "/file-state"\ninstance = "file"\n')
    environ = {"MOORED_ROOT": "/environment", "MOORED_STATE": "/environment-state"}
    settings = load(file, {"root": "/flag", "instance": None}, environ)
    assert str(settings.root) == "/flag"
    assert str(settings.state) == "/environment-state"
    assert settings.instance == "file"
    assert settings.origin("root") == "flag --root"
    assert settings.origin("state") == "environment MOORED_STATE"
    assert settings.origin("instance") == f"file {file}"


def test_the_socket_follows_the_state_directory(file: Path) -> None:
    assert load(file, {"state": "/elsewhere"}, {}).listen == ("unix:///elsewhere/moored.sock",)


def test_the_environment_may_name_the_file(file: Path) -> None:
    file.write_text('instance = "named"\n')
    assert load(None, {}, {"MOORED_CONFIG": str(file)}).instance == "named"


def test_several_values_are_separated_by_commas(file: Path) -> None:
    environ = {
        "MOORED_LISTEN": "unix:///a/b, tcp://[::1]:50",
        "MOORED_RUNTIMES": "runc=/usr/sbin/runc,mine=/opt/mine",
    }
    settings = load(file, {}, environ)
    assert settings.listen == ("unix:///a/b", "tcp://[::1]:50")
    assert settings.runtimes == {"runc": "/usr/sbin/runc", "mine": "/opt/mine"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("2.5", 2.5), ("500ms", 0.5), ("10s", 10), ("2m", 120)]
)
def test_durations_are_seconds_or_have_a_unit(file: Path, text: str, seconds: float) -> None:
    assert load(file, {}, {"MOORED_STEP_TIMEOUT": text}).step_timeout == seconds


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("1KiB", 1024), ("2 GiB", 2**31)])
def test_sizes_are_bytes_or_have_a_unit(file: Path, text: str, size: int) -> None:
    assert load(file, {}, {"MOORED_LARGEST_IMPORT": text}).largest_import == size


def test_a_file_mode_is_octal(file: Path) -> None:
    file.write_text("socket_mode = 0o600\n")
    assert load(file, {}, {}).socket_mode == 0o600
    assert load(file, {}, {"MOORED_SOCKET_MODE": "0666"}).socket_mode == 0o666


def test_containerd_is_found_or_started_or_at_a_socket(file: Path) -> None:
    assert load(file, {"containerd": "embedded"}, {}).containerd == "embedded"
    assert load(file, {"containerd": "unix:///x/y.sock"}, {}).containerd == "/x/y.sock"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("listen", "unix://relative"),
        ("listen", "unix:/one-slash"),
        ("listen", "unix:///" + "x" * 107),
        ("listen", "tcp://0.0.0.0:50051"),
        ("listen", "tcp://example.org:50051"),
        ("listen", "tcp://localhost:65536"),
        ("listen", "127.0.0.1:50051"),
        ("listen", ""),
        ("root", "relative"),
        ("root", "/a/../b"),
        ("root", "/"),
        ("state", "/" + "x" * 100),
        ("containerd", "run/containerd.sock"),
        ("runtime", "youki"),
        ("runtimes", "runc"),
        ("instance", "Upper"),
        ("instance", "-x"),
        ("instance", "x" * 32),
        ("instance", "a/b"),
        ("step_timeout", "0"),
        ("step_timeout", "soon"),
        ("step_timeout", "nan"),
        ("undo_timeout", "-1"),
        ("largest_import", "1GB"),
        ("largest_message", "0"),
        ("socket_mode", "999"),
        ("socket_mode", "01777"),
        ("concurrent_starts", "-1"),
        ("event_retention", "0"),
        ("metrics_listen", "9464"),
        ("metrics_listen", "localhost:http"),
        ("metrics_listen", "127.0.0.1:70000"),
        ("allow_host_network", "maybe"),
        ("log_format", "xml"),
        ("log_level", "loud"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused_with_its_variable(
    file: Path, name: str, text: str
) -> None:
    refusal = _refusal(file, {}, **{f"MOORED_{name.upper()}": text})
    assert refusal.startswith(f"cannot use {name} = {text!r} (environment MOORED_{name.upper()}): ")


def test_a_default_that_does_not_fit_what_was_given_is_refused(file: Path) -> None:
    refusal = _refusal(file, MOORED_ROOT="/run/moorage")
    assert refusal.startswith("cannot use state = '/run/moorage' (default): ")
    refusal = _refusal(file, MOORED_RUNTIMES="mine=/opt/mine")
    assert refusal.startswith(
        "cannot use runtime = 'runc' (default): must be one of runtimes: mine"
    )


def test_a_name_that_is_nearly_right_is_refused_with_the_right_one(file: Path) -> None:
    assert "did you mean 'runtime'?" in _refusal(file, MOORED_RUNTME="runc")
    file.write_text("step_timout = 3\n")
    refusal = _refusal(file)
    assert str(file) in refusal
    assert "did you mean 'step_timeout'?" in refusal


def test_a_name_that_is_nothing_is_refused_with_all_there_are(file: Path) -> None:
    refusal = _refusal(file, flags={"zzz": 1})
    assert "flag --zzz" in refusal
    assert "allow_host_network, audit_interval, " in refusal


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "absent.toml")
    assert "directory" in _refusal(tmp_path)


@pytest.mark.parametrize("content", [b"root = ", b"\xff"])
def test_a_file_that_cannot_be_read_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert _refusal(file).startswith(f"cannot read settings from '{file}'")


def test_settings_do_not_change(file: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(file, {}, {}).root = Path("/other")


def test_what_is_shown_can_be_loaded_again(tmp_path: Path, file: Path) -> None:
    given = {"root": '/with "quotes"', "listen": ["unix:///a", "unix:///b"], "socket_mode": "0600"}
    settings = load(file, given, {"MOORED_STEP_TIMEOUT": "500ms"})
    again = tmp_path / "again.toml"
    again.write_text(show(settings))
    loaded = load(again, {}, {})
    assert loaded.model_dump() == settings.model_dump()
    assert "step_timeout = 0.5  # environment MOORED_STEP_TIMEOUT" in show(settings)
    assert "undo_timeout = 10.0  # default" in show(settings)


def test_the_path_of_a_socket_is_known_and_tcp_has_none() -> None:
    assert socket_path("unix:///a/b") == Path("/a/b")
    assert socket_path("tcp://localhost:1") is None


def test_the_default_network_is_the_bridge_and_never_the_hosts(file: Path) -> None:
    assert load(file, {}, {}).network == "bridge"
    assert load(file, {}, {"MOORED_NETWORK": "none"}).network == "none"
    with pytest.raises(SetupRefused):
        load(file, {}, {"MOORED_NETWORK": "host"})
