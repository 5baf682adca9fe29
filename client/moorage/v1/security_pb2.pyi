from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeviceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_TYPE_UNSPECIFIED: _ClassVar[DeviceType]
    DEVICE_TYPE_CHARACTER: _ClassVar[DeviceType]
    DEVICE_TYPE_BLOCK: _ClassVar[DeviceType]
DEVICE_TYPE_UNSPECIFIED: DeviceType
DEVICE_TYPE_CHARACTER: DeviceType
DEVICE_TYPE_BLOCK: DeviceType

class Device(_message.Message):
    __slots__ = ("source", "destination", "access")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    source: str
    destination: str
    access: str
    def __init__(self, source: _Optional[str] = ..., destination: _Optional[str] = ..., access: _Optional[str] = ...) -> None: ...

class DeviceRule(_message.Message):
    __slots__ = ("type", "major", "minor", "access")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MAJOR_FIELD_NUMBER: _ClassVar[int]
    MINOR_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    type: DeviceType
    major: int
    minor: int
    access: str
    def __init__(self, type: _Optional[_Union[DeviceType, str]] = ..., major: _Optional[int] = ..., minor: _Optional[int] = ..., access: _Optional[str] = ...) -> None: ...

class IdMapping(_message.Message):
    __slots__ = ("inside", "host", "size")
    INSIDE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    inside: int
    host: int
    size: int
    def __init__(self, inside: _Optional[int] = ..., host: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class Seccomp(_message.Message):
    __slots__ = ("profile", "unconfined")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    UNCONFINED_FIELD_NUMBER: _ClassVar[int]
    profile: str
    unconfined: bool
    def __init__(self, profile: _Optional[str] = ..., unconfined: bool = ...) -> None: ...

class SystemPaths(_message.Message):
    __slots__ = ("masked", "read_only", "unconfined")
    MASKED_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    UNCONFINED_FIELD_NUMBER: _ClassVar[int]
    masked: _containers.RepeatedScalarFieldContainer[str]
    read_only: _containers.RepeatedScalarFieldContainer[str]
    unconfined: bool
    def __init__(self, masked: _Optional[_Iterable[str]] = ..., read_only: _Optional[_Iterable[str]] = ..., unconfined: bool = ...) -> None: ...
