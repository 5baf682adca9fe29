"""libnftables in this process: text in, one transaction, the kernel's rules or an error out.

No process is started, and nothing is opened after the beginning: the library ends the whole
process when it cannot open its socket. Calls take turns, since its parser is not shared.
"""

from __future__ import annotations

import ctypes
import json
import socket
import threading
from typing import Any, Final

from moored import errors

_LIBRARY: Final = "libnftables.so.1"
_STATELESS, _HANDLES, _JSON, _NUMBERS, _TERSE = 1 << 2, 1 << 3, 1 << 4, 1 << 7, 1 << 11
_LISTING: Final = _STATELESS | _HANDLES | _JSON | _NUMBERS | _TERSE
"""Protocols by number, since their names are those of a file that a host may not have. Without
the elements of sets, which may be many and tell nothing of rules."""
_NETFILTER: Final = 12
"""Netlink's number of the family."""
_INSTALL: Final = "install libnftables1 (Debian), nftables-libs (Fedora) or nftables (Arch)"
_SHOWN: Final = 300
"""Characters of the library's complaint; it repeats the command that it was given."""


class Nftables:
    """The rules of the network namespace in which it was opened, whoever calls later."""

    def __init__(self) -> None:
        self._library: Final = _load()
        self._turn: Final = threading.Lock()
        _refuse_without_kernel()
        self._context: Final = self._library.nft_ctx_new(0)
        if not self._context:
            raise errors.NetworkFailed("cannot use nftables: libnftables gave no context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> None:
        """Carry out ``commands`` as one transaction: all of them, or none."""
        self._call(commands, 0)

    def listing(self, command: str, *, elements: bool = False) -> list[dict[str, Any]]:
        """Return what a ``list`` command says, one dictionary for each thing.

        ``elements``: with those of sets and maps.
        """
        text = self._call(command, _LISTING & ~_TERSE if elements else _LISTING)
        things: list[dict[str, Any]] = json.loads(text)["nftables"] if text else []
        return things

    def check(self, commands: str) -> None:
        """Find out whether the kernel would take ``commands``. Changes nothing."""
        self._call(commands, 0, dry=True)

    def close(self) -> None:
        with self._turn:
            self._library.nft_ctx_free(self._context)

    def _call(self, commands: str, flags: int, *, dry: bool = False) -> str:
        library, context = self._library, self._context
        with self._turn:
            library.nft_ctx_output_set_flags(context, flags)
            library.nft_ctx_set_dry_run(context, dry)
            failed = library.nft_run_cmd_from_buffer(context, commands.encode())
            output = library.nft_ctx_get_output_buffer(context)
            complaint = library.nft_ctx_get_error_buffer(context)
        if failed:
            raise errors.NetworkFailed(f"cannot change nftables: {_first(complaint)}")
        return bytes(output).decode()


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise errors.NetworkFailed(f"cannot use nftables: no {_LIBRARY}; {_INSTALL}") from error
    context, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("nft_ctx_new", context, (ctypes.c_uint32,)),
        ("nft_ctx_free", None, (context,)),
        ("nft_ctx_buffer_output", ctypes.c_int, (context,)),
        ("nft_ctx_buffer_error", ctypes.c_int, (context,)),
        ("nft_ctx_get_output_buffer", text, (context,)),
        ("nft_ctx_get_error_buffer", text, (context,)),
        ("nft_ctx_output_set_flags", None, (context, ctypes.c_uint)),
        ("nft_ctx_set_dry_run", None, (context, ctypes.c_bool)),
        ("nft_run_cmd_from_buffer", ctypes.c_int, (context, text)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _refuse_without_kernel() -> None:
    """The library would end this process where the kernel has no netfilter to talk to."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER).close()
    except OSError as error:
        why = f"this kernel has no nfnetlink ({error.strerror}); it needs CONFIG_NF_TABLES"
        raise errors.NetworkFailed(f"cannot use nftables: {why}") from error


def _first(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return lines[0][:_SHOWN] if lines else "no reason given"
