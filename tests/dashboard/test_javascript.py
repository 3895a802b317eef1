import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on PATH")
def test_the_modules_of_the_browser_pass_their_own_tests() -> None:
    """Run tests/js with Node's own runner; it needs no package."""
    tests = sorted(Path(settings.BASE_DIR, "tests", "js").glob("*.test.mjs"))

    ran = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, timeout=170)

    assert ran.returncode == 0, ran.stdout + ran.stderr
