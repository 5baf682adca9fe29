import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage.v1 import health_pb2 as _health_pb2
from moorage.v1 import resources_pb2 as _resources_pb2
from moorage.v1 import security_pb2 as _security_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PortProtocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PORT_PROTOCOL_UNSPECIFIED: _ClassVar[PortProtocol]
    PORT_PROTOCOL_TCP: _ClassVar[PortProtocol]
    PORT_PROTOCOL_UDP: _ClassVar[PortProtocol]
    PORT_PROTOCOL_SCTP: _ClassVar[PortProtocol]

class MountType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOUNT_TYPE_UNSPECIFIED: _ClassVar[MountType]
    MOUNT_TYPE_BIND: _ClassVar[MountType]
    MOUNT_TYPE_VOLUME: _ClassVar[MountType]
    MOUNT_TYPE_TMPFS: _ClassVar[MountType]

class MountPropagation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOUNT_PROPAGATION_UNSPECIFIED: _ClassVar[MountPropagation]
    MOUNT_PROPAGATION_PRIVATE: _ClassVar[MountPropagation]
    MOUNT_PROPAGATION_SLAVE: _ClassVar[MountPropagation]
    MOUNT_PROPAGATION_SHARED: _ClassVar[MountPropagation]

class RestartCondition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESTART_CONDITION_UNSPECIFIED: _ClassVar[RestartCondition]
    RESTART_CONDITION_NEVER: _ClassVar[RestartCondition]
    RESTART_CONDITION_ON_FAILURE: _ClassVar[RestartCondition]
    RESTART_CONDITION_ALWAYS: _ClassVar[RestartCondition]
    RESTART_CONDITION_UNLESS_STOPPED: _ClassVar[RestartCondition]

class ContainerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTAINER_STATE_UNSPECIFIED: _ClassVar[ContainerState]
    CONTAINER_STATE_CREATED: _ClassVar[ContainerState]
    CONTAINER_STATE_STARTING: _ClassVar[ContainerState]
    CONTAINER_STATE_RUNNING: _ClassVar[ContainerState]
    CONTAINER_STATE_PAUSED: _ClassVar[ContainerState]
    CONTAINER_STATE_STOPPING: _ClassVar[ContainerState]
    CONTAINER_STATE_EXITED: _ClassVar[ContainerState]
    CONTAINER_STATE_RESTARTING: _ClassVar[ContainerState]
    CONTAINER_STATE_REMOVING: _ClassVar[ContainerState]
    CONTAINER_STATE_STRANDED: _ClassVar[ContainerState]

class LogDriver(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_DRIVER_UNSPECIFIED: _ClassVar[LogDriver]
    LOG_DRIVER_FILE: _ClassVar[LogDriver]
    LOG_DRIVER_NONE: _ClassVar[LogDriver]

class IntentAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTENT_ACTION_UNSPECIFIED: _ClassVar[IntentAction]
    INTENT_ACTION_STOP: _ClassVar[IntentAction]
    INTENT_ACTION_RUN: _ClassVar[IntentAction]
    INTENT_ACTION_REMOVE: _ClassVar[IntentAction]

class IntentOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTENT_ORIGIN_UNSPECIFIED: _ClassVar[IntentOrigin]
    INTENT_ORIGIN_CALLER: _ClassVar[IntentOrigin]
    INTENT_ORIGIN_AUTO_REMOVE: _ClassVar[IntentOrigin]
    INTENT_ORIGIN_RESTART_POLICY: _ClassVar[IntentOrigin]

class ExitOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXIT_ORIGIN_UNSPECIFIED: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_PROCESS: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_SIGNAL: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_START_FAILURE: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_RUNTIME: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_HOST_REBOOT: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_UNKNOWN: _ClassVar[ExitOrigin]
    EXIT_ORIGIN_OOM: _ClassVar[ExitOrigin]

class HealthState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEALTH_STATE_UNSPECIFIED: _ClassVar[HealthState]
    HEALTH_STATE_NOT_CONFIGURED: _ClassVar[HealthState]
    HEALTH_STATE_STARTING: _ClassVar[HealthState]
    HEALTH_STATE_HEALTHY: _ClassVar[HealthState]
    HEALTH_STATE_UNHEALTHY: _ClassVar[HealthState]

class StepOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_OUTCOME_UNSPECIFIED: _ClassVar[StepOutcome]
    STEP_OUTCOME_DONE: _ClassVar[StepOutcome]
    STEP_OUTCOME_FAILED: _ClassVar[StepOutcome]
    STEP_OUTCOME_CANCELLED: _ClassVar[StepOutcome]
PORT_PROTOCOL_UNSPECIFIED: PortProtocol
PORT_PROTOCOL_TCP: PortProtocol
PORT_PROTOCOL_UDP: PortProtocol
PORT_PROTOCOL_SCTP: PortProtocol
MOUNT_TYPE_UNSPECIFIED: MountType
MOUNT_TYPE_BIND: MountType
MOUNT_TYPE_VOLUME: MountType
MOUNT_TYPE_TMPFS: MountType
MOUNT_PROPAGATION_UNSPECIFIED: MountPropagation
MOUNT_PROPAGATION_PRIVATE: MountPropagation
MOUNT_PROPAGATION_SLAVE: MountPropagation
MOUNT_PROPAGATION_SHARED: MountPropagation
RESTART_CONDITION_UNSPECIFIED: RestartCondition
RESTART_CONDITION_NEVER: RestartCondition
RESTART_CONDITION_ON_FAILURE: RestartCondition
RESTART_CONDITION_ALWAYS: RestartCondition
RESTART_CONDITION_UNLESS_STOPPED: RestartCondition
CONTAINER_STATE_UNSPECIFIED: ContainerState
CONTAINER_STATE_CREATED: ContainerState
CONTAINER_STATE_STARTING: ContainerState
CONTAINER_STATE_RUNNING: ContainerState
CONTAINER_STATE_PAUSED: ContainerState
CONTAINER_STATE_STOPPING: ContainerState
CONTAINER_STATE_EXITED: ContainerState
CONTAINER_STATE_RESTARTING: ContainerState
CONTAINER_STATE_REMOVING: ContainerState
CONTAINER_STATE_STRANDED: ContainerState
LOG_DRIVER_UNSPECIFIED: LogDriver
LOG_DRIVER_FILE: LogDriver
LOG_DRIVER_NONE: LogDriver
INTENT_ACTION_UNSPECIFIED: IntentAction
INTENT_ACTION_STOP: IntentAction
INTENT_ACTION_RUN: IntentAction
INTENT_ACTION_REMOVE: IntentAction
INTENT_ORIGIN_UNSPECIFIED: IntentOrigin
INTENT_ORIGIN_CALLER: IntentOrigin
INTENT_ORIGIN_AUTO_REMOVE: IntentOrigin
INTENT_ORIGIN_RESTART_POLICY: IntentOrigin
EXIT_ORIGIN_UNSPECIFIED: ExitOrigin
EXIT_ORIGIN_PROCESS: ExitOrigin
EXIT_ORIGIN_SIGNAL: ExitOrigin
EXIT_ORIGIN_START_FAILURE: ExitOrigin
EXIT_ORIGIN_RUNTIME: ExitOrigin
EXIT_ORIGIN_HOST_REBOOT: ExitOrigin
EXIT_ORIGIN_UNKNOWN: ExitOrigin
EXIT_ORIGIN_OOM: ExitOrigin
HEALTH_STATE_UNSPECIFIED: HealthState
HEALTH_STATE_NOT_CONFIGURED: HealthState
HEALTH_STATE_STARTING: HealthState
HEALTH_STATE_HEALTHY: HealthState
HEALTH_STATE_UNHEALTHY: HealthState
STEP_OUTCOME_UNSPECIFIED: StepOutcome
STEP_OUTCOME_DONE: StepOutcome
STEP_OUTCOME_FAILED: StepOutcome
STEP_OUTCOME_CANCELLED: StepOutcome

class ContainerSpec(_message.Message):
    __slots__ = ("name", "image", "command", "args", "env", "working_dir", "user", "labels", "hostname", "stop_signal", "stop_timeout", "auto_remove", "runtime", "tty", "stdin", "stdin_once", "init", "resources", "rlimits", "devices", "cdi_devices", "device_rules", "cgroup_parent", "oom_score_adjust", "umask", "supplementary_groups", "network", "networks", "ports", "dns", "extra_hosts", "domain_name", "mounts", "read_only_rootfs", "shm_size", "ipc", "pid", "uts", "secrets", "configs", "capabilities_add", "capabilities_drop", "no_new_privileges", "privileged", "seccomp", "apparmor_profile", "selinux_label", "sysctls", "user_namespace", "uid_mappings", "gid_mappings", "system_paths", "restart_policy", "health_check", "log_config")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SysctlsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIR_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    STOP_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    STOP_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    AUTO_REMOVE_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    STDIN_ONCE_FIELD_NUMBER: _ClassVar[int]
    INIT_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    RLIMITS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    CDI_DEVICES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_RULES_FIELD_NUMBER: _ClassVar[int]
    CGROUP_PARENT_FIELD_NUMBER: _ClassVar[int]
    OOM_SCORE_ADJUST_FIELD_NUMBER: _ClassVar[int]
    UMASK_FIELD_NUMBER: _ClassVar[int]
    SUPPLEMENTARY_GROUPS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    DNS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_HOSTS_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    MOUNTS_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_ROOTFS_FIELD_NUMBER: _ClassVar[int]
    SHM_SIZE_FIELD_NUMBER: _ClassVar[int]
    IPC_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    UTS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    CONFIGS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_ADD_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_DROP_FIELD_NUMBER: _ClassVar[int]
    NO_NEW_PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGED_FIELD_NUMBER: _ClassVar[int]
    SECCOMP_FIELD_NUMBER: _ClassVar[int]
    APPARMOR_PROFILE_FIELD_NUMBER: _ClassVar[int]
    SELINUX_LABEL_FIELD_NUMBER: _ClassVar[int]
    SYSCTLS_FIELD_NUMBER: _ClassVar[int]
    USER_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    UID_MAPPINGS_FIELD_NUMBER: _ClassVar[int]
    GID_MAPPINGS_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_PATHS_FIELD_NUMBER: _ClassVar[int]
    RESTART_POLICY_FIELD_NUMBER: _ClassVar[int]
    HEALTH_CHECK_FIELD_NUMBER: _ClassVar[int]
    LOG_CONFIG_FIELD_NUMBER: _ClassVar[int]
    name: str
    image: str
    command: _containers.RepeatedScalarFieldContainer[str]
    args: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.RepeatedScalarFieldContainer[str]
    working_dir: str
    user: str
    labels: _containers.ScalarMap[str, str]
    hostname: str
    stop_signal: str
    stop_timeout: _duration_pb2.Duration
    auto_remove: bool
    runtime: str
    tty: bool
    stdin: bool
    stdin_once: bool
    init: bool
    resources: Resources
    rlimits: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Rlimit]
    devices: _containers.RepeatedCompositeFieldContainer[_security_pb2.Device]
    cdi_devices: _containers.RepeatedScalarFieldContainer[str]
    device_rules: _containers.RepeatedCompositeFieldContainer[_security_pb2.DeviceRule]
    cgroup_parent: str
    oom_score_adjust: int
    umask: int
    supplementary_groups: _containers.RepeatedScalarFieldContainer[str]
    network: str
    networks: _containers.RepeatedCompositeFieldContainer[NetworkAttachment]
    ports: _containers.RepeatedCompositeFieldContainer[PortMapping]
    dns: DnsConfig
    extra_hosts: _containers.RepeatedScalarFieldContainer[str]
    domain_name: str
    mounts: _containers.RepeatedCompositeFieldContainer[Mount]
    read_only_rootfs: bool
    shm_size: int
    ipc: str
    pid: str
    uts: str
    secrets: _containers.RepeatedCompositeFieldContainer[Secret]
    configs: _containers.RepeatedCompositeFieldContainer[Config]
    capabilities_add: _containers.RepeatedScalarFieldContainer[str]
    capabilities_drop: _containers.RepeatedScalarFieldContainer[str]
    no_new_privileges: bool
    privileged: bool
    seccomp: _security_pb2.Seccomp
    apparmor_profile: str
    selinux_label: str
    sysctls: _containers.ScalarMap[str, str]
    user_namespace: str
    uid_mappings: _containers.RepeatedCompositeFieldContainer[_security_pb2.IdMapping]
    gid_mappings: _containers.RepeatedCompositeFieldContainer[_security_pb2.IdMapping]
    system_paths: _security_pb2.SystemPaths
    restart_policy: RestartPolicy
    health_check: _health_pb2.HealthCheck
    log_config: LogConfig
    def __init__(self, name: _Optional[str] = ..., image: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., args: _Optional[_Iterable[str]] = ..., env: _Optional[_Iterable[str]] = ..., working_dir: _Optional[str] = ..., user: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., hostname: _Optional[str] = ..., stop_signal: _Optional[str] = ..., stop_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., auto_remove: bool = ..., runtime: _Optional[str] = ..., tty: bool = ..., stdin: bool = ..., stdin_once: bool = ..., init: bool = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., rlimits: _Optional[_Iterable[_Union[_resources_pb2.Rlimit, _Mapping]]] = ..., devices: _Optional[_Iterable[_Union[_security_pb2.Device, _Mapping]]] = ..., cdi_devices: _Optional[_Iterable[str]] = ..., device_rules: _Optional[_Iterable[_Union[_security_pb2.DeviceRule, _Mapping]]] = ..., cgroup_parent: _Optional[str] = ..., oom_score_adjust: _Optional[int] = ..., umask: _Optional[int] = ..., supplementary_groups: _Optional[_Iterable[str]] = ..., network: _Optional[str] = ..., networks: _Optional[_Iterable[_Union[NetworkAttachment, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[PortMapping, _Mapping]]] = ..., dns: _Optional[_Union[DnsConfig, _Mapping]] = ..., extra_hosts: _Optional[_Iterable[str]] = ..., domain_name: _Optional[str] = ..., mounts: _Optional[_Iterable[_Union[Mount, _Mapping]]] = ..., read_only_rootfs: bool = ..., shm_size: _Optional[int] = ..., ipc: _Optional[str] = ..., pid: _Optional[str] = ..., uts: _Optional[str] = ..., secrets: _Optional[_Iterable[_Union[Secret, _Mapping]]] = ..., configs: _Optional[_Iterable[_Union[Config, _Mapping]]] = ..., capabilities_add: _Optional[_Iterable[str]] = ..., capabilities_drop: _Optional[_Iterable[str]] = ..., no_new_privileges: bool = ..., privileged: bool = ..., seccomp: _Optional[_Union[_security_pb2.Seccomp, _Mapping]] = ..., apparmor_profile: _Optional[str] = ..., selinux_label: _Optional[str] = ..., sysctls: _Optional[_Mapping[str, str]] = ..., user_namespace: _Optional[str] = ..., uid_mappings: _Optional[_Iterable[_Union[_security_pb2.IdMapping, _Mapping]]] = ..., gid_mappings: _Optional[_Iterable[_Union[_security_pb2.IdMapping, _Mapping]]] = ..., system_paths: _Optional[_Union[_security_pb2.SystemPaths, _Mapping]] = ..., restart_policy: _Optional[_Union[RestartPolicy, _Mapping]] = ..., health_check: _Optional[_Union[_health_pb2.HealthCheck, _Mapping]] = ..., log_config: _Optional[_Union[LogConfig, _Mapping]] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("name", "value", "file", "sealed", "target", "mode", "uid", "gid")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    file: str
    sealed: bool
    target: str
    mode: int
    uid: int
    gid: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[bytes] = ..., file: _Optional[str] = ..., sealed: bool = ..., target: _Optional[str] = ..., mode: _Optional[int] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ...) -> None: ...

class Config(_message.Message):
    __slots__ = ("name", "value", "file", "sealed", "target", "mode", "uid", "gid")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    file: str
    sealed: bool
    target: str
    mode: int
    uid: int
    gid: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[bytes] = ..., file: _Optional[str] = ..., sealed: bool = ..., target: _Optional[str] = ..., mode: _Optional[int] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ...) -> None: ...

class NetworkAttachment(_message.Message):
    __slots__ = ("name", "addresses", "mac_address", "bandwidth", "aliases", "cni_args")
    class CniArgsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    MAC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    CNI_ARGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    mac_address: str
    bandwidth: Bandwidth
    aliases: _containers.RepeatedScalarFieldContainer[str]
    cni_args: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., mac_address: _Optional[str] = ..., bandwidth: _Optional[_Union[Bandwidth, _Mapping]] = ..., aliases: _Optional[_Iterable[str]] = ..., cni_args: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Bandwidth(_message.Message):
    __slots__ = ("ingress_rate", "ingress_burst", "egress_rate", "egress_burst")
    INGRESS_RATE_FIELD_NUMBER: _ClassVar[int]
    INGRESS_BURST_FIELD_NUMBER: _ClassVar[int]
    EGRESS_RATE_FIELD_NUMBER: _ClassVar[int]
    EGRESS_BURST_FIELD_NUMBER: _ClassVar[int]
    ingress_rate: int
    ingress_burst: int
    egress_rate: int
    egress_burst: int
    def __init__(self, ingress_rate: _Optional[int] = ..., ingress_burst: _Optional[int] = ..., egress_rate: _Optional[int] = ..., egress_burst: _Optional[int] = ...) -> None: ...

class PortMapping(_message.Message):
    __slots__ = ("container_port", "host_port", "protocol", "host_ip", "count")
    CONTAINER_PORT_FIELD_NUMBER: _ClassVar[int]
    HOST_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    HOST_IP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    container_port: int
    host_port: int
    protocol: PortProtocol
    host_ip: str
    count: int
    def __init__(self, container_port: _Optional[int] = ..., host_port: _Optional[int] = ..., protocol: _Optional[_Union[PortProtocol, str]] = ..., host_ip: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class PortStatus(_message.Message):
    __slots__ = ("container_port", "host_port", "protocol", "host_ip", "count")
    CONTAINER_PORT_FIELD_NUMBER: _ClassVar[int]
    HOST_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    HOST_IP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    container_port: int
    host_port: int
    protocol: PortProtocol
    host_ip: str
    count: int
    def __init__(self, container_port: _Optional[int] = ..., host_port: _Optional[int] = ..., protocol: _Optional[_Union[PortProtocol, str]] = ..., host_ip: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class DnsConfig(_message.Message):
    __slots__ = ("servers", "searches", "options")
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    servers: _containers.RepeatedScalarFieldContainer[str]
    searches: _containers.RepeatedScalarFieldContainer[str]
    options: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, servers: _Optional[_Iterable[str]] = ..., searches: _Optional[_Iterable[str]] = ..., options: _Optional[_Iterable[str]] = ...) -> None: ...

class Resources(_message.Message):
    __slots__ = ("memory_limit", "memory_swap_limit", "memory_reservation", "pids_limit", "cpu_shares", "cpu_period", "cpu_quota", "nano_cpus", "cpuset_cpus", "cpuset_mems", "blkio_weight", "blkio_weights", "blkio_throttles", "hugepage_limits", "memory_swappiness", "cpu_rt_period", "cpu_rt_runtime")
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_SWAP_LIMIT_FIELD_NUMBER: _ClassVar[int]
    MEMORY_RESERVATION_FIELD_NUMBER: _ClassVar[int]
    PIDS_LIMIT_FIELD_NUMBER: _ClassVar[int]
    CPU_SHARES_FIELD_NUMBER: _ClassVar[int]
    CPU_PERIOD_FIELD_NUMBER: _ClassVar[int]
    CPU_QUOTA_FIELD_NUMBER: _ClassVar[int]
    NANO_CPUS_FIELD_NUMBER: _ClassVar[int]
    CPUSET_CPUS_FIELD_NUMBER: _ClassVar[int]
    CPUSET_MEMS_FIELD_NUMBER: _ClassVar[int]
    BLKIO_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    BLKIO_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    BLKIO_THROTTLES_FIELD_NUMBER: _ClassVar[int]
    HUGEPAGE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_SWAPPINESS_FIELD_NUMBER: _ClassVar[int]
    CPU_RT_PERIOD_FIELD_NUMBER: _ClassVar[int]
    CPU_RT_RUNTIME_FIELD_NUMBER: _ClassVar[int]
    memory_limit: int
    memory_swap_limit: int
    memory_reservation: int
    pids_limit: int
    cpu_shares: int
    cpu_period: _duration_pb2.Duration
    cpu_quota: _duration_pb2.Duration
    nano_cpus: int
    cpuset_cpus: str
    cpuset_mems: str
    blkio_weight: int
    blkio_weights: _containers.RepeatedCompositeFieldContainer[_resources_pb2.BlkioWeight]
    blkio_throttles: _containers.RepeatedCompositeFieldContainer[_resources_pb2.BlkioThrottle]
    hugepage_limits: _containers.RepeatedCompositeFieldContainer[_resources_pb2.HugepageLimit]
    memory_swappiness: int
    cpu_rt_period: _duration_pb2.Duration
    cpu_rt_runtime: _duration_pb2.Duration
    def __init__(self, memory_limit: _Optional[int] = ..., memory_swap_limit: _Optional[int] = ..., memory_reservation: _Optional[int] = ..., pids_limit: _Optional[int] = ..., cpu_shares: _Optional[int] = ..., cpu_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cpu_quota: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., nano_cpus: _Optional[int] = ..., cpuset_cpus: _Optional[str] = ..., cpuset_mems: _Optional[str] = ..., blkio_weight: _Optional[int] = ..., blkio_weights: _Optional[_Iterable[_Union[_resources_pb2.BlkioWeight, _Mapping]]] = ..., blkio_throttles: _Optional[_Iterable[_Union[_resources_pb2.BlkioThrottle, _Mapping]]] = ..., hugepage_limits: _Optional[_Iterable[_Union[_resources_pb2.HugepageLimit, _Mapping]]] = ..., memory_swappiness: _Optional[int] = ..., cpu_rt_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cpu_rt_runtime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Mount(_message.Message):
    __slots__ = ("type", "source", "destination", "read_only", "bind", "volume", "tmpfs")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    BIND_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    TMPFS_FIELD_NUMBER: _ClassVar[int]
    type: MountType
    source: str
    destination: str
    read_only: bool
    bind: BindOptions
    volume: VolumeOptions
    tmpfs: TmpfsOptions
    def __init__(self, type: _Optional[_Union[MountType, str]] = ..., source: _Optional[str] = ..., destination: _Optional[str] = ..., read_only: bool = ..., bind: _Optional[_Union[BindOptions, _Mapping]] = ..., volume: _Optional[_Union[VolumeOptions, _Mapping]] = ..., tmpfs: _Optional[_Union[TmpfsOptions, _Mapping]] = ...) -> None: ...

class BindOptions(_message.Message):
    __slots__ = ("non_recursive", "propagation", "create_source")
    NON_RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    PROPAGATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    non_recursive: bool
    propagation: MountPropagation
    create_source: bool
    def __init__(self, non_recursive: bool = ..., propagation: _Optional[_Union[MountPropagation, str]] = ..., create_source: bool = ...) -> None: ...

class VolumeOptions(_message.Message):
    __slots__ = ("no_copy", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NO_COPY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    no_copy: bool
    labels: _containers.ScalarMap[str, str]
    def __init__(self, no_copy: bool = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TmpfsOptions(_message.Message):
    __slots__ = ("size", "mode", "exec")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    EXEC_FIELD_NUMBER: _ClassVar[int]
    size: int
    mode: int
    exec: bool
    def __init__(self, size: _Optional[int] = ..., mode: _Optional[int] = ..., exec: bool = ...) -> None: ...

class RestartPolicy(_message.Message):
    __slots__ = ("condition", "max_retries")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    condition: RestartCondition
    max_retries: int
    def __init__(self, condition: _Optional[_Union[RestartCondition, str]] = ..., max_retries: _Optional[int] = ...) -> None: ...

class LogConfig(_message.Message):
    __slots__ = ("driver", "max_size", "max_files")
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_FILES_FIELD_NUMBER: _ClassVar[int]
    driver: LogDriver
    max_size: int
    max_files: int
    def __init__(self, driver: _Optional[_Union[LogDriver, str]] = ..., max_size: _Optional[int] = ..., max_files: _Optional[int] = ...) -> None: ...

class Container(_message.Message):
    __slots__ = ("id", "name", "spec", "generation", "intent", "status", "revision", "create_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    spec: ContainerSpec
    generation: int
    intent: Intent
    status: ContainerStatus
    revision: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., spec: _Optional[_Union[ContainerSpec, _Mapping]] = ..., generation: _Optional[int] = ..., intent: _Optional[_Union[Intent, _Mapping]] = ..., status: _Optional[_Union[ContainerStatus, _Mapping]] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Intent(_message.Message):
    __slots__ = ("action", "origin")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    action: IntentAction
    origin: IntentOrigin
    def __init__(self, action: _Optional[_Union[IntentAction, str]] = ..., origin: _Optional[_Union[IntentOrigin, str]] = ...) -> None: ...

class ContainerStatus(_message.Message):
    __slots__ = ("state", "run", "pid", "exit", "error", "start_time", "finish_time", "stage", "restart_count", "health", "networks", "mounts", "leftovers", "last_start", "image_digest", "restart", "output_lost", "uid_mappings", "gid_mappings")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    MOUNTS_FIELD_NUMBER: _ClassVar[int]
    LEFTOVERS_FIELD_NUMBER: _ClassVar[int]
    LAST_START_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_LOST_FIELD_NUMBER: _ClassVar[int]
    UID_MAPPINGS_FIELD_NUMBER: _ClassVar[int]
    GID_MAPPINGS_FIELD_NUMBER: _ClassVar[int]
    state: ContainerState
    run: int
    pid: int
    exit: Exit
    error: ContainerError
    start_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    stage: Stage
    restart_count: int
    health: Health
    networks: _containers.RepeatedCompositeFieldContainer[NetworkStatus]
    mounts: _containers.RepeatedCompositeFieldContainer[MountStatus]
    leftovers: _containers.RepeatedCompositeFieldContainer[Leftover]
    last_start: StartTimeline
    image_digest: str
    restart: PendingRestart
    output_lost: OutputLost
    uid_mappings: _containers.RepeatedCompositeFieldContainer[_security_pb2.IdMapping]
    gid_mappings: _containers.RepeatedCompositeFieldContainer[_security_pb2.IdMapping]
    def __init__(self, state: _Optional[_Union[ContainerState, str]] = ..., run: _Optional[int] = ..., pid: _Optional[int] = ..., exit: _Optional[_Union[Exit, _Mapping]] = ..., error: _Optional[_Union[ContainerError, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[_Union[Stage, _Mapping]] = ..., restart_count: _Optional[int] = ..., health: _Optional[_Union[Health, _Mapping]] = ..., networks: _Optional[_Iterable[_Union[NetworkStatus, _Mapping]]] = ..., mounts: _Optional[_Iterable[_Union[MountStatus, _Mapping]]] = ..., leftovers: _Optional[_Iterable[_Union[Leftover, _Mapping]]] = ..., last_start: _Optional[_Union[StartTimeline, _Mapping]] = ..., image_digest: _Optional[str] = ..., restart: _Optional[_Union[PendingRestart, _Mapping]] = ..., output_lost: _Optional[_Union[OutputLost, _Mapping]] = ..., uid_mappings: _Optional[_Iterable[_Union[_security_pb2.IdMapping, _Mapping]]] = ..., gid_mappings: _Optional[_Iterable[_Union[_security_pb2.IdMapping, _Mapping]]] = ...) -> None: ...

class OutputLost(_message.Message):
    __slots__ = ("since",)
    SINCE_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PendingRestart(_message.Message):
    __slots__ = ("due_time", "attempt")
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    due_time: _timestamp_pb2.Timestamp
    attempt: int
    def __init__(self, due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt: _Optional[int] = ...) -> None: ...

class Exit(_message.Message):
    __slots__ = ("code", "origin", "signal", "time")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    code: int
    origin: ExitOrigin
    signal: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, code: _Optional[int] = ..., origin: _Optional[_Union[ExitOrigin, str]] = ..., signal: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ContainerError(_message.Message):
    __slots__ = ("reason", "message", "step", "retriable", "time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    RETRIABLE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    step: str
    retriable: bool
    time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., step: _Optional[str] = ..., retriable: bool = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("verb", "step", "since")
    VERB_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    verb: str
    step: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, verb: _Optional[str] = ..., step: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Health(_message.Message):
    __slots__ = ("state", "since", "failures", "results")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    state: HealthState
    since: _timestamp_pb2.Timestamp
    failures: int
    results: _containers.RepeatedCompositeFieldContainer[_health_pb2.ProbeResult]
    def __init__(self, state: _Optional[_Union[HealthState, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failures: _Optional[int] = ..., results: _Optional[_Iterable[_Union[_health_pb2.ProbeResult, _Mapping]]] = ...) -> None: ...

class NetworkStatus(_message.Message):
    __slots__ = ("name", "interface", "addresses", "gateways", "mac_address", "statistics", "ports")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    GATEWAYS_FIELD_NUMBER: _ClassVar[int]
    MAC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    interface: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    gateways: _containers.RepeatedScalarFieldContainer[str]
    mac_address: str
    statistics: InterfaceStatistics
    ports: _containers.RepeatedCompositeFieldContainer[PortStatus]
    def __init__(self, name: _Optional[str] = ..., interface: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., gateways: _Optional[_Iterable[str]] = ..., mac_address: _Optional[str] = ..., statistics: _Optional[_Union[InterfaceStatistics, _Mapping]] = ..., ports: _Optional[_Iterable[_Union[PortStatus, _Mapping]]] = ...) -> None: ...

class InterfaceStatistics(_message.Message):
    __slots__ = ("received_bytes", "received_packets", "received_errors", "received_dropped", "sent_bytes", "sent_packets", "sent_errors", "sent_dropped")
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_ERRORS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_DROPPED_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SENT_PACKETS_FIELD_NUMBER: _ClassVar[int]
    SENT_ERRORS_FIELD_NUMBER: _ClassVar[int]
    SENT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    received_bytes: int
    received_packets: int
    received_errors: int
    received_dropped: int
    sent_bytes: int
    sent_packets: int
    sent_errors: int
    sent_dropped: int
    def __init__(self, received_bytes: _Optional[int] = ..., received_packets: _Optional[int] = ..., received_errors: _Optional[int] = ..., received_dropped: _Optional[int] = ..., sent_bytes: _Optional[int] = ..., sent_packets: _Optional[int] = ..., sent_errors: _Optional[int] = ..., sent_dropped: _Optional[int] = ...) -> None: ...

class MountStatus(_message.Message):
    __slots__ = ("destination", "type", "source", "options")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    destination: str
    type: str
    source: str
    options: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, destination: _Optional[str] = ..., type: _Optional[str] = ..., source: _Optional[str] = ..., options: _Optional[_Iterable[str]] = ...) -> None: ...

class Leftover(_message.Message):
    __slots__ = ("kind", "key", "reason", "since")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    key: str
    reason: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[str] = ..., key: _Optional[str] = ..., reason: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("name", "offset", "duration", "outcome", "error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    offset: _duration_pb2.Duration
    duration: _duration_pb2.Duration
    outcome: StepOutcome
    error: str
    def __init__(self, name: _Optional[str] = ..., offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., outcome: _Optional[_Union[StepOutcome, str]] = ..., error: _Optional[str] = ...) -> None: ...

class StartTimeline(_message.Message):
    __slots__ = ("run", "start_time", "duration", "steps", "trace_id")
    RUN_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    run: int
    start_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    trace_id: str
    def __init__(self, run: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., trace_id: _Optional[str] = ...) -> None: ...
