"""A process that ends when its parent does (Linux, prctl(2)); elsewhere nothing is promised.

As a script, `lifeline.py PARENT COMMAND…` becomes the command, which is killed when the process PARENT ends: it needs
nothing but the standard library, so that it starts at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def die_with_parent(ending: signal.Signals, parent: int | None = None) -> None:
    """Has the kernel send `ending` to this process when the thread that started it ends. Call from the main thread.

    `parent`: the process that it must be the child of, the present parent when not told; killed when it is not.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid() if parent is None else parent
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(ending), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent(signal.SIGKILL, int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - our own command, no shell
