"""Measures of a run that nobody collects from."""

from __future__ import annotations

from typing import Final

from opentelemetry.metrics import NoOpMeterProvider

from moored.telemetry.measures import Measures

UNMEASURED: Final = Measures(NoOpMeterProvider().get_meter("test"))
