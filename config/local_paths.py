"""Where the embedded services of one SLUICE_HOME keep their sockets."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from config.start_error import StartError

# A Unix socket's path is at most 107 bytes (unix(7)), 103 on macOS; the longest
# name below the folder is "/postgres/.s.PGSQL.5432.lock".
MAX_SOCKET_DIR_BYTES = 103 - len("/postgres/.s.PGSQL.5432")


def socket_dir(home: Path) -> Path:
    """Return the folder of the sockets: `home/run`, or a short one for a long `home`."""
    preferred = home.resolve() / "run"
    if len(os.fsencode(preferred)) <= MAX_SOCKET_DIR_BYTES:
        return preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"sluice-{digest}"


def make_socket_dir(home: Path) -> Path:
    """Create the folder of the sockets, or refuse one that somebody else made.

    Who can enter it is the services' only access check, and the short folder
    has a name that others could have taken before us.
    """
    path = socket_dir(home)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StartError(f"{path} belongs to somebody else. Give a shorter SLUICE_HOME.")
    # Others may pass through as root's PostgreSQL must; each service's own
    # folder or socket below is closed to them.
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return path
