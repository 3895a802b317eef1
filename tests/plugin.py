"""What must be true before Django reads its settings; pytest loads it first (-p).

A home of their own for the tests, and no way out of the machine. Services are
started by the fixture that needs them, at the address that follows from the home.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

NETGUARD = Path(__file__).parent / "netguard"
HOME = Path(tempfile.mkdtemp(prefix="sluice-test-")).resolve()
NETGUARD_LOG = HOME / "outside-connections"
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

# A developer's own shell must not decide what is tested.
for name in (
    "PORT",
    "HOST",
    "DEBUG",
    "HTTPS",
    "SECRET_KEY",
    "STATIC_ROOT",
    "STORAGE_ROOT",
    "STORAGE_BACKEND",
):
    os.environ.pop(name, None)
os.environ["SLUICE_HOME"] = str(HOME)
# Prepared once, and not by every Sluice that a test starts.
os.environ["MODEL_CACHE_DIR"] = str(HOME / "models")
os.environ["SLUICE_NETGUARD_LOG"] = str(NETGUARD_LOG)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(NETGUARD), os.environ.get("PYTHONPATH")])
)
# No library may phone home or fetch a model, whatever its default.
os.environ.update(
    DO_NOT_TRACK="true",
    SCARF_NO_ANALYTICS="true",
    HF_HUB_OFFLINE="1",
    ORT_DISABLE_TELEMETRY="1",
    # The plain reference of the embeddings takes three times the processor without it.
    OPENBLAS_NUM_THREADS="1",
)

from tests.netguard import sitecustomize  # noqa: E402 - it reads the variables above

assert sitecustomize.LOG_VARIABLE in os.environ
