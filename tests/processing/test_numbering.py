"""Events are numbered without gaps and folded into what is true."""

import pytest
from django.db import transaction

from documents import events, progress, selectors
from documents.models import Document, Event, Stream
from documents.services.moves import move
from documents.states import Status
from processing.numbering import number_events
from processing.publisher import MAX_FRAME_BYTES, frame_of, group_of
from tests.factories import make_batch, make_document

pytestmark = pytest.mark.django_db


def test_numbers_have_no_gaps_and_start_at_one() -> None:
    batch = make_batch()
    for _ in range(5):
        make_document(batch)

    number_events()
    make_document(batch)
    number_events()

    numbers = Event.objects.order_by("id").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5, 6]


def test_each_stream_counts_for_itself() -> None:
    first, second = make_batch(), make_batch()
    make_document(first)
    make_document(second)
    make_document(first)

    advances = {advance.stream: advance.to for advance in number_events()}

    assert advances == {events.batch_stream(first.id): 2, events.batch_stream(second.id): 1}


def test_the_folded_state_equals_the_documents() -> None:
    batch = make_batch()
    documents = [make_document(batch) for _ in range(6)]
    ids = [document.id for document in documents]
    move(Document.objects.filter(id__in=ids[:4]), Status.UPLOADED)
    move(Document.objects.filter(id__in=ids[:3]), Status.PROCESSING)
    move(Document.objects.filter(id__in=ids[:1]), Status.READY)
    move(Document.objects.filter(id__in=ids[1:2]), Status.FAILED)
    move(Document.objects.filter(id__in=ids[5:]), Status.CANCELLED)

    number_events()

    state = Stream.objects.get().state
    folded = {status: n for status, n in state["counts"].items() if n}
    assert folded == progress.recompute(batch.id)["counts"]


def test_progress_never_counts_a_lost_document_as_work_to_do() -> None:
    batch = make_batch()
    make_document(batch, status=Status.READY)
    make_document(batch, status=Status.CANCELLED)
    make_document(batch, status=Status.FAILED)
    number_events()

    shown = selectors.progress_of([batch.id])[batch.id]

    assert shown["phases"] == {"uploading": [2, 2], "processing": [2, 2], "searchable": [1, 1]}


def test_a_client_gets_what_happened_since_its_number() -> None:
    batch = make_batch()
    for _ in range(3):
        make_document(batch)
    number_events()

    answer = selectors.events_since(batch, 1)

    assert (answer["to"], [event["seq"] for event in answer["events"]]) == (3, [2, 3])
    assert answer["snapshot"]["total"] == 3


@pytest.mark.parametrize("number", [-1, 99])
def test_a_client_with_an_impossible_number_gets_the_snapshot(number: int) -> None:
    batch = make_batch()
    make_document(batch)
    number_events()

    answer = selectors.events_since(batch, number)

    assert answer["events"] is None
    assert answer["snapshot"]["seq"] == 1


def test_an_event_outside_a_transaction_is_refused(transactional_db: None) -> None:
    with pytest.raises(RuntimeError):
        events.append("batch:x", "documents", {})


def test_a_rolled_back_change_leaves_no_event() -> None:
    batch = make_batch()
    document = make_document(batch)

    with transaction.atomic():
        move(Document.objects.filter(id=document.id), Status.UPLOADED)
        transaction.set_rollback(True)

    assert Event.objects.count() == 1


def test_a_frame_too_large_carries_no_events() -> None:
    batch = make_batch()
    for _ in range(200):
        make_document(batch)

    (advance,) = number_events()

    frame = frame_of(advance)
    assert frame["events"] is None
    assert (frame["from"], frame["to"], frame["progress"]["total"]) == (0, 200, 200)
    assert len(str(advance.events)) > MAX_FRAME_BYTES


def test_group_names_hold_no_colon() -> None:
    batch = make_batch()

    assert group_of(events.batch_stream(batch.id)) == f"batch.{batch.id.hex}"
