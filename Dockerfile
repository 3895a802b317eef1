# One image for web, worker and conductor; the command says which (docker-compose.yml).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    SLUICE_HOME=/data \
    STATIC_ROOT=/app/staticfiles

WORKDIR /app

# Tesseract reads scans and images; what is built in is slower and worse with Latin scripts.
# LibreOffice reads Office documents from before 2007, and draws those of today.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr \
        libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui \
    && rm -rf /var/lib/apt/lists/*

# The lock is complete; what it leaves out (torch) is left out on purpose.
COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.txt

COPY manage.py ./
COPY config config
COPY documents documents
COPY processing processing
COPY dashboard dashboard
COPY templates templates
COPY static static

RUN useradd --system --uid 10001 --home-dir /data sluice \
    && mkdir /data \
    && SLUICE_HOME=/tmp/build python manage.py collectstatic --no-input --verbosity 0 \
    && rm -rf /tmp/build \
    && chown sluice:sluice /data

USER sluice
VOLUME /data
EXPOSE 8000

CMD ["python", "-m", "uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--ws-max-size", "4096", "--timeout-graceful-shutdown", "3", "--lifespan", "off", \
     "--no-server-header", "--no-access-log"]
