import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage.v1 import container_pb2 as _container_pb2
from moorage.v1 import event_pb2 as _event_pb2
from moorage.v1 import stats_pb2 as _stats_pb2
from moorage.v1 import terminal_pb2 as _terminal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WaitCondition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WAIT_CONDITION_UNSPECIFIED: _ClassVar[WaitCondition]
    WAIT_CONDITION_RUNNING: _ClassVar[WaitCondition]
    WAIT_CONDITION_EXITED: _ClassVar[WaitCondition]
    WAIT_CONDITION_REMOVED: _ClassVar[WaitCondition]
    WAIT_CONDITION_NEXT_EXIT: _ClassVar[WaitCondition]
    WAIT_CONDITION_HEALTHY: _ClassVar[WaitCondition]

class ReleaseOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_OUTCOME_UNSPECIFIED: _ClassVar[ReleaseOutcome]
    RELEASE_OUTCOME_RELEASED: _ClassVar[ReleaseOutcome]
    RELEASE_OUTCOME_ALREADY_GONE: _ClassVar[ReleaseOutcome]
    RELEASE_OUTCOME_FAILED: _ClassVar[ReleaseOutcome]

class LogStream(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_STREAM_UNSPECIFIED: _ClassVar[LogStream]
    LOG_STREAM_STDOUT: _ClassVar[LogStream]
    LOG_STREAM_STDERR: _ClassVar[LogStream]

class LogFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_FORMAT_UNSPECIFIED: _ClassVar[LogFormat]
    LOG_FORMAT_BYTES: _ClassVar[LogFormat]
    LOG_FORMAT_LINES: _ClassVar[LogFormat]

class AttachEndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTACH_END_REASON_UNSPECIFIED: _ClassVar[AttachEndReason]
    ATTACH_END_REASON_RUN_ENDED: _ClassVar[AttachEndReason]
    ATTACH_END_REASON_REMOVED: _ClassVar[AttachEndReason]

class CgroupMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CGROUP_MODE_UNSPECIFIED: _ClassVar[CgroupMode]
    CGROUP_MODE_V1: _ClassVar[CgroupMode]
    CGROUP_MODE_V2: _ClassVar[CgroupMode]
    CGROUP_MODE_HYBRID: _ClassVar[CgroupMode]
WAIT_CONDITION_UNSPECIFIED: WaitCondition
WAIT_CONDITION_RUNNING: WaitCondition
WAIT_CONDITION_EXITED: WaitCondition
WAIT_CONDITION_REMOVED: WaitCondition
WAIT_CONDITION_NEXT_EXIT: WaitCondition
WAIT_CONDITION_HEALTHY: WaitCondition
RELEASE_OUTCOME_UNSPECIFIED: ReleaseOutcome
RELEASE_OUTCOME_RELEASED: ReleaseOutcome
RELEASE_OUTCOME_ALREADY_GONE: ReleaseOutcome
RELEASE_OUTCOME_FAILED: ReleaseOutcome
LOG_STREAM_UNSPECIFIED: LogStream
LOG_STREAM_STDOUT: LogStream
LOG_STREAM_STDERR: LogStream
LOG_FORMAT_UNSPECIFIED: LogFormat
LOG_FORMAT_BYTES: LogFormat
LOG_FORMAT_LINES: LogFormat
ATTACH_END_REASON_UNSPECIFIED: AttachEndReason
ATTACH_END_REASON_RUN_ENDED: AttachEndReason
ATTACH_END_REASON_REMOVED: AttachEndReason
CGROUP_MODE_UNSPECIFIED: CgroupMode
CGROUP_MODE_V1: CgroupMode
CGROUP_MODE_V2: CgroupMode
CGROUP_MODE_HYBRID: CgroupMode

class CreateRequest(_message.Message):
    __slots__ = ("spec", "request_id", "validate_only")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    spec: _container_pb2.ContainerSpec
    request_id: str
    validate_only: bool
    def __init__(self, spec: _Optional[_Union[_container_pb2.ContainerSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreateResponse(_message.Message):
    __slots__ = ("container", "plan", "warnings")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    plan: Plan
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ("container", "spec", "request_id", "validate_only", "checkpoint", "checkpoint_directory", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    spec: _container_pb2.ContainerSpec
    request_id: str
    validate_only: bool
    checkpoint: str
    checkpoint_directory: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., spec: _Optional[_Union[_container_pb2.ContainerSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ..., checkpoint: _Optional[str] = ..., checkpoint_directory: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class StartResponse(_message.Message):
    __slots__ = ("container", "already_running", "plan", "warnings")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    ALREADY_RUNNING_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    already_running: bool
    plan: Plan
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ..., already_running: bool = ..., plan: _Optional[_Union[Plan, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("steps", "runtime_spec")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_SPEC_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[PlannedStep]
    runtime_spec: str
    def __init__(self, steps: _Optional[_Iterable[_Union[PlannedStep, _Mapping]]] = ..., runtime_spec: _Optional[str] = ...) -> None: ...

class PlannedStep(_message.Message):
    __slots__ = ("name", "acquires")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACQUIRES_FIELD_NUMBER: _ClassVar[int]
    name: str
    acquires: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., acquires: _Optional[_Iterable[str]] = ...) -> None: ...

class InspectRequest(_message.Message):
    __slots__ = ("container", "network_statistics", "network_check", "size")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    NETWORK_STATISTICS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_CHECK_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    container: str
    network_statistics: bool
    network_check: bool
    size: bool
    def __init__(self, container: _Optional[str] = ..., network_statistics: bool = ..., network_check: bool = ..., size: bool = ...) -> None: ...

class InspectResponse(_message.Message):
    __slots__ = ("container", "network_faults", "layer_usage")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FAULTS_FIELD_NUMBER: _ClassVar[int]
    LAYER_USAGE_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    network_faults: _containers.RepeatedCompositeFieldContainer[NetworkFault]
    layer_usage: LayerUsage
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ..., network_faults: _Optional[_Iterable[_Union[NetworkFault, _Mapping]]] = ..., layer_usage: _Optional[_Union[LayerUsage, _Mapping]] = ...) -> None: ...

class NetworkFault(_message.Message):
    __slots__ = ("network", "interface", "reason")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    network: str
    interface: str
    reason: str
    def __init__(self, network: _Optional[str] = ..., interface: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class LayerUsage(_message.Message):
    __slots__ = ("bytes", "inodes")
    BYTES_FIELD_NUMBER: _ClassVar[int]
    INODES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    inodes: int
    def __init__(self, bytes: _Optional[int] = ..., inodes: _Optional[int] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "filter")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    filter: ContainerFilter
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[ContainerFilter, _Mapping]] = ...) -> None: ...

class ContainerFilter(_message.Message):
    __slots__ = ("states", "labels", "names", "images", "since_revision")
    STATES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    SINCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[_container_pb2.ContainerState]
    labels: _containers.RepeatedScalarFieldContainer[str]
    names: _containers.RepeatedScalarFieldContainer[str]
    images: _containers.RepeatedScalarFieldContainer[str]
    since_revision: int
    def __init__(self, states: _Optional[_Iterable[_Union[_container_pb2.ContainerState, str]]] = ..., labels: _Optional[_Iterable[str]] = ..., names: _Optional[_Iterable[str]] = ..., images: _Optional[_Iterable[str]] = ..., since_revision: _Optional[int] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("containers", "next_page_token")
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    containers: _containers.RepeatedCompositeFieldContainer[_container_pb2.Container]
    next_page_token: str
    def __init__(self, containers: _Optional[_Iterable[_Union[_container_pb2.Container, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("container", "signal", "timeout", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    signal: str
    timeout: _duration_pb2.Duration
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., signal: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ("container", "already_stopped")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    ALREADY_STOPPED_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    already_stopped: bool
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ..., already_stopped: bool = ...) -> None: ...

class KillRequest(_message.Message):
    __slots__ = ("container", "signal", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    signal: str
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., signal: _Optional[str] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class KillResponse(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("container", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class PauseResponse(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("container", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class RestartRequest(_message.Message):
    __slots__ = ("container", "signal", "timeout", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    signal: str
    timeout: _duration_pb2.Duration
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., signal: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RestartResponse(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class RenameRequest(_message.Message):
    __slots__ = ("container", "new_name", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    NEW_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    new_name: str
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., new_name: _Optional[str] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RenameResponse(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("container", "spec", "update_mask", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    spec: _container_pb2.ContainerSpec
    update_mask: _field_mask_pb2.FieldMask
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., spec: _Optional[_Union[_container_pb2.ContainerSpec, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class UpdateResponse(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: _container_pb2.Container
    def __init__(self, container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class PruneRequest(_message.Message):
    __slots__ = ("filter", "request_id")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    filter: ContainerFilter
    request_id: str
    def __init__(self, filter: _Optional[_Union[ContainerFilter, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class PruneResponse(_message.Message):
    __slots__ = ("removed", "incomplete")
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    removed: _containers.RepeatedScalarFieldContainer[str]
    incomplete: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, removed: _Optional[_Iterable[str]] = ..., incomplete: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("since_revision", "snapshot", "filter")
    SINCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    since_revision: int
    snapshot: bool
    filter: ContainerFilter
    def __init__(self, since_revision: _Optional[int] = ..., snapshot: bool = ..., filter: _Optional[_Union[ContainerFilter, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("snapshot", "snapshot_end", "event", "heartbeat")
    class Heartbeat(_message.Message):
        __slots__ = ("revision",)
        REVISION_FIELD_NUMBER: _ClassVar[int]
        revision: int
        def __init__(self, revision: _Optional[int] = ...) -> None: ...
    class SnapshotEnd(_message.Message):
        __slots__ = ("revision",)
        REVISION_FIELD_NUMBER: _ClassVar[int]
        revision: int
        def __init__(self, revision: _Optional[int] = ...) -> None: ...
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _container_pb2.Container
    snapshot_end: WatchResponse.SnapshotEnd
    event: _event_pb2.Event
    heartbeat: WatchResponse.Heartbeat
    def __init__(self, snapshot: _Optional[_Union[_container_pb2.Container, _Mapping]] = ..., snapshot_end: _Optional[_Union[WatchResponse.SnapshotEnd, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., heartbeat: _Optional[_Union[WatchResponse.Heartbeat, _Mapping]] = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("container", "condition", "timeout")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    container: str
    condition: WaitCondition
    timeout: _duration_pb2.Duration
    def __init__(self, container: _Optional[str] = ..., condition: _Optional[_Union[WaitCondition, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WaitResponse(_message.Message):
    __slots__ = ("reached", "container")
    REACHED_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    reached: bool
    container: _container_pb2.Container
    def __init__(self, reached: bool = ..., container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class CleanupRequest(_message.Message):
    __slots__ = ("container", "force", "remove", "remove_volumes", "request_id", "etag")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    REMOVE_VOLUMES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    container: str
    force: bool
    remove: bool
    remove_volumes: bool
    request_id: str
    etag: str
    def __init__(self, container: _Optional[str] = ..., force: bool = ..., remove: bool = ..., remove_volumes: bool = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ReleasedResource(_message.Message):
    __slots__ = ("kind", "key", "outcome", "reason", "duration")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    kind: str
    key: str
    outcome: ReleaseOutcome
    reason: str
    duration: _duration_pb2.Duration
    def __init__(self, kind: _Optional[str] = ..., key: _Optional[str] = ..., outcome: _Optional[_Union[ReleaseOutcome, str]] = ..., reason: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CleanupResponse(_message.Message):
    __slots__ = ("resources", "complete", "container")
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.RepeatedCompositeFieldContainer[ReleasedResource]
    complete: bool
    container: _container_pb2.Container
    def __init__(self, resources: _Optional[_Iterable[_Union[ReleasedResource, _Mapping]]] = ..., complete: bool = ..., container: _Optional[_Union[_container_pb2.Container, _Mapping]] = ...) -> None: ...

class LogsRequest(_message.Message):
    __slots__ = ("container", "follow", "streams", "since", "tail", "format", "run", "until", "all_runs")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    ALL_RUNS_FIELD_NUMBER: _ClassVar[int]
    container: str
    follow: bool
    streams: _containers.RepeatedScalarFieldContainer[LogStream]
    since: _timestamp_pb2.Timestamp
    tail: int
    format: LogFormat
    run: int
    until: _timestamp_pb2.Timestamp
    all_runs: bool
    def __init__(self, container: _Optional[str] = ..., follow: bool = ..., streams: _Optional[_Iterable[_Union[LogStream, str]]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tail: _Optional[int] = ..., format: _Optional[_Union[LogFormat, str]] = ..., run: _Optional[int] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., all_runs: bool = ...) -> None: ...

class LogsResponse(_message.Message):
    __slots__ = ("stream", "run", "offset", "time", "data", "line", "heartbeat", "run_mark")
    class RunMark(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Heartbeat(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    STREAM_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RUN_MARK_FIELD_NUMBER: _ClassVar[int]
    stream: LogStream
    run: int
    offset: int
    time: _timestamp_pb2.Timestamp
    data: bytes
    line: str
    heartbeat: LogsResponse.Heartbeat
    run_mark: LogsResponse.RunMark
    def __init__(self, stream: _Optional[_Union[LogStream, str]] = ..., run: _Optional[int] = ..., offset: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[bytes] = ..., line: _Optional[str] = ..., heartbeat: _Optional[_Union[LogsResponse.Heartbeat, _Mapping]] = ..., run_mark: _Optional[_Union[LogsResponse.RunMark, _Mapping]] = ...) -> None: ...

class AttachStart(_message.Message):
    __slots__ = ("container", "stdin", "tail", "stdout_offset", "stderr_offset", "window", "run")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    STDOUT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    STDERR_OFFSET_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    container: str
    stdin: bool
    tail: int
    stdout_offset: int
    stderr_offset: int
    window: _terminal_pb2.WindowSize
    run: int
    def __init__(self, container: _Optional[str] = ..., stdin: bool = ..., tail: _Optional[int] = ..., stdout_offset: _Optional[int] = ..., stderr_offset: _Optional[int] = ..., window: _Optional[_Union[_terminal_pb2.WindowSize, _Mapping]] = ..., run: _Optional[int] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("start", "stdin", "stdin_end", "window", "signal")
    START_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    STDIN_END_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    start: AttachStart
    stdin: bytes
    stdin_end: _terminal_pb2.StdinEnd
    window: _terminal_pb2.WindowSize
    signal: str
    def __init__(self, start: _Optional[_Union[AttachStart, _Mapping]] = ..., stdin: _Optional[bytes] = ..., stdin_end: _Optional[_Union[_terminal_pb2.StdinEnd, _Mapping]] = ..., window: _Optional[_Union[_terminal_pb2.WindowSize, _Mapping]] = ..., signal: _Optional[str] = ...) -> None: ...

class AttachEnd(_message.Message):
    __slots__ = ("reason", "exit")
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    reason: AttachEndReason
    exit: _container_pb2.Exit
    def __init__(self, reason: _Optional[_Union[AttachEndReason, str]] = ..., exit: _Optional[_Union[_container_pb2.Exit, _Mapping]] = ...) -> None: ...

class AttachOutput(_message.Message):
    __slots__ = ("stream", "offset", "time", "data")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    stream: LogStream
    offset: int
    time: _timestamp_pb2.Timestamp
    data: bytes
    def __init__(self, stream: _Optional[_Union[LogStream, str]] = ..., offset: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("started", "output", "end", "heartbeat")
    class Heartbeat(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    STARTED_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    started: _container_pb2.Container
    output: AttachOutput
    end: AttachEnd
    heartbeat: AttachResponse.Heartbeat
    def __init__(self, started: _Optional[_Union[_container_pb2.Container, _Mapping]] = ..., output: _Optional[_Union[AttachOutput, _Mapping]] = ..., end: _Optional[_Union[AttachEnd, _Mapping]] = ..., heartbeat: _Optional[_Union[AttachResponse.Heartbeat, _Mapping]] = ...) -> None: ...

class AuditRequest(_message.Message):
    __slots__ = ("fix", "kill", "request_id")
    FIX_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    fix: bool
    kill: bool
    request_id: str
    def __init__(self, fix: bool = ..., kill: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("kind", "key", "of", "known", "alive", "fate")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    FATE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    key: str
    of: str
    known: bool
    alive: bool
    fate: ReleasedResource
    def __init__(self, kind: _Optional[str] = ..., key: _Optional[str] = ..., of: _Optional[str] = ..., known: bool = ..., alive: bool = ..., fate: _Optional[_Union[ReleasedResource, _Mapping]] = ...) -> None: ...

class AuditResponse(_message.Message):
    __slots__ = ("findings",)
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    def __init__(self, findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ...) -> None: ...

class StatsRequest(_message.Message):
    __slots__ = ("containers", "interval")
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    containers: _containers.RepeatedScalarFieldContainer[str]
    interval: _duration_pb2.Duration
    def __init__(self, containers: _Optional[_Iterable[str]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StatsResponse(_message.Message):
    __slots__ = ("containers",)
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    containers: _containers.RepeatedCompositeFieldContainer[_stats_pb2.ContainerStats]
    def __init__(self, containers: _Optional[_Iterable[_Union[_stats_pb2.ContainerStats, _Mapping]]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "instance", "containerd", "runtimes", "cgroup_mode", "networks", "features", "start_time", "services", "apparmor")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    CONTAINERD_FIELD_NUMBER: _ClassVar[int]
    RUNTIMES_FIELD_NUMBER: _ClassVar[int]
    CGROUP_MODE_FIELD_NUMBER: _ClassVar[int]
    NETWORKS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    APPARMOR_FIELD_NUMBER: _ClassVar[int]
    version: str
    instance: str
    containerd: ContainerdInfo
    runtimes: _containers.RepeatedCompositeFieldContainer[RuntimeInfo]
    cgroup_mode: CgroupMode
    networks: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    services: _containers.RepeatedScalarFieldContainer[str]
    apparmor: str
    def __init__(self, version: _Optional[str] = ..., instance: _Optional[str] = ..., containerd: _Optional[_Union[ContainerdInfo, _Mapping]] = ..., runtimes: _Optional[_Iterable[_Union[RuntimeInfo, _Mapping]]] = ..., cgroup_mode: _Optional[_Union[CgroupMode, str]] = ..., networks: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., services: _Optional[_Iterable[str]] = ..., apparmor: _Optional[str] = ...) -> None: ...

class ContainerdInfo(_message.Message):
    __slots__ = ("version", "address", "embedded", "reachable")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDED_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    version: str
    address: str
    embedded: bool
    reachable: bool
    def __init__(self, version: _Optional[str] = ..., address: _Optional[str] = ..., embedded: bool = ..., reachable: bool = ...) -> None: ...

class RuntimeInfo(_message.Message):
    __slots__ = ("name", "unavailable", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    unavailable: str
    version: str
    def __init__(self, name: _Optional[str] = ..., unavailable: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...
