"""Pages may talk to Sluice, and to the store when browsers send documents there."""

import os
import subprocess
import sys

import pytest

from config.environment import app_origins
from tests.test_architecture import ROOT

POLICY = """
import django
django.setup()
from csp.middleware import CSPMiddleware
from django.http import HttpResponse
from django.test import RequestFactory
answer = CSPMiddleware(lambda request: HttpResponse())(RequestFactory().get("/"))
print(answer["Content-Security-Policy"])
"""
BUCKET = {
    "STORAGE_BACKEND": "s3",
    "S3_BUCKET": "papers",
    "S3_ENDPOINT_URL": "http://ceph.internal:7480",
    "S3_ADDRESSING_STYLE": "path",
}


def policy(**environment: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", POLICY],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    parts = (part.strip().partition(" ") for part in done.stdout.strip().split(";"))
    return {name: sources for name, _, sources in parts}


def test_pages_talk_to_nobody_else_when_documents_are_kept_here() -> None:
    assert policy()["connect-src"] == "'self'"


@pytest.mark.parametrize(
    ("environment", "origins"),
    [
        ({}, "http://ceph.internal:7480"),
        ({"S3_PUBLIC_ENDPOINT_URL": "https://store.example"}, "https://store.example"),
        (
            {"S3_PUBLIC_ENDPOINT_URL": "https://a.example", "S3_ADDRESSING_STYLE": "virtual"},
            "https://a.example https://papers.a.example",
        ),
    ],
)
def test_pages_may_send_to_where_browsers_reach_the_store(
    environment: dict[str, str], origins: str
) -> None:
    told = policy(**{**BUCKET, **environment})

    assert told["connect-src"] == f"'self' {origins}"
    # Small pictures come from the store, documents as a download that is no part of a page.
    assert told["img-src"] == f"'self' data: blob: {origins}"
    assert told["default-src"] == "'none'"


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({"hosts": ["localhost", "[::1]"]}, ["http://localhost:8000", "http://[::1]:8000"]),
        ({"hosts": ["sluice.example"], "https": True}, ["https://sluice.example"]),
        ({"hosts": ["*", ".example"]}, []),
        ({"hosts": ["inner"], "trusted": ["https://outer.example"]}, ["https://outer.example"]),
    ],
)
def test_the_origins_of_sluice_follow_from_its_other_settings(
    given: dict[str, list[str]], origins: list[str]
) -> None:
    usual: dict[str, list[str]] = {"trusted": [], **given}

    told = app_origins(usual["hosts"], usual["trusted"], https=bool(given.get("https")), port=8000)

    assert told == origins
