"""What may be said of a network that plugins make: limits, and the plugins' arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moorage.v1.container_pb2 import Bandwidth

_RATE: Final = re.compile(r"([0-9]+)([kMG]?)")
_SIZES: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}


def bandwidth(ingress: str, egress: str) -> Bandwidth | None:
    """Return the limits that two texts say, each RATE or RATE/BURST; empty for none.

    Raises ValueError.
    """
    from moorage.v1.container_pb2 import Bandwidth

    if not (ingress or egress):
        return None
    ingress_rate, ingress_burst = _limit(ingress)
    egress_rate, egress_burst = _limit(egress)
    return Bandwidth(
        ingress_rate=ingress_rate,
        ingress_burst=ingress_burst,
        egress_rate=egress_rate,
        egress_burst=egress_burst,
    )


def arguments(texts: Sequence[str]) -> dict[str, str]:
    """Return CNI_ARGS, each given as KEY=VALUE. Raises ValueError."""
    pairs = [text.partition("=") for text in texts]
    for text, (key, equals, _) in zip(texts, pairs, strict=True):
        if not key or not equals:
            raise ValueError(f"{text!r} must be KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _limit(text: str) -> tuple[int, int]:
    """Return rate and burst. A burst that is not given is what flows in a second."""
    if not text:
        return 0, 0
    rate, _, burst = text.partition("/")
    return _bits(rate), _bits(burst or rate)


def _bits(text: str) -> int:
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} must be a number of bits, such as 8M or 500k")
    return int(match[1]) * _SIZES[match[2]]
