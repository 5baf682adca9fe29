import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage.v1 import container_pb2 as _container_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_CREATED: _ClassVar[EventKind]
    EVENT_KIND_START_REQUESTED: _ClassVar[EventKind]
    EVENT_KIND_STARTED: _ClassVar[EventKind]
    EVENT_KIND_START_FAILED: _ClassVar[EventKind]
    EVENT_KIND_STOP_REQUESTED: _ClassVar[EventKind]
    EVENT_KIND_PAUSED: _ClassVar[EventKind]
    EVENT_KIND_RESUMED: _ClassVar[EventKind]
    EVENT_KIND_EXITED: _ClassVar[EventKind]
    EVENT_KIND_OUT_OF_MEMORY: _ClassVar[EventKind]
    EVENT_KIND_RESTART_SCHEDULED: _ClassVar[EventKind]
    EVENT_KIND_RESTART_CANCELLED: _ClassVar[EventKind]
    EVENT_KIND_UPDATED: _ClassVar[EventKind]
    EVENT_KIND_RENAMED: _ClassVar[EventKind]
    EVENT_KIND_REMOVE_REQUESTED: _ClassVar[EventKind]
    EVENT_KIND_RESOURCES_RELEASED: _ClassVar[EventKind]
    EVENT_KIND_REMOVED: _ClassVar[EventKind]
    EVENT_KIND_INTERFERED: _ClassVar[EventKind]
    EVENT_KIND_HEALTH_CHANGED: _ClassVar[EventKind]
    EVENT_KIND_OUTPUT_LOST: _ClassVar[EventKind]
    EVENT_KIND_VOLUME_MOUNTED: _ClassVar[EventKind]
    EVENT_KIND_VOLUME_UNMOUNTED: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_CREATED: EventKind
EVENT_KIND_START_REQUESTED: EventKind
EVENT_KIND_STARTED: EventKind
EVENT_KIND_START_FAILED: EventKind
EVENT_KIND_STOP_REQUESTED: EventKind
EVENT_KIND_PAUSED: EventKind
EVENT_KIND_RESUMED: EventKind
EVENT_KIND_EXITED: EventKind
EVENT_KIND_OUT_OF_MEMORY: EventKind
EVENT_KIND_RESTART_SCHEDULED: EventKind
EVENT_KIND_RESTART_CANCELLED: EventKind
EVENT_KIND_UPDATED: EventKind
EVENT_KIND_RENAMED: EventKind
EVENT_KIND_REMOVE_REQUESTED: EventKind
EVENT_KIND_RESOURCES_RELEASED: EventKind
EVENT_KIND_REMOVED: EventKind
EVENT_KIND_INTERFERED: EventKind
EVENT_KIND_HEALTH_CHANGED: EventKind
EVENT_KIND_OUTPUT_LOST: EventKind
EVENT_KIND_VOLUME_MOUNTED: EventKind
EVENT_KIND_VOLUME_UNMOUNTED: EventKind

class Event(_message.Message):
    __slots__ = ("revision", "time", "kind", "container", "name", "labels", "image", "run", "state", "exit", "error", "restart", "message", "health", "volume")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    revision: int
    time: _timestamp_pb2.Timestamp
    kind: EventKind
    container: str
    name: str
    labels: _containers.ScalarMap[str, str]
    image: str
    run: int
    state: _container_pb2.ContainerState
    exit: _container_pb2.Exit
    error: _container_pb2.ContainerError
    restart: _container_pb2.PendingRestart
    message: str
    health: _container_pb2.HealthState
    volume: MountedVolume
    def __init__(self, revision: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[EventKind, str]] = ..., container: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., image: _Optional[str] = ..., run: _Optional[int] = ..., state: _Optional[_Union[_container_pb2.ContainerState, str]] = ..., exit: _Optional[_Union[_container_pb2.Exit, _Mapping]] = ..., error: _Optional[_Union[_container_pb2.ContainerError, _Mapping]] = ..., restart: _Optional[_Union[_container_pb2.PendingRestart, _Mapping]] = ..., message: _Optional[str] = ..., health: _Optional[_Union[_container_pb2.HealthState, str]] = ..., volume: _Optional[_Union[MountedVolume, _Mapping]] = ...) -> None: ...

class MountedVolume(_message.Message):
    __slots__ = ("name", "destination", "read_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    destination: str
    read_only: bool
    def __init__(self, name: _Optional[str] = ..., destination: _Optional[str] = ..., read_only: bool = ...) -> None: ...
