"""Make or refresh .venv; the Makefile calls this before anything else.

Needs nothing but a Python with pip. uv installs the locked requirements in
seconds; where it cannot (no build for this platform, an index only pip knows),
pip does, and reads the user's own configuration. When nothing has changed this
returns within a tenth of a second. It parses on old Pythons, to refuse them.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
UV = os.path.join(VENV, "bin", "uv")
FILES = {"run": "requirements.txt", "dev": "requirements-dev.txt"}


def main(kind: str) -> int:
    """Have the environment for "run" or "dev" ready; "is-fresh-..." only looks."""
    if kind.startswith("is-fresh-"):
        kind = kind[len("is-fresh-") :]
        return int(not any(is_fresh(name) for name in {kind, "dev"}))
    if sys.version_info < (3, 11):
        return say(
            "Sluice needs Python 3.11 or newer; {} is {}.{}. Name another one: make PYTHON=...",
            *(sys.executable, *sys.version_info[:2]),
        )
    # Two copies may start from one checkout; the second waits for the first.
    folder = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    # Who has worked on Sluice keeps the tools: they are a superset of what runs it.
    if kind == "run" and os.path.exists(stamp("dev")):
        kind = "dev"
    if is_fresh(kind) and works(PYTHON):
        return 0
    return set_up(kind)


def is_fresh(kind: str) -> bool:
    """Say whether what was installed last is what the lock names now."""
    return read(stamp(kind)) == fingerprint(kind)


def set_up(kind: str) -> int:
    started = time.monotonic()
    say("Setting up Sluice's environment in .venv (the first time takes a minute or two).")
    for name in FILES:
        forget(stamp(name))
    if not works(PYTHON) and not create():
        return 1
    locked = os.path.join(ROOT, FILES[kind])
    if not install_with_uv(locked) and not install_with_pip(locked):
        return say("The packages could not be installed; the lines above say why.")
    with open(stamp(kind), "w") as stream:
        stream.write(fingerprint(kind))
    say("Environment ready after {:.0f} seconds.", time.monotonic() - started)
    return 0


def create() -> bool:
    """Create .venv. Without its own pip where possible: the one outside is enough."""
    if quietly(sys.executable, "-m", "pip", "--version"):
        options = ["--without-pip"]
    elif quietly(sys.executable, "-m", "ensurepip", "--version"):
        options = []
    else:
        say("{} has no pip. Install the package python3-pip or python3-venv.", sys.executable)
        return False
    return loudly(sys.executable, "-m", "venv", "--clear", *options, VENV)


def install_with_uv(locked: str) -> bool:
    installer = os.path.join(ROOT, "requirements-installer.txt")
    if not quietly(*pip("install"), "--require-hashes", "--only-binary", ":all:", "-r", installer):
        return False
    settings = pip_settings()
    if settings.get("no-index"):
        return False
    environment = dict(os.environ, VIRTUAL_ENV=VENV, UV_NO_CONFIG="1")
    if "index-url" in settings:
        environment.setdefault("UV_DEFAULT_INDEX", settings["index-url"])
    if "cert" in settings:
        environment.setdefault("SSL_CERT_FILE", settings["cert"])
    # sync follows the list exactly: what the lock no longer names is removed.
    return quietly(UV, "pip", "sync", "--quiet", "--require-hashes", locked, env=environment)


def install_with_pip(locked: str) -> bool:
    say("uv could not; installing with pip, which takes a few minutes.")
    # The lock is complete. Its one unmet wish, torch, is left out on purpose.
    options = ["-qq", "--no-deps", "--require-hashes", "--no-warn-script-location"]
    return loudly(*pip("install"), *options, "-r", locked)


def pip(command: str) -> "list[str]":
    """Return the pip command line for .venv, by the pip inside or the one outside."""
    if quietly(PYTHON, "-m", "pip", "--version"):
        call = [PYTHON, "-m", "pip"]
    else:
        call = [sys.executable, "-m", "pip", "--python", PYTHON]
    return [*call, "--disable-pip-version-check", command]


def pip_settings() -> "dict[str, str]":
    """Return pip's own configuration, from its files and PIP_* variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    pairs = (line.partition("=") for line in listed.stdout.splitlines())
    return {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in pairs}


def fingerprint(kind: str) -> str:
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    with open(os.path.join(ROOT, FILES[kind]), "rb") as stream:
        digest.update(stream.read())
    return digest.hexdigest()


def stamp(kind: str) -> str:
    return os.path.join(VENV, "installed-" + kind)


def read(path: str) -> "str | None":
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return None


def forget(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)


def works(python: str) -> bool:
    """Say whether .venv has a Python that starts and is the version asked for."""
    same = "import sys; sys.exit(sys.version_info[:2] != {!r})".format(sys.version_info[:2])
    return os.path.exists(python) and quietly(python, "-c", same)


def quietly(*command: str, env: "dict[str, str] | None" = None) -> bool:
    done = subprocess.run(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


def loudly(*command: str) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def say(sentence: str, *values: object) -> int:
    """Print a sentence and return 1, the exit code where it was a refusal."""
    print(sentence.format(*values), file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
