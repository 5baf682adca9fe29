"""grpcurl and `buf curl`: the two by which people call gRPC from a shell, with reflection alone.

Each answers what came as messages of ours, and an error as google.rpc.Status.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2  # noqa: F401  # registers details

_BIN: Final = Path(sys.executable).parent
_ENDS_WITHIN: Final = 60.0
_DETAIL: Final = re.compile(r"^\s+\d+\)\t(\{.*\})$", re.MULTILINE)


def grpcurl(socket: str, method: str, requests: list[Any]) -> tuple[list[Any], Any]:
    """Return the answers, as JSON, and the error, or None."""
    command = ["grpcurl", "-plaintext", "-unix", "-d", "@", socket, f"moorage.v1.{method}"]
    out, err = _said(command, requests)
    if "Code:" not in err:
        return out, None
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", _after("Code: ", err)).upper()
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=_after("Message: ", err))
    for text in _DETAIL.findall(err):
        status.details.add().CopyFrom(_any(json.loads(text)))
    return out, status


def buf_curl(socket: str, method: str, requests: list[Any]) -> tuple[list[Any], Any]:
    """Return the answers, as JSON, and the error, or None."""
    command = [
        *("buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--unix-socket", socket),
        *(
            "--reflect-protocol",
            "grpc-v1alpha",
            "-d",
            "@-",
            f"http://localhost/moorage.v1.{method}",
        ),
    ]
    out, err = _said(command, requests)
    if not err.startswith("{"):
        return out, None
    told = json.loads(err)
    code = code_pb2.Code.Value(told["code"].upper())
    status = status_pb2.Status(code=code, message=told["message"])
    for detail in told["details"]:
        value = base64.b64decode(detail["value"] + "==")
        status.details.add(type_url=f"type.googleapis.com/{detail['type']}", value=value)
    return out, status


def _said(command: list[str], requests: list[Any]) -> tuple[list[Any], str]:
    done = subprocess.run(
        [str(_BIN / command[0]), *command[1:]],
        input="\n".join(json.dumps(request) for request in requests),
        capture_output=True, text=True, timeout=_ENDS_WITHIN, check=False,
    )  # fmt: skip
    decoder, found, rest = json.JSONDecoder(), list[Any](), done.stdout.strip()
    while rest:
        message, end = decoder.raw_decode(rest)
        found.append(message)
        rest = rest[end:].strip()
    return found, done.stderr.strip()


def _after(mark: str, text: str) -> str:
    return text.partition(mark)[2].partition("\n")[0]


def _any(detail: dict[str, Any]) -> Any:
    status = status_pb2.Status()
    return json_format.ParseDict({"details": [detail]}, status).details[0]
