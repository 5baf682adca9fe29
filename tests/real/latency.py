"""How long reads take while others are busy, measured by a process that is not.

    python -m tests.real.latency ADDRESS SECONDS [CONTAINER]

Asks for one container, or for one page of them, again and again, and prints the p50 and p99 in
milliseconds.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import grpc

from moorage.v1 import container_service_pb2 as wire
from moorage.v1 import container_service_pb2_grpc as stubs

_WITHIN: Final = 60.0
_PAUSE: Final = 0.002


def measure(address: str, seconds: float, container: str = "") -> tuple[float, float]:
    """Return p50 and p99, in milliseconds."""
    took: list[float] = []
    with grpc.insecure_channel(address.replace("unix://", "unix:")) as channel:
        containers = stubs.ContainerServiceStub(channel)
        containers.List(wire.ListRequest(), timeout=_WITHIN, wait_for_ready=True)

        def ask() -> None:
            if container:
                containers.Inspect(wire.InspectRequest(container=container), timeout=_WITHIN)
            else:
                containers.List(wire.ListRequest(page_size=1), timeout=_WITHIN)

        end = time.monotonic() + seconds
        while (began := time.monotonic()) < end:
            ask()
            took.append(1000 * (time.monotonic() - began))
            time.sleep(_PAUSE)
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


if __name__ == "__main__":
    p50, p99 = measure(sys.argv[1], float(sys.argv[2]), *sys.argv[3:4])
    print(f"{p50:.2f} {p99:.2f}")
