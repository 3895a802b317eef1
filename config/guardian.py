"""Ends the children of a supervisor that was killed; started by it, as `-m config.guardian`.

It reads from a pipe that only the supervisor holds open. When the supervisor is
gone, however it went, the read returns; what is recorded then is ended.
"""

import subprocess
import sys
from pathlib import Path

from config import children


def start(record: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Start the guardian of the groups in `record`; closing its stdin sets it off."""
    return subprocess.Popen(
        [sys.executable, "-m", "config.guardian", str(record), str(seconds)],
        cwd=children.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def dismiss(guardian: subprocess.Popen[bytes]) -> None:
    """Let the guardian end; call it when nothing is left to end."""
    if guardian.stdin is not None:
        guardian.stdin.close()
    guardian.wait()


def main(record: Path, seconds: float) -> None:
    sys.stdin.read()
    children.end_groups(children.recorded(record), seconds)
    record.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
