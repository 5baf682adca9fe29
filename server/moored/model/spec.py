"""What a caller asked for, and what the image adds to it. Values only; ``oci/`` translates."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from moored.model.health import NO_CHECK, Checkup, HealthCheck, checkup
from moored.model.id_maps import IdMapping
from moored.model.limits import NO_LIMITS, Resources, Rlimit
from moored.model.mounts import Mount
from moored.model.network import Attachment, Dns
from moored.model.output import AS_SERVER, LogConfig
from moored.model.policy import LOCAL
from moored.model.ports import PortMapping
from moored.model.restart import NO_RESTARTS, RestartPolicy
from moored.model.secrets import Secret
from moored.model.security import (
    DEFAULT_PATHS,
    DEFAULT_SECCOMP,
    Device,
    DeviceRule,
    Seccomp,
    SystemPaths,
)

CHANGEABLE: Final = frozenset(
    {"labels", "restart_policy", "stop_signal", "stop_timeout", "auto_remove", "resources"}
)
"""The fields that an update may change while the container exists."""
DEFAULT_STOP_TIMEOUT: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class Image:
    """An image as it was when the container was created: the name may move on, this does not."""

    name: str
    digest: str
    layer: str
    """The chain id of its top layer, which is that layer's name in containerd."""
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    """Where the image wants a volume, as it writes it."""
    health_check: HealthCheck = NO_CHECK


@dataclass(frozen=True)
class Spec:
    """What to run. Unset means what ContainerSpec in the protocol says it means."""

    image: str
    name: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    hostname: str = ""
    stop_signal: str = ""
    stop_timeout: timedelta | None = None
    auto_remove: bool = False
    runtime: str = ""
    network: str = ""
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    networks: tuple[Attachment, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    dns: Dns = Dns()
    extra_hosts: tuple[str, ...] = ()
    domain_name: str = ""
    resources: Resources = NO_LIMITS
    rlimits: tuple[Rlimit, ...] = ()
    oom_score_adjust: int | None = None
    umask: int | None = None
    supplementary_groups: tuple[str, ...] = ()
    restart_policy: RestartPolicy = NO_RESTARTS
    init: bool = False
    devices: tuple[Device, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    device_rules: tuple[DeviceRule, ...] = ()
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    privileged: bool = False
    seccomp: Seccomp = DEFAULT_SECCOMP
    apparmor_profile: str = ""
    selinux_label: str = ""
    cgroup_parent: str = ""
    user_namespace: str = ""
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    """As those of uids, where there are none."""
    sysctls: dict[str, str] = field(default_factory=dict)
    system_paths: SystemPaths = DEFAULT_PATHS
    read_only_rootfs: bool = False
    shm_size: int = 0
    ipc: str = ""
    pid: str = ""
    uts: str = ""
    mounts: tuple[Mount, ...] = ()
    secrets: tuple[Secret, ...] = ()
    configs: tuple[Secret, ...] = ()

    health_check: HealthCheck = NO_CHECK
    log_config: LogConfig = AS_SERVER
    role: str = LOCAL
    """Of whoever asked for it, by which every start of it is judged. Not on the wire."""


def checkup_of(spec: Spec, image: Image) -> Checkup | None:
    """Return how a container is probed; None: it is not."""
    return checkup(spec.health_check, image.health_check)
