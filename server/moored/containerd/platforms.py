"""For which machines an image is, and which of an index's manifests this host takes."""

from __future__ import annotations

import platform as machine
from dataclasses import dataclass
from typing import Final

_ARCHITECTURES: Final = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
_PLAIN_VARIANTS: Final = {"amd64": ("", "v1"), "arm64": ("", "8", "v8")}
"""What every machine of the architecture runs."""


@dataclass(frozen=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def takes(self, image: Platform) -> bool:
        """Tell whether a machine of this platform runs ``image``.

        What says nothing of its platform was made for the one it is on.
        """
        meant = Platform(
            image.os or self.os, image.architecture or self.architecture, image.variant
        )
        return self.normal() == meant.normal()

    def normal(self) -> Platform:
        """Return the one spelling of this platform."""
        system = self.os.lower()
        written = self.architecture.lower()
        architecture = _ARCHITECTURES.get(written, written)
        variant = self.variant.lower()
        if variant in _PLAIN_VARIANTS.get(architecture, ()):
            variant = ""
        return Platform(system, architecture, variant)


def this_host() -> Platform:
    return Platform("linux", machine.machine()).normal()
