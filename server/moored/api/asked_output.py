"""What shall become of output, between the wire and the model's values."""

from __future__ import annotations

from typing import Final

from moorage.v1 import container_pb2 as wire
from moored import errors
from moored.model.output import AS_SERVER, LogConfig, LogDriver

_FIELD: Final = "spec.log_config.driver"
_DRIVERS: Final[dict[int, LogDriver | None]] = {
    wire.LOG_DRIVER_UNSPECIFIED: None,
    wire.LOG_DRIVER_FILE: LogDriver.FILE,
    wire.LOG_DRIVER_NONE: LogDriver.NONE,
}
_NUMBERS: Final = {driver: number for number, driver in _DRIVERS.items()}


def log_config(message: wire.ContainerSpec) -> LogConfig:
    if not message.HasField("log_config"):
        return AS_SERVER
    asked = message.log_config
    if asked.driver not in _DRIVERS:
        found = errors.Violation(_FIELD, f"{asked.driver} is not known here")
        raise errors.NotServed(f"cannot serve {_FIELD}: {found.why}", found)
    return LogConfig(_DRIVERS[asked.driver], asked.max_size, asked.max_files)


def picture(value: LogConfig) -> wire.LogConfig | None:
    """Return the message, or None where nothing was asked for."""
    if value == AS_SERVER:
        return None
    return wire.LogConfig(
        driver=_NUMBERS[value.driver],  # type: ignore[arg-type]  # an enum's number is an int
        max_size=value.max_size,
        max_files=value.max_files,
    )
