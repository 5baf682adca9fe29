"""Whether and how a signal leaves this process, as the standard OTEL_* environment says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from moored.errors import SetupRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHUTDOWN_LIMIT: Final = 5.0
"""Seconds that the last of a signal has, to get out at the end."""


def wants_otlp(signal: str, environ: Mapping[str, str], *, instead: str = "") -> bool:
    """Return whether to export ``signal`` (traces, metrics, logs) by OTLP over gRPC.

    Refuses an exporter or a protocol that is not served; ``instead`` says what there is.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = f"OTEL_{signal.upper()}_EXPORTER"
    chosen = environ.get(exporter, "").strip().lower()
    if chosen not in ("", "otlp", "none"):
        raise SetupRefused(
            f"cannot export {signal} by {exporter}={chosen}: only otlp and none are served{instead}"
        )
    wanted = chosen or any(environ.get(name) for name in _names(signal, "ENDPOINT"))
    if chosen == "none" or not wanted:
        return False
    for name in _names(signal, "PROTOCOL"):
        if environ.get(name, "grpc") not in ("", "grpc"):
            raise SetupRefused(
                f"cannot export {signal} by {name}={environ[name]}: only grpc is served"
            )
    return True


def ended(end: Callable[[], object], name: str, within: float) -> bool:
    """Let ``end`` export what is left, and return whether that ended ``within`` seconds.

    The SDK has no limit of its own here, and retries while a collector is away.
    """
    thread = threading.Thread(target=end, name=name, daemon=True)
    thread.start()
    thread.join(within)
    return not thread.is_alive()


def _names(signal: str, what: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"
