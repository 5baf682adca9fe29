"""Settings of user namespaces: the ids of the host's that containers may be given by the server."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel

from moored.units import ids

_BLOCK: Final = 65536


def _blocks(text: str) -> str:
    if text:
        first, count = ids(text)
        if -(-first // _BLOCK) * _BLOCK + _BLOCK > first + count:
            raise ValueError(f"{text!r} must have room for {_BLOCK} ids from a multiple of that on")
    return text


class IdSettings(BaseModel):
    user_namespace_ids: Annotated[str, AfterValidator(_blocks)] = "1879048192:268304384"
    """FIRST:COUNT: for containers whose user namespace is "auto", 65536 each. The default is what
    systemd's table of ids lists as nobody's. Empty: none may be asked for."""
