"""What moored was told: by flag, else by environment, else by file, else nothing but defaults.

Nothing that somebody wrote is ignored: an unknown name and a value out of its bounds are both
refused, with where it was written.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from moored import failpoints
from moored.bridge_settings import BridgeSettings
from moored.errors import SetupRefused
from moored.id_settings import IdSettings
from moored.telemetry import levels
from moored.tls_settings import TLS, TlsSettings, missing
from moored.units import Bytes, Seconds, absolute_file, lower
from moored.wire_settings import WireSettings

DEFAULT_FILE: Final = Path("/etc/moorage/moored.toml")
FILE_VARIABLE: Final = "MOORED_CONFIG"
_PREFIX: Final = "MOORED_"
_LONGEST_SOCKET: Final = 107
"""Bytes: what Linux takes as the path of a unix socket."""
_INSTANCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_NETWORK: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_TCP: Final = re.compile(
    r"(?P<scheme>tcp|tls)://(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:\[\]/]+)):(?P<port>[0-9]{1,5})"
)


def socket_path(address: str) -> Path | None:
    """Return the path of a listen address's unix socket; None for TCP."""
    return Path(address.removeprefix("unix://")) if address.startswith("unix://") else None


def _listen(address: str) -> str:
    if path := socket_path(address):
        if not path.is_absolute():
            raise ValueError(f"{address!r} must be unix:///PATH with an absolute path")
        if len(str(path).encode()) > _LONGEST_SOCKET:
            raise ValueError(
                f"{address!r} is longer than the {_LONGEST_SOCKET} bytes of a socket's path"
            )
        return f"unix://{path}"
    match = _TCP.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(
            f"{address!r} must be unix:///PATH, tls://HOST:PORT or tcp://127.0.0.1:PORT"
        )
    if not (address.startswith(TLS) or _is_loopback(match["v6"] or match["name"])):
        raise ValueError(
            f"{address!r} is plain TCP, served on 127.0.0.1, [::1] and localhost only;"
            " elsewhere it is tls://HOST:PORT"
        )
    return address


def _failpoints(text: str) -> str:
    failpoints.parse(text)
    return text


def _levels(text: str) -> str:
    levels.parse(text)
    return text


def _endpoint(address: str) -> str:
    host, _, port = address.rpartition(":")
    if address and not (host and port.isdecimal() and 0 < int(port) <= 65535):
        raise ValueError(f"{address!r} must be HOST:PORT, such as 127.0.0.1:9464")
    return address


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _containerd(setting: str) -> str:
    path = setting.removeprefix("unix://")
    if setting not in ("auto", "embedded") and not path.startswith("/"):
        raise ValueError("must be auto, embedded, or the absolute path of containerd's socket")
    return path


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts or path == Path("/"):
        raise ValueError("must be an absolute path of a directory, without '..'")
    return path


def _instance(name: str) -> str:
    if not _INSTANCE.fullmatch(name):
        raise ValueError("must be at most 31 of a-z, 0-9 and '-', and not begin with '-'")
    return name


def _network(name: str) -> str:
    if not _NETWORK.fullmatch(name) or name == "host":
        raise ValueError("must be none, or the name of a network")
    return name


def _mode(given: object) -> object:
    if isinstance(given, str) and re.fullmatch(r"(0o)?[0-7]{1,4}", given):
        given = int(given, 8)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 0o777:
        raise ValueError('must be a file mode in octal, such as "0660"')
    return given


def _parts(given: object) -> object:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


def _pairs(given: object) -> object:
    if not isinstance(given, str):
        return given
    pairs = [part.partition("=") for part in given.split(",")]
    if not all(name.strip() and binary.strip() for name, _, binary in pairs):
        raise ValueError("must be NAME=BINARY, several separated by commas")
    return {name.strip(): binary.strip() for name, _, binary in pairs}


Directory = Annotated[Path, AfterValidator(_absolute)]
Listen = Annotated[str, AfterValidator(_listen)]


class Settings(TlsSettings, BridgeSettings, WireSettings, IdSettings):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    root: Directory = Path("/var/lib/moorage")
    state: Directory = Path("/run/moorage")
    instance: Annotated[str, AfterValidator(_instance)] = "moorage"
    listen: Annotated[tuple[Listen, ...], BeforeValidator(_parts), Field(min_length=1)] = Field(
        default_factory=lambda known: (f"unix://{known['state']}/moored.sock",)
    )
    socket_mode: Annotated[int, BeforeValidator(_mode)] = 0o660
    socket_group: str = ""
    """A group's name or number. Empty: root's."""
    containerd: Annotated[str, AfterValidator(_containerd)] = "auto"
    runtimes: Annotated[Mapping[str, str], BeforeValidator(_pairs)] = Field(
        default_factory=lambda: {"runc": "runc", "crun": "crun"}
    )
    runtime: str = "runc"
    allow_host_network: bool = False
    """The policy's host_network, from before there was one."""
    policy: Annotated[str, AfterValidator(absolute_file)] = ""
    """The policy's file. Empty: its defaults."""
    hooks_dir: Annotated[str, AfterValidator(absolute_file)] = ""
    """Where hooks for containers are described. Empty: there are none."""
    network: Annotated[str, AfterValidator(_network)] = "bridge"
    """What a spec that names none means."""
    cni_config_dir: Directory = Path("/etc/cni/net.d")
    cni_bin_dir: Annotated[tuple[Directory, ...], BeforeValidator(_parts)] = (
        Path("/opt/cni/bin"),
        Path("/usr/lib/cni"),
    )
    """Where the plugins of networks are, in the order in which they are looked for."""
    cni_cache_dir: Directory = Field(default_factory=lambda known: known["root"] / "cni")
    """What the undo of each attachment needs."""
    cni_gc: bool = False
    """Nobody else uses these networks: at the start they forget what is not attached by us."""
    firewall: Annotated[Literal["cooperate", "own"], BeforeValidator(lower)] = "cooperate"
    """Whether rules of ours may go where others' drop what the bridge forwards."""
    concurrent_starts: Annotated[int, Field(ge=0)] = 0
    """0: twice the processors."""
    start_queue_timeout: Seconds = 30.0
    step_timeout: Seconds = 30.0
    undo_timeout: Seconds = 10.0
    drain_timeout: Seconds = 30.0
    largest_import: Bytes = 10 * 2**30
    largest_unpacked: Bytes = 20 * 2**30
    """What the layers of an import may unpack to, together."""
    audit_interval: Seconds = 300.0
    orphan_grace: Seconds = 900.0
    """For how long something is to be on nobody's record before it is let go."""
    event_retention: Annotated[int, Field(ge=1)] = 10_000
    failpoints: Annotated[str, AfterValidator(_failpoints)] = ""
    """For tests: where to fail, as ``moored.failpoints`` has it."""
    output_driver: Annotated[Literal["file", "none"], BeforeValidator(lower)] = "file"
    """What becomes of containers' output, where their specs do not say."""
    output_max_size: Annotated[Bytes, Field(ge=16 * 2**10)] = 64 * 2**20
    output_max_files: Annotated[int, Field(ge=1, le=1000)] = 4
    output_reserve: Bytes = 256 * 2**20
    """Free below it, where output is kept: output is let go of early."""
    metrics_listen: Annotated[str, AfterValidator(_endpoint)] = ""
    """HOST:PORT that Prometheus reads. Empty: no endpoint."""
    metrics_containers: bool = False
    """Whether there are numbers of each container, too."""
    log_format: Annotated[Literal["text", "json"], BeforeValidator(lower)] = "text"
    log_level: Annotated[str, AfterValidator(_levels)] = "info"
    """As ``moored.telemetry.levels`` has it, such as "info,moored.network=debug"."""

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("listen")
    @classmethod
    def _complete(cls, listen: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        for address in listen:
            if name := missing(address, known.data):
                raise ValueError(f"{address!r} needs {name}, which is not set")
        return listen

    @field_validator("state")
    @classmethod
    def _apart_and_short(cls, state: Path, known: ValidationInfo) -> Path:
        if state == known.data.get("root"):
            raise ValueError("must not be the same directory as root")
        longest = state / "containerd" / "containerd.sock"
        if len(str(longest).encode()) > _LONGEST_SOCKET:
            raise ValueError(f"is too long for the sockets below it, such as {str(longest)!r}")
        return state

    @field_validator("runtime")
    @classmethod
    def _listed(cls, runtime: str, known: ValidationInfo) -> str:
        runtimes = known.data.get("runtimes", {})
        if runtime not in runtimes and "runtimes" in known.data:
            raise ValueError(f"must be one of runtimes: {', '.join(sorted(runtimes))}")
        return runtime

    def origin(self, name: str) -> str:
        """Return where a setting was written, as in ``environment MOORED_ROOT``."""
        return self._origins.get(name, "default")


def load(file: Path | None, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Return the settings, or refuse with one line. A flag that is None was not given."""
    given: dict[str, object] = {}
    origins: dict[str, str] = {}
    for source in (
        _of_file(file, environ),
        _of_environment(environ),
        {name: (value, _flag(name)) for name, value in flags.items() if value is not None},
    ):
        _refuse_unknown(source)
        for name, (value, origin) in source.items():
            given[name], origins[name] = value, origin
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise SetupRefused(_refusal(error, given, origins)) from error
    settings._origins.update(origins)
    return settings


def show(settings: Settings) -> str:
    """Return all settings in force as a file that ``load`` takes, each with its origin."""
    lines = [
        f"{name} = {_toml(name, getattr(settings, name))}  # {settings.origin(name)}"
        for name in Settings.model_fields
    ]
    return "\n".join(lines) + "\n"


_Source = dict[str, tuple[object, str]]
"""A value and where it was written, by the setting's name."""


def _of_file(file: Path | None, environ: Mapping[str, str]) -> _Source:
    named = file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    path = named or DEFAULT_FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if named is None:
            return {}
        raise SetupRefused(f"cannot read settings from {str(path)!r}: no such file") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SetupRefused(f"cannot read settings from {str(path)!r}: {why}") from error
    return {name: (value, f"file {path}") for name, value in table.items()}


def _of_environment(environ: Mapping[str, str]) -> _Source:
    return {
        name.removeprefix(_PREFIX).lower(): (value, f"environment {name}")
        for name, value in environ.items()
        if name.startswith(_PREFIX) and name != FILE_VARIABLE
    }


def _flag(name: str) -> str:
    return f"flag --{name.replace('_', '-')}"


def _refuse_unknown(source: _Source) -> None:
    for name, (_, origin) in source.items():
        if name not in Settings.model_fields:
            raise SetupRefused(f"cannot use {name!r} ({origin}): {_no_such(name)}")


def _no_such(name: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    if close:
        return f"there is no such setting; did you mean {close[0]!r}?"
    return f"there is no such setting; there are {', '.join(sorted(Settings.model_fields))}"


def _refusal(error: ValidationError, given: Mapping[str, object], origins: dict[str, str]) -> str:
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    why = str(cause) if isinstance(cause, ValueError) else _lowered(first["msg"])
    name = str(first["loc"][0])
    value = given.get(name, first["input"])
    return f"cannot use {name} = {str(value)!r} ({origins.get(name, 'default')}): {why}"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _toml(name: str, value: Any) -> str:
    if name == "socket_mode":
        return f'"{value:04o}"'
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(k)} = {json.dumps(v)}" for k, v in sorted(value.items()))
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(json.dumps(str(item), ensure_ascii=False) for item in value)}]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
