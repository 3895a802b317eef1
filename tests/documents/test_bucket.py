"""A bucket is given its rules, and the doctor finds out what its store really does."""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config import doctor
from config.doctor import Level
from documents.errors import StorageError
from documents.storage import s3_bucket
from documents.storage.s3_bucket import BucketRules, RefusedRulesError, Subject
from documents.storage.s3_client import S3Options, connect
from documents.storage.s3_probe import Conduct, try_checksum, try_cors, try_length, try_writing_once
from tests.documents.storage_s3 import CephBackend, S3Backend, options_from, running_stores

ORIGIN, STRANGER = "http://sluice.example", "http://stranger.example"
THEIRS: Any = {"ID": "theirs", "AllowedOrigins": ["https://x.example"], "AllowedMethods": ["GET"]}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each store that runs, or those that a test is about: whether they take rules."""
    stores = running_stores()
    if "ceph" in metafunc.fixturenames:
        stores = tuple(store for store in stores if store is CephBackend)
    elif "ruleless" in metafunc.fixturenames:
        stores = tuple(store for store in stores if store is not CephBackend)
    metafunc.parametrize("store", stores, ids=[store.__name__ for store in stores])


@pytest.fixture
def options(store: type[S3Backend]) -> Iterator[S3Options]:
    """Say how to reach a bucket that this test alone has."""
    options = replace(options_from(os.environ[store.variable]), bucket=f"own-{uuid.uuid4().hex}")
    client, _ = connect(options, options.endpoint_url)
    client.create_bucket(Bucket=options.bucket)
    yield options
    for entry in client.list_objects_v2(Bucket=options.bucket).get("Contents", []):
        client.delete_object(Bucket=options.bucket, Key=entry["Key"])
    client.delete_bucket(Bucket=options.bucket)


@pytest.fixture
def ceph(options: S3Options) -> S3Options:
    """Give a bucket of the store that takes rules."""
    return options


@pytest.fixture
def ruleless(options: S3Options) -> S3Options:
    """Give a bucket of a store that takes no rules by its S3 interface."""
    return options


@pytest.fixture(autouse=True)
def configured(options: S3Options, settings: Settings) -> None:
    settings.STORAGE_BACKEND, settings.S3 = "s3", asdict(options)
    settings.S3_CORS_ORIGINS = [ORIGIN]


@pytest.fixture(autouse=True)
def only_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what has nothing to do with the bucket."""
    monkeypatch.setattr(doctor, "CHECKS", ())


def look() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def configure(*arguments: str) -> str:
    output = StringIO()
    call_command("configure_bucket", *arguments, stdout=output)
    return output.getvalue()


def keys(options: S3Options) -> list[str]:
    client, _ = connect(options, options.endpoint_url)
    found = client.list_objects_v2(Bucket=options.bucket).get("Contents", [])
    return [entry["Key"] for entry in found]


def cors_of(options: S3Options) -> list[Any]:
    client, _ = connect(options, options.endpoint_url)
    return list(client.get_bucket_cors(Bucket=options.bucket)["CORSRules"])


def lifecycle_of(options: S3Options) -> dict[str, Any]:
    client, _ = connect(options, options.endpoint_url)
    answer = client.get_bucket_lifecycle_configuration(Bucket=options.bucket)
    return {rule["ID"]: rule for rule in answer["Rules"]}


def test_a_configured_bucket_takes_uploads_from_our_pages_and_no_others(ceph: S3Options) -> None:
    before = try_cors(ceph, ORIGIN)

    configure()

    after, strange = try_cors(ceph, ORIGIN), try_cors(ceph, STRANGER)
    assert not before.allows_put
    assert (after.status, after.allows_put, after.exposes_etag) == (200, True, True)
    assert not strange.allows_put
    assert keys(ceph) == []


def test_unfinished_and_forgotten_uploads_go(ceph: S3Options) -> None:
    configure("--incoming-days", "10")

    rules = lifecycle_of(ceph)
    assert {rule["Filter"]["Prefix"] for rule in rules.values()} == {"incoming/"}
    parts = rules["sluice-parts"]["AbortIncompleteMultipartUpload"]
    assert parts["DaysAfterInitiation"] == 2
    assert rules["sluice-incoming"]["Expiration"]["Days"] == 10


def test_parts_are_kept_as_long_as_somebody_may_go_on(ceph: S3Options, settings: Settings) -> None:
    settings.UPLOAD_EXPIRY_SECONDS = 5 * 24 * 3600

    configure()

    parts = lifecycle_of(ceph)["sluice-parts"]["AbortIncompleteMultipartUpload"]
    assert parts["DaysAfterInitiation"] == 6


def test_configuring_again_writes_nothing(ceph: S3Options, monkeypatch: pytest.MonkeyPatch) -> None:
    first = configure()
    monkeypatch.delattr(BucketRules, "fulfil")

    second = configure()

    assert first == "CORS: set\nLifecycle: set\n"
    assert second == "CORS: as it should be\nLifecycle: as it should be\n"


def test_another_origin_replaces_ours_and_leaves_the_rules_of_others(ceph: S3Options) -> None:
    client, _ = connect(ceph, ceph.endpoint_url)
    client.put_bucket_cors(Bucket=ceph.bucket, CORSConfiguration={"CORSRules": [THEIRS]})
    configure("--origin", STRANGER)

    configure("--origin", ORIGIN)

    rules = {rule["ID"]: rule for rule in cors_of(ceph)}
    assert rules["theirs"] == THEIRS
    assert rules["sluice"]["AllowedOrigins"] == [ORIGIN]
    assert len(rules) == 2


def test_rules_whose_name_the_store_forgot_are_not_written_twice(ceph: S3Options) -> None:
    (rule,) = s3_bucket.cors_rules([ORIGIN])
    nameless: Any = {name: value for name, value in rule.items() if name != "ID"}
    client, _ = connect(ceph, ceph.endpoint_url)
    client.put_bucket_cors(Bucket=ceph.bucket, CORSConfiguration={"CORSRules": [nameless]})

    configure()

    assert [rule["ID"] for rule in cors_of(ceph)] == ["sluice"]


def test_a_dry_run_tells_the_rules_and_writes_none(ceph: S3Options) -> None:
    told = configure("--dry-run")

    assert "CORS: would be set" in told
    assert json.loads(told[told.index("[") : told.index("]\nLifecycle") + 1]) == [
        dict(rule) for rule in s3_bucket.cors_rules([ORIGIN])
    ]
    assert not try_cors(ceph, ORIGIN).allows_put


def test_a_store_that_takes_no_rules_says_what_to_do_by_hand(ruleless: S3Options) -> None:
    output = StringIO()

    with pytest.raises(CommandError, match="by hand"):
        call_command("configure_bucket", stdout=output)

    cors, lifecycle = output.getvalue().splitlines()
    assert f"let its own configuration allow {ORIGIN}" in cors
    assert "cors_preflight_allow_origin" in cors
    assert lifecycle.startswith("Lifecycle: this store has no such rules")


def test_a_key_that_may_not_is_told_which_right_it_needs(ceph: S3Options) -> None:
    rules = BucketRules(replace(ceph, secret_access_key="wrong"))

    with pytest.raises(StorageError):
        rules.plan(Subject.CORS, s3_bucket.cors_rules([ORIGIN]))

    forbidden = RefusedRulesError(Subject.CORS, "AccessDenied")
    assert "s3:PutBucketCORS" in s3_bucket.by_hand(forbidden, s3_bucket.cors_rules([ORIGIN]))


def test_a_quick_end_of_incoming_is_refused() -> None:
    with pytest.raises(CommandError, match="at least 3 days"):
        configure("--incoming-days", "2")


def test_what_each_store_enforces_is_found_by_trying(
    store: type[S3Backend], options: S3Options
) -> None:
    hashed = Conduct.ENFORCES if store.enforced.hash else Conduct.IGNORES

    assert try_checksum(options) == hashed
    assert try_writing_once(options) == Conduct.ENFORCES
    assert try_length(options) == Conduct.ENFORCES
    assert keys(options) == []


def test_doctor_is_content_with_a_configured_bucket(ceph: S3Options) -> None:
    configure()

    found = look()

    assert [finding.level for finding in found.values()] == [
        *(Level.OK, Level.OK, Level.INFO, Level.OK, Level.OK),
    ]
    assert found["CORS"].detail == f"browsers at {ORIGIN} may upload"
    assert found["Signed hash"].detail == "the store ignores it"
    assert keys(ceph) == []


def test_doctor_names_the_origin_that_may_not_upload(ceph: S3Options, settings: Settings) -> None:
    configure()
    settings.S3_CORS_ORIGINS = [ORIGIN, STRANGER]

    finding = look()["CORS"]

    assert finding.level == Level.FAIL
    assert finding.detail == f"browsers at {STRANGER} may not upload (preflight: 403)"
    assert "configure_bucket" in finding.advice


def test_doctor_says_that_a_condition_the_store_enforces_is_not_signed(
    options: S3Options, settings: Settings
) -> None:
    settings.S3 = asdict(replace(options, sign_if_none_match=False))

    finding = look()["Signed If-None-Match"]

    assert finding.level == Level.WARN
    assert finding.advice == "Set S3_SIGN_IF_NONE_MATCH=true."


@pytest.mark.parametrize("wrong", [{"bucket": "wrong-one"}, {"secret_access_key": "wrong"}])
def test_doctor_names_a_bucket_that_does_not_answer(
    options: S3Options, settings: Settings, wrong: dict[str, str]
) -> None:
    settings.S3 = {**asdict(options), **wrong}

    finding = look()["Bucket"]

    assert finding.level == Level.FAIL
    assert "S3_BUCKET" in finding.advice
