"""All settings, read once from the environment; docs/settings.md lists them.

Nothing here starts a service or opens a connection: without DATABASE_URL and
REDIS_URL the addresses are those of the embedded services under SLUICE_HOME.
"""

import os
from pathlib import Path
from typing import Any

import structlog

from config import local_services
from config.environment import (
    AT_LEAST_ONE,
    OCR_ENGINES,
    POSITIVE,
    SHARE,
    app_origins,
    django_database,
    env,
    require_bucket,
    s3_origins,
    secret_key,
)
from config.version import VERSION as VERSION

BASE_DIR = Path(__file__).resolve().parent.parent
SLUICE_HOME = Path(env.str("SLUICE_HOME", str(BASE_DIR / "var"))).resolve()
DEBUG = env.bool("DEBUG", False)

_given_database = env.str("DATABASE_URL", "")
_given_redis = env.str("REDIS_URL", "")
EMBEDDED = not (_given_database and _given_redis)
_local = local_services.urls(SLUICE_HOME)
DATABASE_URL = _given_database or _local.database_url
REDIS_URL = _given_redis or _local.redis_url

SECRET_KEY = secret_key(SLUICE_HOME, debug=DEBUG, embedded=EMBEDDED)
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    # First: it sets the broker that the actors of processing are declared on.
    "django_dramatiq",
    "config",
    "dashboard",
    "processing",
    "documents",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "config.middleware.RequestIdMiddleware",
    "config.middleware.UnavailableMiddleware",
    "config.middleware.PlainQueryMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context_processors.shell",
            ],
        },
    },
]

# --- database and broker ------------------------------------------------------

# Who stands still for so long in a transaction, or while leading, loses its session.
STALLED_SECONDS = env.int("STALLED_SECONDS", 15)
DATABASES = {
    "default": django_database(
        DATABASE_URL,
        pool_size=env.int("DATABASE_POOL_SIZE", 0),
        stalled_seconds=STALLED_SECONDS,
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MINIMUM_PGVECTOR = (0, 8, 4)

DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {"url": REDIS_URL, "namespace": "sluice", "socket_timeout": 2},
    # Retries, Pipelines and the like stay out: all of that is rows in Postgres.
    "MIDDLEWARE": ["django_dramatiq.middleware.DbConnectionsMiddleware"],
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "sluice-ws"},
    },
}

# --- people -------------------------------------------------------------------

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# --- security -----------------------------------------------------------------

HTTPS = env.bool("HTTPS", False)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- static files -------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(SLUICE_HOME / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.staticfiles.HashedStaticFilesStorage"},
}

# --- API ----------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.NestedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Sluice",
    "DESCRIPTION": "Drop a folder of thousands of documents; find anything in them.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # The same states, and the same kinds, stand in several fields.
    "ENUM_NAME_OVERRIDES": {
        "Status": "documents.states.Status",
        "EntityKind": "processing.schema.KINDS",
    },
}
# A window of 500 documents with long paths is about 1 MB of JSON.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# --- documents ----------------------------------------------------------------

STORAGE_BACKEND = env.str("STORAGE_BACKEND", "local")
STORAGE_ROOT = Path(env.str("STORAGE_ROOT", str(SLUICE_HOME / "storage")))
S3_REGION = env.str("S3_REGION", "us-east-1")
# The options of documents.storage.s3_client.S3Options, by name.
S3: dict[str, Any] = {
    "bucket": env.str("S3_BUCKET", ""),
    "region": S3_REGION,
    # Left to boto3 this would not name the region, and the store answer with redirects.
    "endpoint_url": env.str("S3_ENDPOINT_URL", f"https://s3.{S3_REGION}.amazonaws.com"),
    "public_endpoint_url": env.str("S3_PUBLIC_ENDPOINT_URL", ""),
    "access_key_id": env.str("S3_ACCESS_KEY_ID", ""),
    "secret_access_key": env.str("S3_SECRET_ACCESS_KEY", ""),
    "addressing_style": env.str("S3_ADDRESSING_STYLE", "auto"),
    "sign_checksum": env.bool("S3_SIGN_CHECKSUM", True),
    "sign_if_none_match": env.bool("S3_SIGN_IF_NONE_MATCH", True),
    "connect_seconds": env.float("S3_CONNECT_SECONDS", 5.0),
    "read_seconds": env.float("S3_READ_SECONDS", 30.0),
}
# Which origins the bucket lets browsers send documents from: `manage.py configure_bucket`.
S3_CORS_ORIGINS: list[str] = env.list(
    "S3_CORS_ORIGINS",
    app_origins(ALLOWED_HOSTS, CSRF_TRUSTED_ORIGINS, https=HTTPS, port=PORT),
)
if STORAGE_BACKEND == "s3":
    require_bucket(S3)
    # Browsers send documents straight to the store.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"] += s3_origins(S3)
    # Thumbnails come from there too.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"] += s3_origins(S3)
UPLOAD_URL_SECONDS = env.int("UPLOAD_URL_SECONDS", 300)
DOWNLOAD_URL_SECONDS = env.int("DOWNLOAD_URL_SECONDS", 300)
# How long a link to a thumbnail or a page's image works: browsers keep the picture themselves.
PREVIEW_URL_SECONDS = env.int("PREVIEW_URL_SECONDS", 3600, validate=AT_LEAST_ONE)
# Pictures of pages, drawn when somebody looks: how many a web process draws at once, and how
# much of them is kept, by when somebody looked last.
PAGE_DRAWERS = env.int("PAGE_DRAWERS", 2, validate=AT_LEAST_ONE)
PAGE_IMAGES_MAX_BYTES = env.int("PAGE_IMAGES_MAX_BYTES", 2 * 1024**3)
# An upload that never came gives its quota back after this long.
UPLOAD_EXPIRY_SECONDS = env.int("UPLOAD_EXPIRY_SECONDS", 24 * 3600)
# An upload nobody completed is looked for after this long (a closed tab).
UPLOAD_IDLE_SECONDS = env.int("UPLOAD_IDLE_SECONDS", 120)
# How often the conductor looks for them, and for those whose time is over.
SWEEP_SECONDS = env.int("SWEEP_SECONDS", 30)
# How often a workspace may call for upload URLs, up to 500 documents a call: at once, in the
# long run, and which share of both one token or person may take.
UPLOAD_CALLS_BURST = env.int("UPLOAD_CALLS_BURST", 600, validate=AT_LEAST_ONE)
UPLOAD_CALLS_PER_SECOND = env.float("UPLOAD_CALLS_PER_SECOND", 10.0, validate=POSITIVE)
UPLOAD_CALLS_CALLER_SHARE = env.float("UPLOAD_CALLS_CALLER_SHARE", 0.5, validate=SHARE)
# What holds while Redis, which counts the calls, is away.
UPLOAD_DOCUMENTS_PER_MINUTE = env.int("UPLOAD_DOCUMENTS_PER_MINUTE", 50_000, validate=AT_LEAST_ONE)
# Larger documents are sent in parts, of this size: what broke off is sent again from there.
MULTIPART_BYTES = env.int("MULTIPART_BYTES", 64 * 1024 * 1024)
PART_BYTES = env.int("PART_BYTES", 16 * 1024 * 1024)
MAX_DOCUMENT_BYTES = env.int("MAX_DOCUMENT_BYTES", 500 * 1024 * 1024)
WORKSPACE_QUOTA_BYTES = env.int("WORKSPACE_QUOTA_BYTES", 100 * 1024**3)
# What documents may know of the apps above it, by name only.
DOCUMENT_STAGES = "processing.selectors.stages_of"

# --- processing ---------------------------------------------------------------

WORKER_THREADS = env.int("WORKER_THREADS", 3)
WORKER_PROCESSES = env.int("WORKER_PROCESSES", os.cpu_count() or 1)
# A worker and a server of parsers are renewed after so much work or memory; 0: never.
WORKER_MAX_JOBS = env.int("WORKER_MAX_JOBS", 2000)
WORKER_MAX_RSS_BYTES = env.int("WORKER_MAX_RSS_BYTES", 2 * 1024**3)
SANDBOX_MAX_CALLS = env.int("SANDBOX_MAX_CALLS", 5000)
SANDBOX_MAX_RSS_BYTES = env.int("SANDBOX_MAX_RSS_BYTES", 1024**3)
LEASE_SECONDS = env.int("LEASE_SECONDS", 60)
HEARTBEAT_SECONDS = env.int("HEARTBEAT_SECONDS", 15)
# Long turns would hold every thread at one stage of a large import, and the small wait at the next.
TURN_SECONDS = env.int("TURN_SECONDS", 2)
MAX_ATTEMPTS = env.int("MAX_ATTEMPTS", 6)
MAX_CRASHES = env.int("MAX_CRASHES", 3)
RETRY_LADDER_SECONDS = env.list("RETRY_LADDER_SECONDS", [60, 300, 900, 3600, 21600], subcast=int)
RETRY_JITTER = env.float("RETRY_JITTER", 0.1)
INTERACTIVE_DOCUMENTS = env.int("INTERACTIVE_DOCUMENTS", 5)
PARSE_MEMORY_BYTES = env.int("PARSE_MEMORY_BYTES", 1536 * 1024**2)
PARSE_CPU_SECONDS = env.int("PARSE_CPU_SECONDS", 120)
PARSE_WALL_SECONDS = env.int("PARSE_WALL_SECONDS", 180)
# Where a ClamAV daemon looks at every document before it is kept; empty: nowhere.
CLAMD_URL = env.str("CLAMD_URL", "")
CLAMD_SECONDS = env.float("CLAMD_SECONDS", 60.0, validate=POSITIVE)
# Text recognition: which engine, in which languages of Tesseract, and how much of a document.
OCR_ENGINE = env.str("OCR_ENGINE", "auto", validate=OCR_ENGINES)
OCR_LANGUAGES = env.list("OCR_LANGUAGES", ["eng"])
OCR_MAX_PAGES = env.int("OCR_MAX_PAGES", 200, validate=AT_LEAST_ONE)
# After so long others have their turn, and the document goes on when its own comes again.
OCR_SLICE_SECONDS = env.int("OCR_SLICE_SECONDS", 20, validate=AT_LEAST_ONE)
OCR_MAX_SECONDS = env.int("OCR_MAX_SECONDS", 900, validate=AT_LEAST_ONE)
ARCHIVE_MAX_ENTRIES = env.int("ARCHIVE_MAX_ENTRIES", 20_000)
ARCHIVE_MAX_BYTES = env.int("ARCHIVE_MAX_BYTES", 4 * 1024**3)
ARCHIVE_MAX_RATIO = env.int("ARCHIVE_MAX_RATIO", 200)
ARCHIVE_MAX_DEPTH = env.int("ARCHIVE_MAX_DEPTH", 3)
# Unpacked at once, on the disk of the worker that does it.
ARCHIVE_STEP_BYTES = env.int("ARCHIVE_STEP_BYTES", 256 * 1024**2)

EMBEDDING_PROVIDER = env.str("EMBEDDING_PROVIDER", "local")
EMBEDDING_MODEL_PATH = env.str("EMBEDDING_MODEL_PATH", "")
EMBEDDING_MODEL = env.str("EMBEDDING_MODEL", "")
EMBEDDING_BASE_URL = env.str("EMBEDDING_BASE_URL", "")
EMBEDDING_API_KEY = env.str("EMBEDDING_API_KEY", "")
# 0: as many as the model gives.
EMBEDDING_DIMENSIONS = env.int("EMBEDDING_DIMENSIONS", 0)
EMBEDDING_THREADS = env.int("EMBEDDING_THREADS", 1)
EMBEDDING_RUNTIME = env.str("EMBEDDING_RUNTIME", "auto")
# A folder of a model that finds images by what they show; empty: none does.
IMAGE_MODEL_PATH = env.str("IMAGE_MODEL_PATH", "")
MODEL_CACHE_DIR = Path(env.str("MODEL_CACHE_DIR", str(SLUICE_HOME / "models")))
# Pipelines that name people, organisations and places, each for its language.
ENTITY_MODEL: list[str] = list(map(str.strip, env.list("ENTITY_MODEL", [])))

# --- logs ---------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
_shared: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": _shared,
        },
    },
    "filters": {"outages": {"()": "config.log_limits.OutageFilter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["outages"]},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_shared,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
