"""The sandbox bench: what it measures, and that it leaves no process."""

from io import StringIO

import psutil
import pytest
from django.core.management import call_command

from processing import reading
from processing.sandbox import Sandbox


def test_bench_times_each_kind_of_call(monkeypatch: pytest.MonkeyPatch) -> None:
    # One of its own: once closed, a sandbox never opens again.
    monkeypatch.setattr(reading, "sandbox", Sandbox(tasks=[reading.DETECT, reading.READ]))
    before = set(psutil.Process().children())
    out = StringIO()

    call_command("bench", "sandbox", "--calls=3", stdout=out)

    lines = out.getvalue().splitlines()[1:]
    figures = {line[:28].strip(): [float(each) for each in line[28:].split()] for line in lines}
    assert list(figures) == ["detect", "read", "detect and read"]
    assert all(0 < least <= middle <= most for least, middle, most in figures.values())
    assert figures["detect and read"][0] > figures["read"][0]
    assert set(psutil.Process().children()) <= before
