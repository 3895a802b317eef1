"""HTTP for threads: the production entry point when storage is not local."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DATABASE_POOL_SIZE", "16")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
