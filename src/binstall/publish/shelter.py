"""The process while it holds secrets: no core dump, no onlookers, memory locked where that is allowed.

Linux:  RLIMIT_CORE 0; PR_SET_DUMPABLE 0, so that no other process of the user may attach or read memory and
        environment; all memory locked where RLIMIT_MEMLOCK is or can be lifted, else each secret buffer
macOS:  RLIMIT_CORE 0; each secret buffer locked
Windows: nothing
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4

_depth = 0

if sys.platform == "win32":

    @contextmanager
    def hold_secrets() -> Iterator[None]:
        """Do nothing: this system offers nothing of the kind."""
        yield

    def lock_pages(data: bytearray) -> None:
        """Do nothing."""

    def wipe_variable(name: str) -> None:
        """Do nothing."""

else:

    @contextmanager
    def hold_secrets() -> Iterator[None]:
        """Shut the ways by which memory leaves this process, and open them again at the end.

        What the system does not allow is passed over. Nested uses are one; main thread only.
        """
        global _depth  # noqa: PLW0603 - it is a state of the process
        _depth += 1
        try:
            if _depth > 1:
                yield
                return
            with _no_core_dumps(), _not_dumpable(), _locked_memory():
                yield
        finally:
            _depth -= 1

    @contextmanager
    def _no_core_dumps() -> Iterator[None]:
        import resource

        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, before)

    @contextmanager
    def _not_dumpable() -> Iterator[None]:
        if sys.platform != "linux":
            yield
            return
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        before = prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        try:
            yield
        finally:
            if before == 1:
                prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)

    @contextmanager
    def _locked_memory() -> Iterator[None]:
        if sys.platform != "linux":
            yield
            return
        import ctypes
        import resource

        before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)
        library = ctypes.CDLL(None)
        # Under a limit, locking all would make the next large allocation fail: scrypt takes a GiB.
        is_lifted = resource.getrlimit(resource.RLIMIT_MEMLOCK) == unlimited
        locked = is_lifted and library.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0
        try:
            yield
        finally:
            if locked:
                library.munlockall()
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_MEMLOCK, before)

    def lock_pages(data: bytearray) -> None:
        """Keep a buffer out of swap while secrets are held; a limit may forbid it."""
        if not data or not _depth:
            return
        import ctypes

        place = (ctypes.c_char * len(data)).from_buffer(data)
        ctypes.CDLL(None).mlock(ctypes.c_void_p(ctypes.addressof(place)), ctypes.c_size_t(len(data)))

    def wipe_variable(name: str) -> None:
        """Overwrite a variable where the system handed it over: `/proc/PID/environ` shows that place."""
        import ctypes

        library = ctypes.CDLL(None)
        library.getenv.restype = ctypes.c_void_p
        library.strlen.restype = ctypes.c_size_t
        place = library.getenv(os.fsencode(name))
        if place:
            ctypes.memset(place, 0, library.strlen(ctypes.c_void_p(place)))
