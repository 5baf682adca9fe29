"""One probe of each kind: what it finds, or why nothing could be found.

Cut short, or over its time, it leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from moored import errors
from moored.model.health import Checkup, ExecProbe, GrpcProbe, HttpProbe, Outcome, TcpProbe
from moored.model.state import Running
from moored.probes import doors, http
from moored.probes.finding import Finding, failed, succeeded
from moored.telemetry.background import background

if TYPE_CHECKING:
    from datetime import timedelta

    from opentelemetry.trace import Tracer

    from moored.model.state import Snapshot

Socketed: TypeAlias = HttpProbe | TcpProbe | GrpcProbe


class Commands(Protocol):
    """Executes a command in a run, and has it ended with all its children when it is late."""

    async def probe(self, snapshot: Snapshot, probe: ExecProbe, within: timedelta) -> Finding: ...


@dataclass(frozen=True)
class Prober:
    commands: Commands
    tracer: Tracer

    async def probe(self, snapshot: Snapshot, check: Checkup) -> Finding:
        """Look at a run once."""
        run, start = snapshot.run, snapshot.last_start
        with background(self.tracer, "probe", snapshot.id, run, start) as span:
            found = await self._probe(snapshot, check)
            span.set_attribute("moorage.probe.outcome", found.outcome)
            return found

    async def _probe(self, snapshot: Snapshot, check: Checkup) -> Finding:
        try:
            if isinstance(check.probe, ExecProbe):
                return await self.commands.probe(snapshot, check.probe, check.timeout)
            async with asyncio.timeout(check.timeout.total_seconds()):
                return await _by_socket(snapshot, check.probe)
        except TimeoutError:
            limit = check.timeout.total_seconds()
            return Finding(Outcome.TIMED_OUT, f"no answer in {limit:g} s")
        except errors.MooredError as error:
            return Finding(Outcome.UNDECIDED, str(error))


async def _by_socket(snapshot: Snapshot, probe: Socketed) -> Finding:
    if not isinstance(snapshot.state, Running):
        return Finding(Outcome.UNDECIDED, "it does not run")
    process = doors.Process(snapshot.state.pid, snapshot.state.ticks)
    try:
        connected = await doors.connect(process, probe.host, probe.port)
        match probe:
            case TcpProbe():
                connected.close()
                return succeeded("connected")
            case HttpProbe():
                return await http.get(connected, probe)
            case GrpcProbe():
                from moored.probes import grpc  # brings HTTP/2, which is slow to import

                return await grpc.check(connected, probe)
    except doors.Gone:
        return Finding(Outcome.UNDECIDED, "its process has ended")
    except ssl.SSLError as error:
        return failed(f"the answer is no TLS: {error.reason or error}")
    except OSError as error:
        # asyncio says where in its own words, the system says why.
        return failed(os.strerror(error.errno) if error.errno else str(error))
