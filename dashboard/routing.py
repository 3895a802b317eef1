"""Which socket goes where; /ws/ only."""

from django.urls import re_path

from dashboard.consumers import BatchConsumer

websocket_urlpatterns = [
    re_path(r"^ws/batches/(?P<batch_id>[0-9a-f-]{36})/?$", BatchConsumer.as_asgi()),
]
