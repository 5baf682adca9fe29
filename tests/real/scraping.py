"""What Prometheus would read of a moored."""

from __future__ import annotations

import re
import urllib.request


def scraped(address: str) -> dict[str, float]:
    """Return every sample by its name and labels, but for those of the instrument's scope."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    found = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE):
        said = [
            f'{key}="{what}"'
            for key, what in re.findall(r'(\w+)="([^"]*)"', labels)
            if not key.startswith("otel_scope")
        ]
        found[f"{name}{{{','.join(said)}}}" if said else name] = float(value)
    return found
