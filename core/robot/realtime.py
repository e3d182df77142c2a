"""Real-time priority for processes that keep a robot's rhythm."""

import os

_RR_PRIORITY = 5
_NICE = -10


def ask_for_realtime() -> str:
    """Give this process priority over ordinary work; says in words what was granted.

    Round-robin real time where the process may (root, or `ulimit -r`), else a better nice value, else nothing.
    """
    try:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(_RR_PRIORITY))
        return f"real-time priority {_RR_PRIORITY}"
    except (PermissionError, AttributeError, OSError):
        pass
    try:
        os.nice(_NICE)
        return f"nice {_NICE}"
    except (PermissionError, AttributeError, OSError):
        return "ordinary priority (a busy computer may delay frames; allow real time with 'ulimit -r 5')"
