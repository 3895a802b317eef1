"""The schema tells the API as it is: every address, and the very keys of its answers."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from documents.models import Batch, Document
from documents.states import Status
from processing import numbering
from processing.embeddings.towers import TwoTowers
from processing.models import ImageVector, IngestJob, PageText
from processing.pipeline import OF_ALL
from processing.search import semantic
from tests.factories import make_batch, make_document, make_stored
from tests.processing.image_models import RED, make_image_model
from tests.processing.search_library import NORTH, CompassEmbedder, make_readable
from tests.test_architecture import ROOT

CONTENT = b"The gate opens at dawn."
TYPES: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    told: dict[str, Any] = Client().get("/api/schema/", HTTP_ACCEPT="application/json").json()
    return told


@pytest.fixture
def batch(user: Any) -> Batch:
    return make_batch(user.memberships.get().workspace, created_by=user, name="Scans")


def operations(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def written(path: str, operation: dict[str, Any]) -> list[str]:
    """Return the addresses of an operation as the documentation writes them."""
    path = re.sub(r"\{\w+_id\}", "{id}", path)
    actions = [
        parameter["schema"]["enum"]
        for parameter in operation.get("parameters", [])
        if (parameter["in"], parameter["name"]) == ("path", "action")
    ]
    return [path.replace("{action}", name) for name in actions[0]] if actions else [path]


def assert_is_told(schema: dict[str, Any], method: str, path: str, response: Any) -> None:
    """Fail unless status, type and every key of the response are in the schema."""
    told = schema["paths"][path][method]["responses"][str(response.status_code)]
    (media_type,) = told["content"]
    assert response["Content-Type"] == media_type
    assert_shape(schema, told["content"][media_type]["schema"], response.json(), "answer")


def assert_shape(schema: dict[str, Any], shape: dict[str, Any], value: Any, place: str) -> None:
    if value is None:
        assert shape.get("nullable"), f"{place} is null"
        return
    shape = resolved(schema, shape, value)
    if "properties" in shape:
        missing = set(shape["required"]) - set(value)
        untold = set(value) - set(shape["properties"])
        assert (missing, untold) == (set(), set()), place
        for name, part in value.items():
            assert_shape(schema, shape["properties"][name], part, f"{place}.{name}")
    elif shape["type"] == "array":
        assert shape.get("minItems", 0) <= len(value) <= shape.get("maxItems", len(value)), place
        for part in value:
            assert_shape(schema, shape["items"], part, f"{place}[]")
    elif shape["type"] == "object":
        for part in value.values():
            assert_shape(schema, shape["additionalProperties"], part, f"{place}.*")
    else:
        assert isinstance(value, TYPES[shape["type"]]), place
        assert value in shape.get("enum", [value]), place


def resolved(schema: dict[str, Any], shape: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return the shape behind references; of several kinds the one that `value` says it is."""
    while "type" not in shape:
        if "discriminator" in shape:
            named = value[shape["discriminator"]["propertyName"]]
            shape = {"$ref": shape["discriminator"]["mapping"][named]}
        (shape,) = shape.get("allOf", shape.get("oneOf", [shape])[:1])
        shape = schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return shape


def declared(path: str, **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return {"client_key": path, "path": path, "size": len(CONTENT), "sha256": digest, **changes}


def post(api: APIClient, batch: Batch, call: str, *documents: dict[str, Any]) -> Any:
    body = {"documents": documents}
    return api.post(f"/api/v1/batches/{batch.id}/{call}", body, format="json")


def test_schema_is_valid_and_warns_of_nothing(tmp_path: Path) -> None:
    target = tmp_path / "schema.yml"

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))

    assert target.read_text().startswith("openapi: 3.")


def test_schema_has_every_call_of_the_documentation_and_no_other(schema: dict[str, Any]) -> None:
    documentation = (ROOT / "docs" / "api.md").read_text()
    documented = re.findall(r"`(GET|POST|PUT|DELETE) (/api/v1/[^`?]*)", documentation)

    told = [
        (method.upper(), address)
        for (method, path), operation in operations(schema).items()
        for address in written(path, operation)
    ]

    assert set(told) == set(documented)


def test_every_operation_has_a_name_of_its_own_and_takes_a_token(schema: dict[str, Any]) -> None:
    told = operations(schema).values()

    assert len({operation["operationId"] for operation in told}) == len(told)
    assert all({"token": []} in operation["security"] for operation in told)
    assert schema["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}


def test_every_error_is_a_problem(schema: dict[str, Any]) -> None:
    media_types = {
        media_type
        for operation in operations(schema).values()
        for status, told in operation["responses"].items()
        if int(status) >= 400
        for media_type in told["content"]
    }

    assert media_types == {"application/problem+json"}


def test_anyone_may_read_the_schema_and_its_page(client: Client) -> None:
    page = client.get("/api/docs/")
    told = client.get("/api/schema/")

    assert (page.status_code, told.status_code) == (200, 200)
    assert 'id="swagger-ui"' in page.content.decode()
    assert "operationId: search" in told.content.decode()


def test_batches_are_as_told(schema: dict[str, Any], api: APIClient, batch: Batch) -> None:
    made = api.post("/api/v1/batches", {"name": "More"}, format="json")
    listed = api.get("/api/v1/batches")
    cancelled = api.post(f"/api/v1/batches/{batch.id}/cancel")

    assert (made.status_code, len(listed.json()["results"])) == (201, 2)
    assert_is_told(schema, "post", "/api/v1/batches", made)
    assert_is_told(schema, "get", "/api/v1/batches", listed)
    assert_is_told(schema, "post", "/api/v1/batches/{batch_id}/{action}", cancelled)


def test_uploads_are_as_told(schema: dict[str, Any], api: APIClient, batch: Batch) -> None:
    path = "/api/v1/batches/{batch_id}/uploads"

    taken = post(api, batch, "uploads", declared("a.txt"), declared("../b.txt"))
    refused = post(api, batch, "uploads", declared("../b.txt"), declared("c.txt", size=2**50))
    too_large = post(api, batch, "uploads", declared("c.txt", size=2**50))

    assert len(taken.json()["documents"]) == len(taken.json()["errors"]) == 1
    assert len(refused.json()["errors"]) == 2
    assert too_large.json()["limit"]
    for response in (taken, refused, too_large):
        assert_is_told(schema, "post", path, response)


def test_preflight_is_as_told(schema: dict[str, Any], api: APIClient, batch: Batch) -> None:
    known = make_document(batch, sha256=hashlib.sha256(CONTENT).hexdigest(), stored_key="stored/x")
    asked = [declared("a.txt"), declared("../b.txt")]

    verdict = post(api, batch, "preflight", *asked)

    assert verdict.json()["duplicates"] == [{"path": "a.txt", "duplicate_of": str(known.id)}]
    assert len(verdict.json()["refused"]) == 1
    assert_is_told(schema, "post", "/api/v1/batches/{batch_id}/preflight", verdict)


def test_complete_documents_and_their_jobs_are_as_told(
    schema: dict[str, Any], api: APIClient, batch: Batch
) -> None:
    stored, missing = make_stored(batch, CONTENT), make_document(batch)

    completed = post(api, batch, "complete", {"id": str(stored.id)}, {"id": str(missing.id)})
    shown = api.get(f"/api/v1/documents/{stored.id}")
    job = api.get(f"/api/v1/jobs/{IngestJob.objects.get().id}")

    assert len(completed.json()["documents"]) == len(completed.json()["errors"]) == 1
    assert len(shown.json()["stages"]) == len(OF_ALL)
    assert_is_told(schema, "post", "/api/v1/batches/{batch_id}/complete", completed)
    assert_is_told(schema, "get", "/api/v1/documents/{document_id}", shown)
    assert_is_told(schema, "get", "/api/v1/jobs/{job_id}", job)


def test_failed_documents_are_as_told(schema: dict[str, Any], api: APIClient, batch: Batch) -> None:
    failure = {"error_code": "corrupt", "error_detail": "It is damaged.", "error_stage": "extract"}
    make_document(batch, status=Status.FAILED, **failure)

    listed = api.get("/api/v1/documents", {"status": "failed,partial", "limit": "1"})

    assert listed.json()["results"][0]["error"]["code"] == "corrupt"
    assert_is_told(schema, "get", "/api/v1/documents", listed)


def test_text_and_download_are_as_told(
    schema: dict[str, Any], api: APIClient, batch: Batch
) -> None:
    document = make_stored(batch, CONTENT)
    stored = {"stored_key": document.incoming_key, "content_type": "text/plain"}
    Document.objects.update(status=Status.READY, **stored)
    PageText.objects.create(workspace=batch.workspace, document=document, number=1, text="Dawn.")

    text = api.get(f"/api/v1/documents/{document.id}/text")
    bytes_of_it = api.get(f"/api/v1/documents/{document.id}/download")

    told = schema["paths"]["/api/v1/documents/{document_id}/download"]["get"]["responses"]
    assert_is_told(schema, "get", "/api/v1/documents/{document_id}/text", text)
    assert bytes_of_it.status_code == 302
    assert "content" not in told["302"]
    assert bytes_of_it["Location"]
    assert "Location" in told["302"]["headers"]


def test_events_are_as_told(schema: dict[str, Any], api: APIClient, batch: Batch) -> None:
    stored = make_stored(batch, CONTENT)
    post(api, batch, "complete", {"id": str(stored.id)})
    numbering.number_events()

    since = api.get(f"/api/v1/batches/{batch.id}/events", {"since": "0"})
    too_old = api.get(f"/api/v1/batches/{batch.id}/events")

    assert len(since.json()["events"]) == 2
    assert too_old.json()["events"] is None
    assert_is_told(schema, "get", "/api/v1/batches/{batch_id}/events", since)
    assert_is_told(schema, "get", "/api/v1/batches/{batch_id}/events", too_old)


def test_search_is_as_told(
    schema: dict[str, Any], api: APIClient, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    compass = CompassEmbedder()
    monkeypatch.setattr(semantic, "get_embedder", lambda: compass)
    nothing = api.get("/api/v1/search", {"q": "lantern"})
    make_readable(batch, "The lantern by the lake.", vectors=[NORTH])

    found = api.get("/api/v1/search", {"q": "lantern", "explain": "true"})

    assert nothing.json()["message"]
    assert found.json()["hits"][0]["why"]
    assert_is_told(schema, "get", "/api/v1/search", nothing)
    assert_is_told(schema, "get", "/api/v1/search", found)


def test_an_image_that_is_found_is_as_told(
    schema: dict[str, Any],
    api: APIClient,
    batch: Batch,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(semantic, "get_embedder", CompassEmbedder)
    settings.IMAGE_MODEL_PATH = str(make_image_model(tmp_path / "colours"))
    document = make_readable(batch, "IMG", content_type="image/png")
    ImageVector.objects.create(
        workspace=batch.workspace,
        document=document,
        embedding=RED.tolist(),
        model=TwoTowers(tmp_path / "colours").model,
    )

    found = api.get("/api/v1/search", {"q": "red", "explain": "true"})
    settings.IMAGE_MODEL_PATH = str(tmp_path / "nowhere")
    degraded = api.get("/api/v1/search", {"q": "red"})

    assert found.json()["hits"][0]["shows_it"] is True
    assert degraded.json()["degraded"] == "images"
    assert_is_told(schema, "get", "/api/v1/search", found)
    assert_is_told(schema, "get", "/api/v1/search", degraded)


def test_stats_are_as_told(schema: dict[str, Any], api: APIClient) -> None:
    cache.clear()

    assert_is_told(schema, "get", "/api/v1/stats", api.get("/api/v1/stats"))


def test_problems_are_as_told(schema: dict[str, Any], api: APIClient, batch: Batch) -> None:
    foreign = make_batch()
    path = "/api/v1/batches/{batch_id}"

    anonymous = APIClient().get(f"/api/v1/batches/{batch.id}")
    not_there = api.get(f"/api/v1/batches/{foreign.id}")
    invalid = api.post("/api/v1/batches", {"lane": "fast"}, format="json")
    not_json = api.post("/api/v1/batches", "x", content_type="text/plain")

    assert (anonymous.status_code, not_there.status_code) == (401, 404)
    assert (invalid.status_code, not_json.status_code) == (400, 415)
    assert_is_told(schema, "get", path, anonymous)
    assert_is_told(schema, "get", path, not_there)
    assert_is_told(schema, "post", "/api/v1/batches", invalid)
    assert_is_told(schema, "post", "/api/v1/batches", not_json)
