"""`manage.py run`: one command that brings everything up, keeps it up and ends it."""

import fcntl
import http.client
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from django.core.management import call_command
from django.db import connections

from config import children, guardian, static_collection
from config.children import Child, ChildSpec
from config.local_services import Services, require_pgvector, services_of
from config.start_error import StartError

LOOK_SECONDS = 0.1
SERVICES_LOOK_SECONDS = 1.0
READY_SECONDS = 180.0
# A worker hands its leases back within 4.5 s; who still runs then is killed, so
# that servers included all is over within the 10 s a person is promised.
GRACE_SECONDS = 6.0
# So many deaths before the first readiness are no accident.
HOPELESS_DEATHS = 3
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A stop signal came while a step was waiting. Not an Exception: nobody may catch it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, as the settings say it."""

    home: Path
    host: str
    port: int
    workers: int
    threads: int
    database_url: str
    redis_url: str
    minimum_pgvector: tuple[int, ...]

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def log_dir(self) -> Path:
        return self.home / "log"


class Supervisor:
    """Everything one `make run` started, from the first step to the last."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._children: list[Child] = []
        self._services: Services | None = None
        self._services_looked_at = 0.0
        self._guardian: subprocess.Popen[bytes] | None = None
        self._recorded = plan.home / "children.json"
        self._stop_requests = 0
        self._interruptible = False

    def run(self) -> int:
        """Bring everything up, watch it until a stop signal, and end it; return the exit code."""
        with ExitStack() as stack:
            try:
                stack.enter_context(only_one(self.plan))
                stack.enter_context(self._signals())
                stack.callback(self._stop)
                self._start()
                self._watch()
            except StartError as error:
                # A signal to the whole group also reaches a child that has no session yet.
                if self._stop_requests:
                    return 0
                say(f"\n{error}", error=True)
                return 1
            except Interrupted:
                return 0
        return 0

    def _start(self) -> None:
        plan = self.plan
        refuse_used_port(plan.host, plan.port)
        say(f"Starting Sluice in {plan.home}")
        with step("Database and broker"):
            self._start_services()
        with step("Tables"), self._interruption():
            call_command("migrate", interactive=False, verbosity=0)
            connections.close_all()
        if static_collection.is_stale():
            with step("Styles and scripts"), self._interruption():
                static_collection.collect()
        with step(f"Web, conductor and {plan.workers} workers"):
            self._start_children()
            self._wait_until_ready()
        with step("Demo account and samples"):
            password = self._make_demo()
        self._show_box(password)

    def _start_services(self) -> None:
        plan = self.plan
        # The guardian of a killed supervisor is ending these just now.
        children.outwait_groups(children.recorded(self._recorded), GRACE_SECONDS + 1)
        self._services = services_of(
            plan.home, database_url=plan.database_url, redis_url=plan.redis_url
        )
        self._services.launch()
        with self._interruption():
            self._services.wait_ready()
            require_pgvector(self._services.database_url, plan.minimum_pgvector)

    def _start_children(self) -> None:
        plan = self.plan
        environment = children.environment(plan.home, host=plan.host, port=plan.port)
        wanted = children.specs(
            host=plan.host, port=plan.port, workers=plan.workers, threads=plan.threads
        )
        self._children = [Child(spec, environment, plan.log_dir) for spec in wanted]
        self._guardian = guardian.start(self._recorded, GRACE_SECONDS)
        for child in self._children:
            child.start()
            self._record()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready(self.plan):
            # An answer costs the web process a look at its migrations.
            for _ in range(3):
                self._look()
            for child in self._children:
                if child.deaths >= HOPELESS_DEATHS:
                    raise StartError(f"{child.name} does not start.\n{last_lines(child.log)}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"Sluice was not ready after {READY_SECONDS:.0f} s; see {self.plan.log_dir}."
                )

    def _make_demo(self) -> str:
        """Run `ensure_demo` beside the others, so that a stop signal still gets through."""
        password = demo_password(self.plan)
        plan = self.plan
        environment = children.environment(plan.home, host=plan.host, port=plan.port)
        environment["DEMO_PASSWORD"] = password
        spec = ChildSpec("demo", (sys.executable, "manage.py", "ensure_demo"))
        demo = Child(spec, environment, plan.log_dir)
        demo.start()
        self._children.append(demo)
        while (code := demo.exit_code()) is None:
            self._look(except_for=demo)
        self._children.remove(demo)
        if code:
            raise StartError(f"The demo account was not made.\n{last_lines(demo.log)}")
        return password

    def _watch(self) -> None:
        while True:
            self._look()

    def _look(self, *, except_for: Child | None = None) -> None:
        """Keep the children alive for one moment; raise Interrupted when it is time to stop."""
        if self._stop_requests:
            raise Interrupted
        with self._interruption():
            time.sleep(LOOK_SECONDS)
        for child in self._children:
            if child is not except_for and child.keep_alive():
                say(f"{child.name} had ended and was started again; see {child.log}.")
                self._record()
        now = time.monotonic()
        if self._services is not None and now - self._services_looked_at > SERVICES_LOOK_SECONDS:
            self._services_looked_at = now
            for name in self._services.restart_dead():
                say(f"{name} had stopped and was started again; see {self.plan.log_dir}.")

    def _record(self) -> None:
        children.record(self._children, self._recorded)

    def _stop(self) -> None:
        """End the children, then the services they use. A second signal kills at once."""
        if self._children:
            say("Stopping; what is in hand goes back into the queue.")
        if self._stop_requests > 1:
            children.kill_all(self._children)
        children.stop_all(self._children, GRACE_SECONDS)
        if self._services is not None:
            self._services.stop()
        self._recorded.unlink(missing_ok=True)
        if self._guardian is not None:
            guardian.dismiss(self._guardian)
        if self._children:
            say("Stopped.")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {signum: signal.signal(signum, self._on_signal) for signum in STOP_SIGNALS}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._stop_requests += 1
        if self._stop_requests > 1:
            children.kill_all(self._children)
        elif self._interruptible:
            raise Interrupted

    @contextmanager
    def _interruption(self) -> Iterator[None]:
        """Let a stop signal break into the body; elsewhere it waits for the next look.

        Between fork and bookkeeping an exception would lose a process.
        """
        if self._stop_requests:
            raise Interrupted
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _show_box(self, password: str) -> None:
        lines = [
            f"Sluice is ready   {self.plan.url}",
            f"Sign in           demo / {password}",
            f"Logs              {self.plan.log_dir}",
            "Ctrl-C            stops everything",
        ]
        width = max(map(len, lines))
        say("")
        say(f"  ┌─{'─' * width}─┐")
        for line in lines:
            say(f"  │ {line:<{width}} │")
        say(f"  └─{'─' * width}─┘")
        if not is_loopback(self.plan.host):
            say("  Others on this network can reach it, over plain HTTP.")
        say("")


@contextmanager
def only_one(plan: Plan) -> Iterator[None]:
    """Hold SLUICE_HOME for this process; the kernel lets go whatever ends it."""
    plan.home.mkdir(parents=True, exist_ok=True)
    with (plan.home / "run.lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            first = json.loads(stream.read() or "{}")
            raise StartError(
                f"Sluice is already running in {plan.home}: process {first.get('pid', '?')},"
                f" {first.get('url', 'starting')}. Stop it with Ctrl-C there, or give this one"
                " another SLUICE_HOME and PORT."
            ) from error
        stream.seek(0)
        stream.truncate()
        stream.write(json.dumps({"pid": os.getpid(), "url": plan.url}))
        stream.flush()
        yield


def refuse_used_port(host: str, port: int) -> None:
    """Raise StartError when the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"Sluice cannot listen on {host}:{port}: {error.strerror}."
                f" Choose another port: PORT={port + 1} make run"
            ) from error


def is_ready(plan: Plan) -> bool:
    """Ask /readyz, which answers 200 only when web, a worker and the conductor are up."""
    host = plan.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    connection = http.client.HTTPConnection(host, plan.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def demo_password(plan: Plan) -> str:
    """Return "demo" where only this machine can try it, else one made once and kept."""
    if is_loopback(plan.host) and not plan.database_url:
        return "demo"
    path = plan.home / "demo-password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12))
    return path.read_text()


def last_lines(log: Path, count: int = 20) -> str:
    """Return the end of a log, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "\n".join([*lines, f"The whole log: {log}"])


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show a step once it is done, with its time."""
    started = time.monotonic()
    yield
    say(f"  ✓ {what} ({time.monotonic() - started:.1f} s)")


def say(text: str, *, error: bool = False) -> None:
    """Print for the person at the terminal; a terminal without UTF-8 gets plain marks."""
    stream = sys.stderr if error else sys.stdout
    encoding = stream.encoding or "ascii"
    if text.encode(encoding, "replace").decode(encoding) != text:
        text = text.translate(str.maketrans("✓┌┐└┘─│", "*++++-|"))
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        # Nobody reads any more; that is no reason to stop serving.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
