"""What this server is and serves: for those who decide by it before they ask for more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored import __version__
from moored.api.pictures import time
from moored.model.network import HOST
from moored.oci.host import CgroupMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from google.protobuf.descriptor import ServiceDescriptor

    from moored.containerd.locate import Located

_MODES: Final = {
    CgroupMode.NONE: wire.CGROUP_MODE_UNSPECIFIED,
    CgroupMode.V1: wire.CGROUP_MODE_V1,
    CgroupMode.V2: wire.CGROUP_MODE_V2,
    CgroupMode.HYBRID: wire.CGROUP_MODE_HYBRID,
}


@dataclass(frozen=True)
class RuntimeFound:
    name: str
    version: str
    fault: str
    """Empty: works here."""


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    instance: str
    containerd: Located
    reachable: Callable[[], bool]
    runtimes: Sequence[RuntimeFound]
    cgroup_mode: CgroupMode
    seccomp: bool
    apparmor: str
    host_network_allowed: bool
    networks: Callable[[], Sequence[str]]
    """Every network that may be asked for by name, the default first."""
    services: Sequence[ServiceDescriptor]
    started: datetime

    def answer(self) -> wire.GetServerInfoResponse:
        return wire.GetServerInfoResponse(
            version=__version__,
            instance=self.instance,
            containerd=wire.ContainerdInfo(
                version=self.containerd.version,
                address=self.containerd.address,
                embedded=self.containerd.embedded,
                reachable=self.reachable(),
            ),
            runtimes=[
                wire.RuntimeInfo(name=r.name, unavailable=r.fault, version=r.version)
                for r in self.runtimes
            ],
            cgroup_mode=_MODES[self.cgroup_mode],
            networks=[n for n in self.networks() if n != HOST or self.host_network_allowed],
            features=["seccomp"] if self.seccomp else [],
            apparmor=self.apparmor,
            start_time=time(self.started),
            services=[
                f"{service.full_name}/{method.name}"
                for service in self.services
                for method in service.methods
            ],
        )
