"""The proxy breaks what it is told to, and no fault of a store becomes wrong bytes."""

import dataclasses
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import psutil
import pytest

from documents.errors import ConflictError, StorageError
from documents.storage.s3 import S3Storage
from documents.storage.s3_client import S3Options
from tests.chaos.faulty_storage import HERE, FaultyStorage, proxied
from tests.chaos.memory_store import memory_store
from tests.chaos.storage_proxy import Faults
from tests.documents.storage_backends import PDF, presign, read, stat_of
from tests.documents.storage_s3 import options_from, running_stores
from tests.documents.storage_server import send
from tests.test_architecture import ROOT

BODY = b"The quick brown fox jumps over the lazy dog.\n" * 10_000
OTHER = b"Other bytes of the same size, but not the same\n"[:45] * 10_000
MEMORY = S3Options(
    bucket="sluice", region="us-east-1", endpoint_url="", access_key_id="a", secret_access_key="b"
)
STORES = {store.__name__: store for store in running_stores()}


@pytest.fixture(scope="module", params=["memory", *STORES])
def options(request: pytest.FixtureRequest) -> Iterator[S3Options]:
    """Say how to reach each store without a proxy."""
    if request.param in STORES:
        yield options_from(os.environ[STORES[request.param].variable])
        return
    with memory_store() as url:
        yield dataclasses.replace(MEMORY, endpoint_url=url, addressing_style="path")


@pytest.fixture(scope="module")
def running(options: S3Options) -> Iterator[FaultyStorage]:
    with proxied(options.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: FaultyStorage) -> Iterator[FaultyStorage]:
    """Give the proxy, breaking nothing yet."""
    running.set()
    yield running
    running.set()


@pytest.fixture(scope="module")
def direct(options: S3Options) -> S3Storage:
    """Give the store as it really is."""
    return S3Storage(options)


@pytest.fixture(scope="module")
def impatient(options: S3Options, running: FaultyStorage) -> S3Storage:
    return S3Storage(
        dataclasses.replace(options, endpoint_url=running.url, connect_seconds=2, read_seconds=2)
    )


@pytest.fixture
def storage(impatient: S3Storage, proxy: FaultyStorage) -> S3Storage:
    """Give the store as it is seen through the proxy."""
    return impatient


@pytest.fixture
def key() -> str:
    return f"incoming/{uuid.uuid4()}/{uuid.uuid4().hex}"


@pytest.fixture
def final() -> str:
    return f"documents/{uuid.uuid4()}"


def test_everything_passes_while_nothing_is_broken(
    storage: S3Storage, proxy: FaultyStorage, key: str, final: str
) -> None:
    put = presign(storage, key, BODY)

    assert send(HERE, "PUT", put.url, BODY, put.headers).status == 200
    storage.promote(key, final, if_etag=stat_of(storage, key).etag)

    assert read(storage, final) == BODY
    counts = proxy.counts()
    assert counts.pop("requests") > 0
    assert set(counts.values()) == {0}


@pytest.mark.parametrize(
    "fault", ["unavailable", "timeout", "reset", "reset_request", "reset_response"]
)
def test_broken_write_is_a_storage_error(
    storage: S3Storage, direct: S3Storage, proxy: FaultyStorage, final: str, fault: str
) -> None:
    before = proxy.counts()[fault]
    proxy.set(**{fault: 1, "timeout_seconds": 5})

    with pytest.raises(StorageError):
        storage.put(final, BODY, PDF)

    assert proxy.counts()[fault] > before
    assert direct.stat(final) is None or read(direct, final) == BODY


@pytest.mark.parametrize(
    "fault", ["unavailable", "timeout", "reset", "reset_response", "short_read"]
)
def test_broken_read_is_a_storage_error(
    storage: S3Storage, direct: S3Storage, proxy: FaultyStorage, final: str, fault: str
) -> None:
    direct.put(final, BODY, PDF)
    before = proxy.counts()[fault]
    proxy.set(**{fault: 1, "timeout_seconds": 5})

    with pytest.raises(StorageError):
        read(storage, final)
    with pytest.raises(StorageError), storage.as_file(final):
        pytest.fail("A file was given that is not whole.")

    assert proxy.counts()[fault] > before


def test_head_that_misses_an_object_is_not_believed(
    storage: S3Storage, direct: S3Storage, proxy: FaultyStorage, final: str
) -> None:
    direct.put(final, BODY, PDF)
    before = proxy.counts()["missing_head"]
    proxy.set(missing_head=1)

    assert storage.stat(final) == direct.stat(final)
    assert proxy.counts()["missing_head"] == before + 1


def test_object_is_never_promoted_by_an_old_description(
    storage: S3Storage, direct: S3Storage, proxy: FaultyStorage, key: str, final: str
) -> None:
    storage.put(key, BODY, PDF)
    proxy.set(old_head=1, stale_seconds=60)
    with pytest.raises(StorageError):
        storage.put(key, OTHER, PDF)
    old = stat_of(storage, key)
    assert old.etag != stat_of(direct, key).etag

    with pytest.raises(ConflictError):
        storage.promote(key, final, if_etag=old.etag)

    assert direct.stat(final) is None


def test_nothing_is_buried_on_the_word_of_an_old_description(
    storage: S3Storage, direct: S3Storage, proxy: FaultyStorage, key: str, final: str
) -> None:
    storage.put(final, BODY, PDF)
    proxy.set(old_head=1, stale_seconds=60)
    storage.delete(final)
    direct.put(key, BODY, PDF)

    storage.promote(key, final, if_etag=stat_of(direct, key).etag)

    assert read(direct, final) == BODY


@pytest.mark.parametrize("outage", ["refused", "unavailable"])
def test_outage_begins_and_ends_when_told(
    storage: S3Storage, proxy: FaultyStorage, final: str, outage: str
) -> None:
    proxy.set(outage=outage)
    with pytest.raises(StorageError):
        storage.put(final, BODY, PDF)

    proxy.set()
    storage.put(final, BODY, PDF)

    assert read(storage, final) == BODY


def test_mixed_faults_give_right_bytes_or_an_error(
    storage: S3Storage, direct: S3Storage, proxy: FaultyStorage, final: str
) -> None:
    bodies = [bytes([number]) * 300_000 for number in range(12)]
    direct.put(final, bodies[0], PDF)
    proxy.set(unavailable=0.2, reset=0.1, reset_request=0.1, reset_response=0.1, short_read=0.2)
    read_back, failed = 0, 0

    for body in bodies:
        try:
            storage.put(final, body, PDF)
            assert read(direct, final) == body
            assert read(storage, final) == body
            read_back += 1
        except StorageError:
            failed += 1
        assert read(direct, final) in bodies

    assert read_back
    assert failed


def test_same_seed_gives_the_same_faults(options: S3Options) -> None:
    def refused(proxy: FaultyStorage) -> list[bool]:
        proxy.set(unavailable=0.5)
        return [send(HERE, "GET", proxy.url).status == 503 for _ in range(30)]

    with proxied(options.endpoint_url, seed=7) as one, proxied(options.endpoint_url, seed=7) as two:
        assert refused(one) == refused(two)


def test_unknown_fault_is_refused(proxy: FaultyStorage) -> None:
    with pytest.raises(ValueError, match="No such fault: unavailble"):
        proxy.set(unavailble=1)


def test_each_number_falls_on_one_fault() -> None:
    faults = Faults(unavailable=0.25, short_read=0.25)

    assert [faults.choose(draw) for draw in (0, 0.24, 0.25, 0.49, 0.5, 0.99)] == [
        *("unavailable", "unavailable"),
        *("short_read", "short_read", "", ""),
    ]


def test_proxy_ends_with_its_parent(options: S3Options) -> None:
    program = (
        "from tests.chaos.faulty_storage import proxied\n"
        f"with proxied({options.endpoint_url!r}) as proxy:\n"
        "    print(proxy.pid, flush=True)\n"
        "    input()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    gone, _ = psutil.wait_procs([process], timeout=10)
    assert gone == [process]


def test_a_link_is_said_to_have_expired(storage: S3Storage, proxy: FaultyStorage, key: str) -> None:
    put = presign(storage, key, BODY)
    proxy.set(expired=1)

    refused = send(HERE, "PUT", put.url, BODY, put.headers)

    assert (refused.status, b"expired" in refused.body) == (403, True)
    proxy.set()
    assert storage.stat(key) is None


def test_what_is_not_meant_is_spared(options: S3Options, key: str) -> None:
    with proxied(options.endpoint_url, only="PUT ") as proxy:
        behind = S3Storage(dataclasses.replace(options, endpoint_url=proxy.url))
        proxy.set(unavailable=1)

        assert behind.stat(key) is None
        put = presign(behind, key, BODY)
        assert send(HERE, "PUT", put.url, BODY, put.headers).status == 503
        assert proxy.counts()["requests"] == 1
