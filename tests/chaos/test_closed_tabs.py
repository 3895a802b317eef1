"""Tabs closed at every moment of an upload: R15."""

import socket
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos import library
from tests.chaos.client import Drop
from tests.chaos.scene import Scene
from tests.chaos.trials import Trials
from tests.stack import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]


@pytest.mark.promise(
    "R15",
    "A closed tab: what arrived is found and finished, what did not gives its quota back",
    fault="closed before the bytes, in the midst of them, before complete, after complete",
    trials=(1, 4),
)
def test_a_closed_tab_leaves_nothing_half(trials: Trials, scene: Scene) -> None:
    for trial in trials:
        before = quota(scene)
        unsent = register(scene, library.folder(trial.random, 2))
        half = register(scene, library.folder(trial.random, 2))
        for upload, content in half.uploads:
            send_half(scene, upload, content, trial.random.random())
        sent = library.folder(trial.random, 3)
        uncompleted = Drop(
            scene.installation.url, scene.token, "Not completed", sent, completes=False
        )
        uncompleted.start()
        uncompleted.join()
        completed = scene.drop_documents("Completed", library.folder(trial.random, 3))

        for batch in (unsent.batch, half.batch):
            scene.installation.execute(
                "update documents_document set upload_expires_at = now() - interval '1 s' "
                "where batch_id = %s",
                batch,
            )
        for batch in (unsent.batch, half.batch):
            wait_until(
                lambda batch=batch: scene.counts(batch) == {"expired": 2},  # type: ignore[misc]
                "what never came is given up",
                seconds=60,
            )
        for drop in (uncompleted, completed):
            scene.wait_searchable(drop.batch, 3)
        stored = sum(map(len, [*uncompleted.documents.values(), *completed.documents.values()]))
        assert quota(scene) == (before[0] + stored, before[1])


@dataclass(frozen=True, slots=True)
class Registered:
    """Documents the server waits for, with where their bytes should go."""

    batch: str
    uploads: list[tuple[dict[str, Any], bytes]]


def register(scene: Scene, documents: dict[str, bytes]) -> Registered:
    batch = str(scene.insist("POST", "batches", {"name": "Unsent"}).json()["id"])
    declared = [
        {"client_key": path, "path": path, "size": len(content)}
        for path, content in documents.items()
    ]
    answer = scene.insist("POST", f"batches/{batch}/uploads", {"documents": declared}).json()
    return Registered(
        batch, [(one["upload"], documents[one["client_key"]]) for one in answer["documents"]]
    )


def send_half(scene: Scene, upload: dict[str, Any], content: bytes, share: float) -> None:
    """Begin a PUT, send part of its body, and close the connection."""
    head = [f"PUT {upload['url']} HTTP/1.1", f"Host: 127.0.0.1:{scene.installation.port}"]
    head += [f"{name}: {value}" for name, value in upload["headers"].items()]
    head += [f"Content-Length: {len(content)}", "", ""]
    with socket.create_connection(("127.0.0.1", scene.installation.port), timeout=10) as line:
        line.sendall("\r\n".join(head).encode() + content[: int(len(content) * share)])


def quota(scene: Scene) -> tuple[int, int]:
    """Return the bytes used and reserved in the workspace of whoever is signed in."""
    ((used, reserved),) = scene.installation.rows(
        "select w.used_bytes, w.reserved_bytes from documents_workspace w "
        "join documents_membership m on m.workspace_id = w.id "
        "join auth_user u on u.id = m.user_id where u.username = %s",
        scene.username,
    )
    return used, reserved
