"""The web process, as a server loads it."""

import subprocess
import sys


def test_collections_leave_alone_what_was_loaded() -> None:
    code = (
        "import config.asgi, gc, sys;"
        "print(gc.get_freeze_count(), len(gc.get_objects()), 'documents.views' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    frozen, left, has_views = told.stdout.split()
    assert has_views == "True"
    assert int(frozen) > 10 * int(left)
