"""Have work in the background wait for people: pages and uploads get the processor first."""

import os
import sys
import time

# The last in the order of man 2 setpriority: about a seventieth of what others get, and all
# that they leave.
LAST = 19
# Only root may ask more than ten times a second, all users of the machine together.
ATTEMPTS = 20
PAUSE_SECONDS = 0.11


def give_way() -> None:
    """Put this process, and all that it will start, behind every other."""
    os.setpriority(os.PRIO_PROCESS, 0, LAST)
    extend_to_session()


def extend_to_session() -> None:
    """Have the session of this process wait as the process does.

    Linux shares the processors among sessions first and looks at the niceness of processes
    only within one (man 7 sched, "The autogroup feature"); a new session is as important as
    any. Only a session that this process leads, or whose leader started it, is its to put back.
    """
    if sys.platform != "linux" or os.getsid(0) not in (os.getpid(), os.getppid()):
        return
    for _ in range(ATTEMPTS):
        try:
            with open("/proc/self/autogroup", "w") as autogroup:
                autogroup.write(f"{os.getpriority(os.PRIO_PROCESS, 0)}")
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS)
        except OSError:
            # No autogroups in this kernel, or none that a container may change: there the
            # shares of containers count, which is for whoever runs them to say.
            return
        else:
            return
