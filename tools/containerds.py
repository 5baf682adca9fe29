"""Gets the containerd and runc of other releases, and puts them beside the system's.

Nothing is installed: Debian packages at the versions and digests of ``tests/compat/versions.toml``
are unpacked below ``.compat``, from the mirror that this machine is configured for, with an apt
state of their own. runc is told to use the libraries that were unpacked with it. A second call
finds all there, and does nothing. ``--pin`` writes the newest versions into that file instead.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent.parent
PINS: Final = _ROOT / "tests" / "compat" / "versions.toml"
PLACE: Final = _ROOT / ".compat"
LIBRARIES: Final = "libraries"
_KEYS: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Of the package debian-archive-keyring, which every Debian has."""
_WITHIN: Final = 600.0
_PIN: Final = re.compile(
    r'^(?P<name>[a-z0-9]+) = \{ version = ".*", sha256 = ".*" \}$', re.MULTILINE
)


def main() -> None:
    try:
        _pin() if "--pin" in sys.argv[1:] else _get()
    except (LookupError, subprocess.CalledProcessError) as error:
        why = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
        sys.exit(f"containerds: {why}")


def programs(series: str) -> Path:
    """Return the directory of the programs of a series, such as ``1.7``."""
    return PLACE / series / "bin"


def _get() -> None:
    stamp = PLACE / "stamp"
    wanted = f"{PLACE} {_digest(PINS)} {_digest(Path(__file__))}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    all_series: dict[str, Any] = tomllib.loads(PINS.read_text())["series"]
    shutil.rmtree(PLACE, ignore_errors=True)
    apt = _Apt({each["suite"] for each in all_series.values()})
    for name, series in all_series.items():
        for package, pin in series["packages"].items():
            _unpack(apt.fetch(package, pin["version"], pin["sha256"]), PLACE / name)
    for name in all_series.keys() - {LIBRARIES}:
        _gather(PLACE / name)
    stamp.write_text(wanted)


def _pin() -> None:
    text = PINS.read_text()
    all_series: dict[str, Any] = tomllib.loads(text)["series"]
    shutil.rmtree(PLACE, ignore_errors=True)
    apt = _Apt({each["suite"] for each in all_series.values()})
    newest = iter(
        [
            apt.newest(name, each["suite"])
            for each in all_series.values()
            for name in each["packages"]
        ]
    )
    PINS.write_text(_PIN.sub(lambda match: f"{match['name']} = {next(newest)}", text))


class _Apt:
    """An apt that knows nothing of what is installed, and of the suites that it is told alone."""

    def __init__(self, suites: set[str]) -> None:
        state, cache = PLACE / "apt", PLACE / "debs"
        (state / "lists" / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        (state / "status").touch()
        sources = state / "debian.sources"
        sources.write_text(
            f"Types: deb\nURIs: {_mirror()}\nSuites: {' '.join(sorted(suites))}\n"
            f"Components: main\nSigned-By: {_KEYS}\n"
        )
        self._cache = cache
        self._options = [
            *("-q", "-o", f"Dir::State={state}", "-o", f"Dir::State::status={state / 'status'}"),
            *("-o", f"Dir::Cache={cache}", "-o", f"Dir::Etc::sourcelist={sources}"),
            *("-o", "Dir::Etc::sourceparts=-", "-o", "Dir::Etc::preferencesparts=-"),
            *("-o", "APT::Sandbox::User=root"),
        ]
        _run("apt-get", *self._options, "update")

    def fetch(self, package: str, version: str, sha256: str) -> Path:
        """Return the package as a file. Raises LookupError where it is not that one."""
        try:
            self._download(f"{package}={version}")
        except subprocess.CalledProcessError as error:
            raise LookupError(
                f"cannot get {package} {version}: the mirror has it no more; look at what"
                f" `python -m tools.containerds --pin` makes of {PINS.relative_to(_ROOT)}"
                f" ({error.stderr.strip()})"
            ) from error
        file = self._file(package)
        if _digest(file) != sha256:
            raise LookupError(f"cannot use {file.name}: its SHA-256 is {_digest(file)}")
        return file

    def newest(self, package: str, suite: str) -> str:
        """Return the pin of what a suite has now."""
        self._download(f"{package}/{suite}")
        file = self._file(package)
        version = _run("dpkg-deb", "--field", str(file), "Version").strip()
        pin = f'{{ version = "{version}", sha256 = "{_digest(file)}" }}'
        file.unlink()
        return pin

    def _download(self, what: str) -> None:
        _run("apt-get", *self._options, "download", what, at=self._cache)

    def _file(self, package: str) -> Path:
        return max(self._cache.glob(f"{package}_*.deb"), key=lambda file: file.stat().st_ctime_ns)


def _mirror() -> str:
    """Return where this machine gets its own Debian from."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    asked = ("--format", "$(REPO_URI)", f"Codename: {release}", "Component: main")
    for update in (False, True):
        if update:
            _run("apt-get", "update", "-q")
        if rows := _run("apt-get", "indextargets", *asked).split():
            return rows[0]
    raise LookupError(f"cannot find this machine's mirror of Debian {release}")


def _unpack(package: Path, place: Path) -> None:
    _run("dpkg-deb", "--extract", str(package), str(place))


def _gather(place: Path) -> None:
    """Put the programs of a series into one directory, each able to run here."""
    (place / "bin").mkdir()
    for program in (*(place / "usr" / "bin").iterdir(), place / "usr" / "sbin" / "runc"):
        if not program.is_symlink():
            shutil.copy2(program, place / "bin" / program.name)
    [loader] = PLACE.glob(f"{LIBRARIES}/usr/lib/*/ld-linux-*.so.*")
    runc = str(place / "bin" / "runc")
    _run("patchelf", "--set-interpreter", str(loader), "--set-rpath", str(loader.parent), runc)
    _run(runc, "--version")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _run(*command: str, at: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=at, capture_output=True, text=True, timeout=_WITHIN, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
