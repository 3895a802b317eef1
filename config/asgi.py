"""HTTP, sockets and local storage in one ASGI process."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Many threads share few connections here; workers and commands hold their own.
os.environ.setdefault("DATABASE_POOL_SIZE", "16")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

django_application = get_asgi_application()

# These read models, which are loaded only now.
from config.mount import StorageMount  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402
from dashboard.try_later import TryLater  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": StorageMount(django_application),
        "websocket": AllowedHostsOriginValidator(
            TryLater(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
        ),
    }
)

# All pages are loaded, and stay: no collection need walk through them in the middle of a
# request. One that registers 500 documents took up to 100 ms longer when one did.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
