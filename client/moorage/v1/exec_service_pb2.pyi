import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage.v1 import container_pb2 as _container_pb2
from moorage.v1 import terminal_pb2 as _terminal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXEC_STATE_UNSPECIFIED: _ClassVar[ExecState]
    EXEC_STATE_STARTING: _ClassVar[ExecState]
    EXEC_STATE_RUNNING: _ClassVar[ExecState]
    EXEC_STATE_ENDED: _ClassVar[ExecState]

class ExecEndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXEC_END_REASON_UNSPECIFIED: _ClassVar[ExecEndReason]
    EXEC_END_REASON_EXITED: _ClassVar[ExecEndReason]
    EXEC_END_REASON_CONTAINER_ENDED: _ClassVar[ExecEndReason]
    EXEC_END_REASON_TIMED_OUT: _ClassVar[ExecEndReason]
    EXEC_END_REASON_CALLER_GONE: _ClassVar[ExecEndReason]
    EXEC_END_REASON_SERVER_ENDED: _ClassVar[ExecEndReason]
EXEC_STATE_UNSPECIFIED: ExecState
EXEC_STATE_STARTING: ExecState
EXEC_STATE_RUNNING: ExecState
EXEC_STATE_ENDED: ExecState
EXEC_END_REASON_UNSPECIFIED: ExecEndReason
EXEC_END_REASON_EXITED: ExecEndReason
EXEC_END_REASON_CONTAINER_ENDED: ExecEndReason
EXEC_END_REASON_TIMED_OUT: ExecEndReason
EXEC_END_REASON_CALLER_GONE: ExecEndReason
EXEC_END_REASON_SERVER_ENDED: ExecEndReason

class ExecSpec(_message.Message):
    __slots__ = ("args", "env", "working_dir", "user", "tty", "privileged")
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIR_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGED_FIELD_NUMBER: _ClassVar[int]
    args: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.RepeatedScalarFieldContainer[str]
    working_dir: str
    user: str
    tty: bool
    privileged: bool
    def __init__(self, args: _Optional[_Iterable[str]] = ..., env: _Optional[_Iterable[str]] = ..., working_dir: _Optional[str] = ..., user: _Optional[str] = ..., tty: bool = ..., privileged: bool = ...) -> None: ...

class Exec(_message.Message):
    __slots__ = ("id", "container", "run", "spec", "detached", "state", "pid", "create_time", "exit", "end_reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    END_REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    container: str
    run: int
    spec: ExecSpec
    detached: bool
    state: ExecState
    pid: int
    create_time: _timestamp_pb2.Timestamp
    exit: _container_pb2.Exit
    end_reason: ExecEndReason
    def __init__(self, id: _Optional[str] = ..., container: _Optional[str] = ..., run: _Optional[int] = ..., spec: _Optional[_Union[ExecSpec, _Mapping]] = ..., detached: bool = ..., state: _Optional[_Union[ExecState, str]] = ..., pid: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., exit: _Optional[_Union[_container_pb2.Exit, _Mapping]] = ..., end_reason: _Optional[_Union[ExecEndReason, str]] = ...) -> None: ...

class ExecStart(_message.Message):
    __slots__ = ("container", "spec", "stdin", "window")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    container: str
    spec: ExecSpec
    stdin: bool
    window: _terminal_pb2.WindowSize
    def __init__(self, container: _Optional[str] = ..., spec: _Optional[_Union[ExecSpec, _Mapping]] = ..., stdin: bool = ..., window: _Optional[_Union[_terminal_pb2.WindowSize, _Mapping]] = ...) -> None: ...

class ExecRequest(_message.Message):
    __slots__ = ("start", "stdin", "stdin_end", "window", "signal")
    START_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    STDIN_END_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    start: ExecStart
    stdin: bytes
    stdin_end: _terminal_pb2.StdinEnd
    window: _terminal_pb2.WindowSize
    signal: str
    def __init__(self, start: _Optional[_Union[ExecStart, _Mapping]] = ..., stdin: _Optional[bytes] = ..., stdin_end: _Optional[_Union[_terminal_pb2.StdinEnd, _Mapping]] = ..., window: _Optional[_Union[_terminal_pb2.WindowSize, _Mapping]] = ..., signal: _Optional[str] = ...) -> None: ...

class ExecResponse(_message.Message):
    __slots__ = ("started", "stdout", "stderr", "end", "heartbeat")
    class Heartbeat(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    started: Exec
    stdout: bytes
    stderr: bytes
    end: Exec
    heartbeat: ExecResponse.Heartbeat
    def __init__(self, started: _Optional[_Union[Exec, _Mapping]] = ..., stdout: _Optional[bytes] = ..., stderr: _Optional[bytes] = ..., end: _Optional[_Union[Exec, _Mapping]] = ..., heartbeat: _Optional[_Union[ExecResponse.Heartbeat, _Mapping]] = ...) -> None: ...

class ExecSyncRequest(_message.Message):
    __slots__ = ("container", "spec", "stdin", "timeout", "output_limit", "request_id")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    container: str
    spec: ExecSpec
    stdin: bytes
    timeout: _duration_pb2.Duration
    output_limit: int
    request_id: str
    def __init__(self, container: _Optional[str] = ..., spec: _Optional[_Union[ExecSpec, _Mapping]] = ..., stdin: _Optional[bytes] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., output_limit: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExecSyncResponse(_message.Message):
    __slots__ = ("exec", "stdout", "stderr", "truncated")
    EXEC_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    exec: Exec
    stdout: bytes
    stderr: bytes
    truncated: bool
    def __init__(self, exec: _Optional[_Union[Exec, _Mapping]] = ..., stdout: _Optional[bytes] = ..., stderr: _Optional[bytes] = ..., truncated: bool = ...) -> None: ...

class ExecDetachedRequest(_message.Message):
    __slots__ = ("container", "spec", "request_id")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    container: str
    spec: ExecSpec
    request_id: str
    def __init__(self, container: _Optional[str] = ..., spec: _Optional[_Union[ExecSpec, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExecDetachedResponse(_message.Message):
    __slots__ = ("exec",)
    EXEC_FIELD_NUMBER: _ClassVar[int]
    exec: Exec
    def __init__(self, exec: _Optional[_Union[Exec, _Mapping]] = ...) -> None: ...

class KillExecRequest(_message.Message):
    __slots__ = ("exec", "signal", "request_id")
    EXEC_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    exec: str
    signal: str
    request_id: str
    def __init__(self, exec: _Optional[str] = ..., signal: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class KillExecResponse(_message.Message):
    __slots__ = ("exec",)
    EXEC_FIELD_NUMBER: _ClassVar[int]
    exec: Exec
    def __init__(self, exec: _Optional[_Union[Exec, _Mapping]] = ...) -> None: ...

class InspectExecRequest(_message.Message):
    __slots__ = ("exec",)
    EXEC_FIELD_NUMBER: _ClassVar[int]
    exec: str
    def __init__(self, exec: _Optional[str] = ...) -> None: ...

class InspectExecResponse(_message.Message):
    __slots__ = ("exec",)
    EXEC_FIELD_NUMBER: _ClassVar[int]
    exec: Exec
    def __init__(self, exec: _Optional[_Union[Exec, _Mapping]] = ...) -> None: ...

class ListExecsRequest(_message.Message):
    __slots__ = ("container",)
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: str
    def __init__(self, container: _Optional[str] = ...) -> None: ...

class ListExecsResponse(_message.Message):
    __slots__ = ("execs",)
    EXECS_FIELD_NUMBER: _ClassVar[int]
    execs: _containers.RepeatedCompositeFieldContainer[Exec]
    def __init__(self, execs: _Optional[_Iterable[_Union[Exec, _Mapping]]] = ...) -> None: ...
