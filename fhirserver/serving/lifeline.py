"""A process that ends when its parent does (Linux, prctl(2)); elsewhere nothing is promised."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def die_with_parent(ending: signal.Signals) -> None:
    """Has the kernel send `ending` to this process when the thread that started it ends. Call from the main thread."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(ending), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
