"""The options that say what becomes of a container's output, as they are known from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from moorage.cli.parameters import size

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import LogConfig

_DRIVERS: Final = {"file": "FILE", "none": "NONE"}


def log_option(text: str) -> tuple[str, int]:
    """One of max-size=SIZE and max-file=N."""
    key, _, value = text.partition("=")
    if key == "max-size":
        return "max_size", size(value)
    if key in ("max-file", "max-files") and value.isascii() and value.isdecimal():
        return "max_files", int(value[:9])
    raise click.BadParameter(f"{text!r} is none of max-size=10m, max-file=3")


OUTPUT_OPTIONS: Final = (
    click.option(
        "--log-driver", type=click.Choice(list(_DRIVERS)), help="Where its output goes; else file."
    ),
    click.option(
        "--log-opt",
        type=log_option,
        multiple=True,
        metavar="KEY=VALUE",
        help="max-size=10m, max-file=3: what is kept of each stream. Repeatable.",
    ),
)


def log_config_of(options: dict[str, Any]) -> LogConfig | None:
    """Take what OUTPUT_OPTIONS gave out of ``options``; None when nothing was given."""
    from moorage.v1.container_pb2 import LogConfig

    driver, limits = options.pop("log_driver"), dict(options.pop("log_opt"))
    if driver is None and not limits:
        return None
    named = f"LOG_DRIVER_{_DRIVERS[driver]}" if driver else None
    return LogConfig(driver=named, **limits)
