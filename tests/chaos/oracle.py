"""Remembers from outside what was acknowledged and heard, and compares it with what is there.

It trusts nothing of Sluice's own bookkeeping: counts come from the rows themselves, bytes
from the store, vectors from embedding the text again. What was acknowledged is written to
a journal that is on disk before anything else happens.
"""

import hashlib
import json
import os
from collections import Counter
from typing import Any

import numpy as np

from documents.states import FINAL
from documents.storage.interface import Storage
from processing.embeddings.registry import get_embedder
from processing.stages.embed import with_context
from tests.chaos import library
from tests.chaos.client import Drop
from tests.chaos.installation import Installation
from tests.chaos.listener import Listener
from tests.stack import wait_until

# Two runs of one model in differently filled calls differ in the last bits of bf16.
SAME_VECTOR = 0.999


class Oracle:
    """Follows one batch from its first document to its last."""

    def __init__(
        self, installation: Installation, storage: Storage, drop: Drop, listener: Listener | None
    ) -> None:
        self.drop = drop
        self.listener = listener
        self._installation = installation
        self._storage = storage
        self._journal = installation.home / f"acknowledged-{drop.batch}.jsonl"

    def write_journal(self) -> None:
        """Put on disk what the server has acknowledged, bytes' hashes included."""
        with self._journal.open("w") as journal:
            for path, document_id in self.drop.acknowledged.items():
                digest = hashlib.sha256(self.drop.documents[path]).hexdigest()
                journal.write(json.dumps({"id": document_id, "path": path, "sha256": digest}))
                journal.write("\n")
            journal.flush()
            os.fsync(journal.fileno())

    def wait_finished(self, seconds: float = 180) -> None:
        """Return once nothing more happens to any document of the batch."""
        final = [status.value for status in FINAL]
        wait_until(
            lambda: (
                not self._rows(
                    "select 1 from documents_document d left join processing_stagerun r "
                    "on r.document_id = d.id and r.state in ('ready', 'leased') "
                    "where d.batch_id = %s and (r.id is not null or not d.status = any(%s))",
                    self.drop.batch,
                    final,
                )
            ),
            f"the batch is finished: {self.counts()}",
            seconds=seconds,
        )
        wait_until(
            lambda: not self._rows("select 1 from documents_event where number is null limit 1"),
            "every event is numbered",
        )

    def counts(self) -> dict[str, int]:
        """Count the documents themselves, by status."""
        rows = self._rows(
            "select status, count(*) from documents_document where batch_id = %s group by 1",
            self.drop.batch,
        )
        return dict(rows)

    def problems(self, *, expected: str = "ready") -> list[str]:
        """Return everything that is not as it must be; nothing when all promises held."""
        self.write_journal()
        return [
            *self._lost(expected),
            *self._bytes(),
            *self._chunks(),
            *self._pictures(),
            *self._mentions(),
            *self._repeated(),
            *self._unsettled(),
            *self._drift(),
            *self._quota(),
            *self._heard(),
        ]

    def _lost(self, expected: str) -> list[str]:
        known = {
            str(row[0]): row[1]
            for row in self._rows(
                "select id, status from documents_document where batch_id = %s", self.drop.batch
            )
        }
        acknowledged = [json.loads(line) for line in self._journal.read_text().splitlines()]
        return [
            f"{one['path']} was acknowledged and is {known.get(one['id'], 'gone')}"
            for one in acknowledged
            if known.get(one["id"]) != expected
        ]

    def _bytes(self) -> list[str]:
        wrong = []
        stored = self._rows(
            "select path, stored_key, sha256 from documents_document "
            "where batch_id = %s and status = 'ready'",
            self.drop.batch,
        )
        for path, key, sha256 in stored:
            given = hashlib.sha256(self.drop.documents[path]).hexdigest()
            with self._storage.open(key) as stream:
                kept = hashlib.sha256(stream.read()).hexdigest()
            if not given == kept == sha256:
                wrong.append(f"the bytes of {path} are not those that were sent")
        return wrong

    def _chunks(self) -> list[str]:
        """Every ready document has its own words, once, and the vectors they give."""
        rows = self._rows(
            "select d.path, c.ordinal, c.heading, c.text, c.embedding::text "
            "from processing_chunk c join documents_document d on d.id = c.document_id "
            "and d.live_generation = c.generation where d.batch_id = %s and d.status = 'ready' "
            "order by 1, 2",
            self.drop.batch,
        )
        problems = []
        by_path: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            by_path.setdefault(row[0], []).append(row)
        ready = {
            row[0]
            for row in self._rows(
                "select path from documents_document where batch_id = %s and status = 'ready'",
                self.drop.batch,
            )
        }
        problems += [f"{path} has no chunks" for path in ready - set(by_path)]
        for path, chunks in by_path.items():
            word = path.rsplit("/", 1)[-1].split(".")[0]
            if [chunk[1] for chunk in chunks] != list(range(len(chunks))):
                problems.append(f"the chunks of {path} are {[chunk[1] for chunk in chunks]}")
            if not any(word in chunk[3] for chunk in chunks):
                problems.append(f"the word of {path} is not in its text")
        return problems + self._vectors(rows)

    @staticmethod
    def _vectors(rows: list[tuple[Any, ...]]) -> list[str]:
        missing = [f"chunk {row[1]} of {row[0]} has no vector" for row in rows if row[4] is None]
        rows = [row for row in rows if row[4] is not None]
        if not rows:
            return missing
        again = get_embedder().embed([with_context(row[2], row[3]) for row in rows])
        kept = np.array([json.loads(row[4]) for row in rows], dtype=np.float32)
        cosines = (kept * again).sum(1) / np.linalg.norm(kept, axis=1)
        return missing + [
            f"the vector of chunk {row[1]} of {row[0]} is not its text's ({cosine:.4f})"
            for row, cosine in zip(rows, cosines, strict=True)
            if cosine < SAME_VECTOR
        ]

    def _pictures(self) -> list[str]:
        """Every ready document says that it has a picture, and the store has it."""
        rows = self._rows(
            "select path, workspace_id, sha256, preview_version from documents_document "
            "where batch_id = %s and status = 'ready'",
            self.drop.batch,
        )
        return [
            f"{path} has no picture"
            for path, workspace, sha256, version in rows
            if not version
            or not self._storage.stat(f"derived/{workspace}/{sha256}/thumbnail-{version}.webp")
        ]

    def _mentions(self) -> list[str]:
        """What every mail mentions was found in it, in each of its places once."""
        rows = self._rows(
            "select d.path, e.count from documents_document d left join processing_entity e "
            "on e.document_id = d.id and e.generation = d.live_generation and e.value = %s "
            "where d.batch_id = %s and d.status = 'ready' and d.path like '%%.eml'",
            library.SENDER,
            self.drop.batch,
        )
        return [f"{path} mentions its sender {n} times" for path, n in rows if n != 1]

    def _repeated(self) -> list[str]:
        rows = self._rows(
            "select d.path, r.stage, count(*) from processing_stageattempt a "
            "join processing_stagerun r on r.id = a.run_id "
            "join documents_document d on d.id = r.document_id "
            "where d.batch_id = %s and a.outcome = 'ok' group by 1, 2, r.generation "
            "having count(*) <> 1",
            self.drop.batch,
        )
        return [f"{stage} of {path} was finished {n} times" for path, stage, n in rows]

    def _unsettled(self) -> list[str]:
        """Nothing of a finished document is half-way: no run open, no attempt without an end."""
        rows = self._rows(
            "select d.path, r.stage, r.state from processing_stagerun r "
            "join documents_document d on d.id = r.document_id where d.batch_id = %s "
            "and (r.state in ('ready', 'leased') or r.state = 'blocked' and d.status = 'ready' "
            "or exists (select 1 from processing_stageattempt a where a.run_id = r.id "
            "and a.ended_at is null))",
            self.drop.batch,
        )
        return [f"{stage} of {path} is {state} and unsettled" for path, stage, state in rows]

    def _drift(self) -> list[str]:
        """The projection says what the rows say, and its events have no gap."""
        name = f"batch:{self.drop.batch}"
        state, number = self._rows(
            "select state, number from documents_stream where name = %s", name
        )[0]
        counts = {status: n for status, n in state["counts"].items() if n}
        problems = []
        if counts != self.counts():
            problems.append(f"the projection says {counts}, the rows {self.counts()}")
        numbers = self._rows(
            "select number from documents_event where stream = %s order by number", name
        )
        if [row[0] for row in numbers] != list(range(1, number + 1)):
            problems.append(f"the events of the stream are not 1 to {number}")
        return problems

    def _quota(self) -> list[str]:
        rows = self._rows(
            "select w.used_bytes, w.reserved_bytes, "
            "coalesce(sum(d.size) filter (where d.stored_key <> ''), 0), "
            "coalesce(sum(d.reserved_bytes), 0) from documents_workspace w "
            "join documents_batch b on b.workspace_id = w.id and b.id = %s "
            "join documents_document d on d.workspace_id = w.id group by w.id",
            self.drop.batch,
        )
        used, reserved, stored, held = rows[0]
        if (used, reserved) != (stored, held):
            return [f"the quota counts {used} + {reserved} bytes, the documents {stored} + {held}"]
        return []

    def delays(self) -> tuple[float, float]:
        """Return the median and the 95th percentile of the seconds from event to page."""
        assert self.listener is not None
        rows = self._rows(
            "select number, extract(epoch from created_at) from documents_event "
            "where stream = %s order by number",
            f"batch:{self.drop.batch}",
        )
        delays = []
        knowing = iter(self.listener.known_at)
        at, known = 0.0, 0
        for number, created in rows:
            while known < number:
                at, known = next(knowing)
            delays.append(at - float(created))
        delays.sort()
        return delays[len(delays) // 2], delays[int(len(delays) * 0.95)]

    def _heard(self) -> list[str]:
        """What a page heard is what happened, and it ends where the database is."""
        if self.listener is None:
            return []
        name = f"batch:{self.drop.batch}"
        number = self._rows("select number from documents_stream where name = %s", name)[0][0]
        listener = self.listener
        wait_until(lambda: listener.at >= number, "the page has heard the last event")
        listener.stop()
        told = {
            row[0]: {"seq": row[0], "kind": row[1], **row[2]}
            for row in self._rows(
                "select number, kind, payload from documents_event where stream = %s", name
            )
        }
        problems = list(listener.contradictions)
        problems += [
            f"a page heard event {seq}, which the database tells otherwise"
            for seq, event in listener.events.items()
            if told.get(seq) != event
        ]
        shown = Counter({k: n for k, n in listener.progress["counts"].items() if n})
        counts = Counter(self.counts())
        counts["searchable"] = counts.pop("ready", 0)
        if shown != +counts:
            problems.append(f"a page shows {dict(shown)}, the rows say {dict(counts)}")
        return problems

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._installation.rows(query, *values)
