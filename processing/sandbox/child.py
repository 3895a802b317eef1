"""One call in its own process: confine it, run the task, write the answer, exit."""

import errno
import faulthandler
import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from documents import errors, faults
from processing.sandbox import limits, linux
from processing.sandbox.limits import Limits
from processing.sandbox.wire import JSON

RESULT_FD = 3
# JSON never ends in one: an answer that was cut off cannot pass for a whole one.
END_OF_ANSWER = b"\n"
MESSAGE_CHARACTERS = 500
# Trouble of the machine, not of the document: another try may do.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
MACHINE_ERRORS = NO_ROOM | {errno.EIO, errno.ENFILE}
NETWORK_EVENTS = frozenset(
    f"socket.{name}"
    for name in ("bind", "connect", "getaddrinfo", "gethostbyaddr", "gethostbyname", "sendmsg")
) | {"socket.sendto"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the server was asked to run, and where."""

    task: str
    arguments: Mapping[str, JSON]
    directory: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Parent:
    """The server this process was forked from."""

    pid: int
    own_users: bool


def run(message: Mapping[str, JSON], *, result_fd: int, stderr_fd: int, server: Parent) -> NoReturn:
    """Never return into the server that was forked: whatever happens, exit."""
    status = os.EX_SOFTWARE
    try:
        request = _parse(message)
        _confine(request, result_fd, stderr_fd, server)
        faults.point("child.before_task")
        answer = answer_to(request)
        faults.point("child.before_answer")
        _write(answer)
        status = os.EX_OK
    except BaseException:  # noqa: BLE001 - nothing above this frame may see it
        traceback.print_exc()
    finally:
        os._exit(status)


def answer_to(request: Request) -> bytes:
    """Run the task; return its value or its error as JSON, never longer than allowed."""
    module, _, name = request.task.partition(":")
    # Outside the try: a task that cannot be imported is our fault and not the document's.
    function = getattr(importlib.import_module(module), name)
    try:
        faults.point("child.in_task", str(request.arguments.get("name", "")))
        value = function(**request.arguments)
        # A parser may hand out half a surrogate pair, which no database takes.
        text = json.dumps({"value": value}, ensure_ascii=False, allow_nan=False)
        answer = text.encode("utf-8", "replace")
    except BaseException as error:  # noqa: BLE001 - a parser may even call sys.exit
        return json.dumps({"error": _describe(error, request.limits)}).encode()
    if len(answer) < request.limits.result_bytes:
        return answer
    return json.dumps({"error": _result_too_large(request.limits)}).encode()


def _parse(message: Mapping[str, JSON]) -> Request:
    match message:
        case {
            "task": str(task),
            "arguments": dict(arguments),
            "directory": str(directory),
            "limits": dict(allowed),
        }:
            return Request(task, arguments, directory, Limits(**allowed))
    raise ValueError(f"not a request: {sorted(message)}")


def _confine(request: Request, result_fd: int, stderr_fd: int, server: Parent) -> None:
    # Not a session: those of Linux have shares of the processor, and ours is the server's.
    os.setpgid(0, 0)
    linux.die_with_parent()
    if os.getppid() != server.pid:
        # The server died before the kernel was told to take this process along.
        os._exit(os.EX_SOFTWARE)
    signal.set_wakeup_fd(-1)
    for name in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    _keep_only(result_fd, stderr_fd)
    faulthandler.enable(file=2)
    os.chdir(request.directory)
    os.umask(0o077)
    os.environ.update(HOME=request.directory, TMPDIR=request.directory)
    tempfile.tempdir = None
    sys.addaudithook(_refuse_network)
    limits.impose(request.limits, own_users=server.own_users)


def _keep_only(result_fd: int, stderr_fd: int) -> None:
    """Close every descriptor of the server and of other calls; keep the result and the log."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(stderr_fd, 2)
    os.dup2(result_fd, RESULT_FD, inheritable=False)
    for name in os.listdir("/dev/fd"):
        if int(name) > RESULT_FD:
            try:
                os.close(int(name))
            except OSError as error:
                # The listing names the descriptor that listed it.
                if error.errno != errno.EBADF:
                    raise


def _refuse_network(event: str, _: tuple[object, ...]) -> None:
    # Where no network namespace was granted, and for sockets that are paths, which no
    # namespace hides: the database of a laptop is one.
    if event in NETWORK_EVENTS:
        raise PermissionError(errno.EACCES, "Documents are read without a network")


def _write(answer: bytes) -> None:
    view = memoryview(answer + END_OF_ANSWER)
    while view:
        view = view[os.write(RESULT_FD, view) :]
    # The worker goes on from here, before this process has given back its memory.
    os.close(RESULT_FD)


def _describe(error: BaseException, allowed: Limits) -> dict[str, JSON]:
    """Name the error by its class in documents.errors, with the cause for the log."""
    if isinstance(error, errors.SluiceError):
        known = next(kind for kind in type(error).__mro__ if hasattr(errors, kind.__name__))
        return {"class": known.__name__, "detail": error.detail, "details": _plain(error.details)}
    kind, detail = _classify(error, allowed)
    cause = f"{type(error).__name__}: {error}"[:MESSAGE_CHARACTERS]
    place = traceback.extract_tb(error.__traceback__)[-1:]
    at = "".join(f"{frame.filename}:{frame.lineno}" for frame in place)
    return {"class": kind.__name__, "detail": detail, "details": {"cause": cause, "at": at}}


def _classify(error: BaseException, allowed: Limits) -> tuple[type[errors.SluiceError], str]:
    if _ran_out_of_memory(error):
        return errors.TooComplexError, memory_sentence(allowed)
    if isinstance(error, RecursionError):
        return errors.TooComplexError, "The document is nested too deeply to be read."
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EFBIG:
        most = limits.size(allowed.file_bytes)
        return errors.TooComplexError, f"The document unpacks to more than {most}."
    if number == errno.EMFILE:
        detail = f"Reading the document opens more than {allowed.open_files} files at once."
        return errors.TooComplexError, detail
    if number in MACHINE_ERRORS:
        # Not a crash: three of those are the end, and a full disk may last longer.
        kind = errors.StorageFullError if number in NO_ROOM else errors.StorageError
        return kind, "Reading the document failed: the machine has no room left."
    return (
        errors.CorruptError,
        "The document could not be read: it is damaged or not what it claims to be.",
    )


def memory_sentence(allowed: Limits) -> str:
    """Say that the memory limit was reached."""
    return f"Reading the document needs more than {limits.size(allowed.memory_bytes)} of memory."


def _ran_out_of_memory(error: BaseException | None) -> bool:
    # Parsers wrap what goes wrong inside them, a MemoryError too.
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        error = error.__cause__ or error.__context__
    return False


def _result_too_large(allowed: Limits) -> dict[str, JSON]:
    detail = f"The text of the document is larger than {limits.size(allowed.result_bytes)}."
    return {"class": "TooComplexError", "detail": detail, "details": {}}


def _plain(details: Mapping[str, object]) -> dict[str, JSON]:
    return {
        name: value if isinstance(value, str | int | None) else repr(value)[:MESSAGE_CHARACTERS]
        for name, value in details.items()
    }
