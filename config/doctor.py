"""Is this installation well? Each check looks at one thing and says what to do about it."""

import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.finding import DoctorError
from config.finding import Finding as Finding
from config.finding import Level as Level
from config.local_services import require_pgvector, urls
from config.start_error import StartError
from config.supervisor import is_loopback
from documents import faults
from documents.errors import SluiceError
from documents.storage import get_storage
from processing import reading, virus_scan
from processing.embeddings.registry import get_embedder, get_image_embedder
from processing.enrichment import names
from processing.extraction import libreoffice
from processing.extraction.recognition import available_languages, engine_name, tesseract_version
from processing.extraction.recognition.engines import OFF, TESSERACT
from processing.models import Worker
from processing.outcome import is_alive
from processing.previews.frame import COLOURS
from processing.sandbox import Sandbox

MINIMUM_PYTHON = (3, 11)
MIB = 1024**2
LOW_DISK_BYTES, NO_DISK_BYTES = 5 * 1024 * MIB, 512 * MIB
MIN_SECRET_KEY = 50
Check = tuple[str, Callable[[], str], str]
PROBE = b"Sluice can store these bytes."


def examine() -> Iterator[Finding]:
    """Yield a finding for each check, in an order in which causes come before effects."""
    is_database_away = False
    for name, check, advice in (*CHECKS, *_bucket_checks()):
        if is_database_away and check in NEED_DATABASE:
            yield Finding(name, Level.WARN, "not looked at: it needs the database")
            continue
        try:
            detail = check()
        except DoctorError as error:
            yield Finding(name, error.level, error.detail, error.advice)
        except StartError as error:
            yield Finding(name, Level.FAIL, str(error), advice)
        except SluiceError as error:
            yield Finding(name, Level.FAIL, error.detail, advice)
        except (DatabaseError, redis.RedisError, ImproperlyConfigured, OSError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            yield Finding(name, Level.FAIL, said[-1], advice)
            is_database_away |= check is _database
        else:
            yield Finding(name, Level.OK, detail)


def _bucket_checks() -> tuple[Check, ...]:
    if settings.STORAGE_BACKEND != "s3":
        return ()
    # boto3 takes a quarter of a second to load: only who uses it pays.
    from config import doctor_s3

    return doctor_s3.CHECKS


def _python() -> str:
    if sys.version_info < MINIMUM_PYTHON:
        raise DoctorError(f"Python {sys.version.split()[0]}", "Use Python 3.11 or newer.")
    return f"Python {sys.version.split()[0]}"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("show server_version")
        (version,) = cursor.fetchone()
    return f"PostgreSQL {version}"


def _pgvector() -> str:
    return f"pgvector {require_pgvector(settings.DATABASE_URL, settings.MINIMUM_PGVECTOR)}"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        raise DoctorError(f"{len(pending)} migrations have not run", "Run manage.py migrate.")
    return "all have run"


def _redis() -> str:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    try:
        return f"Redis {client.info('server')['redis_version']}"
    finally:
        client.close()


def _storage() -> str:
    storage, key = get_storage(), f"doctor/{secrets.token_hex(8)}"
    started = time.monotonic()
    try:
        storage.put(key, PROBE, "text/plain")
        with storage.open(key) as stream:
            read = stream.read()
        found = storage.stat(key)
    finally:
        storage.delete(key)
    if read != PROBE or found is None or found.size != len(PROBE):
        raise DoctorError("what is read is not what was stored", "Look at the storage service.")
    if storage.stat(key) is not None:
        raise DoctorError("what is deleted is still there", "Look at the storage service.")
    return f"{settings.STORAGE_BACKEND}, {1000 * (time.monotonic() - started):.0f} ms"


def _disk() -> str:
    path = Path(settings.STORAGE_ROOT)
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    free = free_bytes(existing)
    said = f"{free / 1024 / MIB:.1f} GiB free at {existing}"
    if free < LOW_DISK_BYTES:
        level = Level.FAIL if free < NO_DISK_BYTES else Level.WARN
        raise DoctorError(said, "Make room, or set STORAGE_ROOT to another disk.", level)
    return said


def free_bytes(path: Path) -> int:
    """Return what can still be written at `path`."""
    return shutil.disk_usage(path).free


def _model() -> str:
    embedder = get_embedder()
    started = time.monotonic()
    vectors = embedder.embed(["Sluice finds anything in your documents."])
    if vectors.shape != (1, embedder.dimensions):
        raise DoctorError(f"a vector of shape {vectors.shape}", "Check the EMBEDDING_ settings.")
    seconds = time.monotonic() - started
    return f"{embedder.model}, {embedder.dimensions} dimensions, {seconds:.1f} s to the first"


def _images() -> str:
    embedder = get_image_embedder()
    if embedder is None:
        advice = "Set IMAGE_MODEL_PATH to a CLIP model to have images found by what they show."
        raise DoctorError("off: no IMAGE_MODEL_PATH is set", advice, Level.INFO)
    frame = embedder.frame
    started = time.monotonic()
    # Each tower holds what it makes against what the folder says.
    embedder.embed_texts(["a lantern by a lake"])
    embedder.embed_images([np.full((frame.height, frame.width, COLOURS), 128, np.uint8)])
    seconds = time.monotonic() - started
    return f"{embedder.model}, {embedder.dimensions} dimensions, {seconds:.1f} s to the first"


def _sandbox() -> str:
    sandbox = Sandbox(tasks=[reading.DETECT])
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "note.txt"
            path.write_bytes(PROBE)
            answer = sandbox.run(reading.DETECT, arguments={"path": str(path), "name": path.name})
    finally:
        sandbox.close()
    return f"recognised {answer['media_type']}"  # type: ignore[call-overload, index]


def _names() -> str:
    if not settings.ENTITY_MODEL:
        advice = "Set ENTITY_MODEL to a spaCy pipeline to have people and places found."
        raise DoctorError("off: no ENTITY_MODEL is set", advice, Level.INFO)
    return ", ".join(f"{model} for {names.load(model).lang}" for model in settings.ENTITY_MODEL)


def _office() -> str:
    path = libreoffice.program()
    if path is None:
        advice = "Install it to read .doc and .ppt documents; all others do without."
        raise DoctorError("LibreOffice is not on PATH", advice, Level.INFO)
    return path


def _virus_scan() -> str:
    if not settings.CLAMD_URL:
        advice = "Set CLAMD_URL to have ClamAV look at every document."
        raise DoctorError("nobody looks for viruses", advice, Level.INFO)
    return virus_scan.version(settings.CLAMD_URL, settings.CLAMD_SECONDS)


def _recognition() -> str:
    if settings.OCR_ENGINE == OFF:
        raise DoctorError("off", "Set OCR_ENGINE=auto to read scans and images.", Level.INFO)
    if engine_name(settings.OCR_ENGINE) != TESSERACT:
        advice = "Install Tesseract, which is faster and better with Latin scripts, if you can."
        raise DoctorError("RapidOCR, English and Chinese", advice, Level.INFO)
    here = available_languages()
    missing = [name for name in settings.OCR_LANGUAGES if name not in here]
    if missing:
        said = f"Tesseract has no {', '.join(missing)}, only {', '.join(here) or 'nothing'}"
        raise DoctorError(said, "Install its data for them, or set OCR_LANGUAGES.", Level.WARN)
    return f"{tesseract_version()}, {', '.join(settings.OCR_LANGUAGES)}"


def _workers() -> str:
    return _alive(Worker.Kind.WORKER, "No document is processed until one runs")


def _conductor() -> str:
    return _alive(Worker.Kind.CONDUCTOR, "Progress stands still until one runs")


def _alive(kind: Worker.Kind, consequence: str) -> str:
    if not is_alive(kind):
        raise DoctorError(f"no {kind} has been seen just now", f"{consequence}: make run.")
    return "seen just now"


def _settings() -> str:
    if not settings.EMBEDDED and len(settings.SECRET_KEY) < MIN_SECRET_KEY:
        raise DoctorError(
            f"SECRET_KEY has {len(settings.SECRET_KEY)} characters",
            f"Use at least {MIN_SECRET_KEY} random ones: signed URLs depend on it.",
        )
    if faults.are_armed():
        advice = f"Unset {faults.FOLDER_VARIABLE}: it is for failure tests."
        raise DoctorError("files in a folder may kill any process", advice)
    reachable = not is_loopback(settings.HOST) or not settings.EMBEDDED
    if settings.DEBUG and reachable:
        raise DoctorError("DEBUG is on where others can reach it", "Unset DEBUG.")
    if "*" in settings.ALLOWED_HOSTS:
        advice = "Name the hosts Sluice answers to."
        raise DoctorError("ALLOWED_HOSTS allows every host", advice, Level.WARN)
    if reachable and not settings.HTTPS:
        advice = "Put a TLS proxy in front and set HTTPS=true."
        raise DoctorError("HTTPS is off where others can reach it", advice, Level.WARN)
    return "safe for where it is reachable"


_OURS = "Start it: make run."
_DATABASE = (
    _OURS
    if urls(settings.SLUICE_HOME).database_url == settings.DATABASE_URL
    else ("Check DATABASE_URL, and that the server runs and lets this machine in.")
)
_REDIS = (
    _OURS
    if urls(settings.SLUICE_HOME).redis_url == settings.REDIS_URL
    else ("Check REDIS_URL. Until it is back, work goes on more slowly and pages poll.")
)
_STORAGE = (
    "Check the S3_ settings."
    if settings.STORAGE_BACKEND == "s3"
    else "Check STORAGE_ROOT: its folder must be writable."
)

CHECKS: tuple[Check, ...] = (
    ("Python", _python, ""),
    ("Settings", _settings, ""),
    ("Database", _database, _DATABASE),
    ("pgvector", _pgvector, _DATABASE),
    ("Migrations", _migrations, _DATABASE),
    ("Redis", _redis, _REDIS),
    ("Storage", _storage, _STORAGE),
    ("Disk", _disk, ""),
    ("Embedding model", _model, "Check the EMBEDDING_ settings."),
    ("Image model", _images, "Correct its folder, or unset IMAGE_MODEL_PATH."),
    ("Entity model", _names, "Install it, or unset ENTITY_MODEL: enrich fails without it."),
    ("Sandbox", _sandbox, "Without it no document can be read; the message says why."),
    ("Workers", _workers, _DATABASE),
    ("Conductor", _conductor, _DATABASE),
    ("Text recognition", _recognition, "Install it, or set OCR_ENGINE=auto."),
    ("LibreOffice", _office, ""),
    ("Virus scan", _virus_scan, "Documents wait until it answers: check CLAMD_URL and clamd."),
)
NEED_DATABASE = (_pgvector, _migrations, _workers, _conductor)
