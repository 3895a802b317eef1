"""What is read from the environment, and what is made where it is silent."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import secret_key

STARTS = 16


def test_processes_that_start_together_agree_on_one_whole_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    together = Barrier(STARTS)

    def start(_: int) -> str:
        together.wait()
        return secret_key(tmp_path / "home", debug=False, embedded=True)

    with ThreadPoolExecutor(STARTS) as pool:
        keys = set(pool.map(start, range(STARTS)))

    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret-key"]
    assert stat.S_IMODE((tmp_path / "home" / "secret-key").stat().st_mode) == 0o600


def test_services_of_ones_own_want_a_key_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)

    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set"):
        secret_key(tmp_path, debug=False, embedded=False)
