import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ContainerStats(_message.Message):
    __slots__ = ("container", "name", "run", "time", "cpu", "memory", "io", "pids", "interfaces")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    IO_FIELD_NUMBER: _ClassVar[int]
    PIDS_FIELD_NUMBER: _ClassVar[int]
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    container: str
    name: str
    run: int
    time: _timestamp_pb2.Timestamp
    cpu: CpuStats
    memory: MemoryStats
    io: IoStats
    pids: PidsStats
    interfaces: _containers.RepeatedCompositeFieldContainer[InterfaceStats]
    def __init__(self, container: _Optional[str] = ..., name: _Optional[str] = ..., run: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cpu: _Optional[_Union[CpuStats, _Mapping]] = ..., memory: _Optional[_Union[MemoryStats, _Mapping]] = ..., io: _Optional[_Union[IoStats, _Mapping]] = ..., pids: _Optional[_Union[PidsStats, _Mapping]] = ..., interfaces: _Optional[_Iterable[_Union[InterfaceStats, _Mapping]]] = ...) -> None: ...

class CpuStats(_message.Message):
    __slots__ = ("usage", "user", "system", "periods", "throttled_periods", "throttled_time", "processors")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    PERIODS_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_PERIODS_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_TIME_FIELD_NUMBER: _ClassVar[int]
    PROCESSORS_FIELD_NUMBER: _ClassVar[int]
    usage: _duration_pb2.Duration
    user: _duration_pb2.Duration
    system: _duration_pb2.Duration
    periods: int
    throttled_periods: int
    throttled_time: _duration_pb2.Duration
    processors: float
    def __init__(self, usage: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., user: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., system: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., periods: _Optional[int] = ..., throttled_periods: _Optional[int] = ..., throttled_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., processors: _Optional[float] = ...) -> None: ...

class MemoryStats(_message.Message):
    __slots__ = ("usage", "working_set", "limit", "anonymous", "file", "peak", "swap", "oom_kills")
    USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKING_SET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    PEAK_FIELD_NUMBER: _ClassVar[int]
    SWAP_FIELD_NUMBER: _ClassVar[int]
    OOM_KILLS_FIELD_NUMBER: _ClassVar[int]
    usage: int
    working_set: int
    limit: int
    anonymous: int
    file: int
    peak: int
    swap: int
    oom_kills: int
    def __init__(self, usage: _Optional[int] = ..., working_set: _Optional[int] = ..., limit: _Optional[int] = ..., anonymous: _Optional[int] = ..., file: _Optional[int] = ..., peak: _Optional[int] = ..., swap: _Optional[int] = ..., oom_kills: _Optional[int] = ...) -> None: ...

class IoStats(_message.Message):
    __slots__ = ("read_bytes", "write_bytes", "read_operations", "write_operations")
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
    WRITE_BYTES_FIELD_NUMBER: _ClassVar[int]
    READ_OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    WRITE_OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    read_bytes: int
    write_bytes: int
    read_operations: int
    write_operations: int
    def __init__(self, read_bytes: _Optional[int] = ..., write_bytes: _Optional[int] = ..., read_operations: _Optional[int] = ..., write_operations: _Optional[int] = ...) -> None: ...

class PidsStats(_message.Message):
    __slots__ = ("current", "limit")
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    current: int
    limit: int
    def __init__(self, current: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class InterfaceStats(_message.Message):
    __slots__ = ("name", "received_bytes", "received_packets", "received_errors", "received_dropped", "sent_bytes", "sent_packets", "sent_errors", "sent_dropped")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_ERRORS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_DROPPED_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SENT_PACKETS_FIELD_NUMBER: _ClassVar[int]
    SENT_ERRORS_FIELD_NUMBER: _ClassVar[int]
    SENT_DROPPED_FIELD_NUMBER: _ClassVar[int]
    name: str
    received_bytes: int
    received_packets: int
    received_errors: int
    received_dropped: int
    sent_bytes: int
    sent_packets: int
    sent_errors: int
    sent_dropped: int
    def __init__(self, name: _Optional[str] = ..., received_bytes: _Optional[int] = ..., received_packets: _Optional[int] = ..., received_errors: _Optional[int] = ..., received_dropped: _Optional[int] = ..., sent_bytes: _Optional[int] = ..., sent_packets: _Optional[int] = ..., sent_errors: _Optional[int] = ..., sent_dropped: _Optional[int] = ...) -> None: ...
