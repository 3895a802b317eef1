"""How far each document is: jobs, stage runs, attempts; and what came out."""

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from pgvector.django import HalfVectorField

from documents.models import Document, Workspace
from processing.enrichment import Kind


class StageName(models.TextChoices):
    VERIFY = "verify"
    EXTRACT = "extract"
    EMBED = "embed"
    # The order is that of their advisory locks: what is new comes last.
    PREVIEW = "preview"
    ENRICH = "enrich"
    LOOK = "look"


class RunState(models.TextChoices):
    BLOCKED = "blocked"
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class IngestJob(models.Model):
    """The work on one generation of one document."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="jobs")
    document = models.ForeignKey(Document, models.CASCADE, related_name="jobs")
    generation = models.PositiveIntegerField(default=1)
    lane = models.CharField(max_length=12)
    # What extract found of a generation that is not live yet: fields of the document.
    described = models.JSONField(default=dict, blank=True)
    # Nothing shows what this generation wrote, and it is to be removed.
    is_stale = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("document", "generation"), name="one_job_each"),
            models.CheckConstraint(
                condition=Q(lane__in=["interactive", "bulk"]), name="job_lane_known"
            ),
        )
        indexes = (
            models.Index(fields=("created_at", "id"), condition=Q(is_stale=True), name="job_stale"),
        )

    def __str__(self) -> str:
        return f"{self.document_id} generation {self.generation}"


class StageRun(models.Model):
    """One stage of one job: the unit that a worker claims.

    Rows are claimed, finished and reaped by the statements in leases; the
    lease token is what proves that a result still has its owner.
    """

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(IngestJob, models.CASCADE, related_name="runs")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="runs")
    generation = models.PositiveIntegerField(default=1)
    stage = models.CharField(max_length=12, choices=StageName)
    state = models.CharField(max_length=12, choices=RunState, default=RunState.BLOCKED)
    prio = models.SmallIntegerField(default=50)
    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField()
    run_at = models.DateTimeField(db_default=Now())
    # It stepped aside: until then it is claimed only when nothing else is ready.
    rests_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_worker = models.UUIDField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("job", "stage"), name="one_run_per_stage"),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
            models.CheckConstraint(condition=Q(stage__in=StageName.values), name="run_stage_known"),
            models.CheckConstraint(
                condition=(
                    Q(state="leased", lease_token__isnull=False, lease_until__isnull=False)
                    | (~Q(state="leased") & Q(lease_token__isnull=True))
                ),
                name="run_leased_with_token",
            ),
        )
        indexes = (
            models.Index(
                fields=("stage", "workspace", "prio", "run_at", "id"),
                condition=Q(state="ready"),
                name="run_ready",
            ),
            models.Index(fields=("lease_until",), condition=Q(state="leased"), name="run_leased"),
            models.Index(
                fields=("stage", "workspace"),
                condition=Q(state="leased"),
                name="run_inflight",
            ),
            models.Index(fields=("document", "stage"), name="run_of_document"),
        )

    def __str__(self) -> str:
        return f"{self.stage} of {self.document_id}: {self.state}"


class StageAttempt(models.Model):
    """One attempt at a stage, never changed after its end and never deleted alone."""

    class Outcome(models.TextChoices):
        OK = "ok"
        TRANSIENT = "transient"
        PERMANENT = "permanent"
        CRASHED = "crashed"
        RETURNED = "returned"
        ASIDE = "aside"
        CANCELLED = "cancelled"

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(StageRun, models.CASCADE, related_name="attempts")
    n = models.PositiveIntegerField()
    worker = models.UUIDField(null=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)

    class Meta:
        indexes = (models.Index(fields=("run", "n"), name="attempt_of_run"),)

    def __str__(self) -> str:
        return f"attempt {self.n} of run {self.run_id}: {self.outcome or 'running'}"


class PageText(models.Model):
    """The text of one page, as extracted for one generation."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="page_texts")
    generation = models.PositiveIntegerField(default=1)
    number = models.PositiveIntegerField()
    text = models.TextField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("document", "generation", "number"), name="one_text_per_page"
            ),
        )

    def __str__(self) -> str:
        return f"page {self.number} of {self.document_id}"


class ScanSlice(models.Model):
    """What one turn at a long scan recognised; the next goes on from the latest.

    They last until the text of the generation is written, in the transaction that writes it.
    """

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="scan_slices")
    generation = models.PositiveIntegerField(default=1)
    # What this turn and those before it took.
    seconds = models.FloatField()
    # As `Readings.to_json` tells them: the pages of this turn alone.
    readings = models.JSONField()
    # What is left after it: [[page, …], …], each list to be tried together.
    unread = models.JSONField()

    def __str__(self) -> str:
        return f"slice {self.id} of {self.document_id}"


class Chunk(models.Model):
    """A span of one page's text, with what keyword and vector search need."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, models.CASCADE, related_name="chunks")
    generation = models.PositiveIntegerField(default=1)
    ordinal = models.PositiveIntegerField()
    page = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    heading = models.CharField(max_length=500, blank=True)
    text = models.TextField()
    terms = models.GeneratedField(
        expression=models.expressions.RawSQL(
            "to_tsvector('english'::regconfig, heading || ' ' || text)", []
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    # No fixed width: the model decides it, and models can change.
    embedding = HalfVectorField(null=True)
    model = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("document", "generation", "ordinal"), name="one_chunk_each"
            ),
        )
        indexes = (
            GinIndex(fields=("terms",), name="chunk_terms"),
            models.Index(fields=("workspace", "document"), name="chunk_in_workspace"),
        )

    def __str__(self) -> str:
        return f"chunk {self.ordinal} of {self.document_id}"


class ImageVector(models.Model):
    """What an image looks like to a model, in one generation of its document."""

    id = models.BigAutoField(primary_key=True)
    # No index of their own: those below begin with them.
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    document = models.ForeignKey(
        Document, models.CASCADE, related_name="image_vectors", db_index=False
    )
    generation = models.PositiveIntegerField(default=1)
    # No fixed width, as with chunks.
    embedding = HalfVectorField()
    model = models.CharField(max_length=120)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("document", "generation"), name="one_image_vector_each"
            ),
        )
        indexes = (models.Index(fields=("workspace", "document"), name="image_in_workspace"),)

    def __str__(self) -> str:
        return f"image of {self.document_id}"


class Entity(models.Model):
    """Something a document mentions, in one generation: once, however often it is mentioned."""

    id = models.BigAutoField(primary_key=True)
    # No index of their own: those below begin with them.
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="entities", db_index=False)
    generation = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in Kind])
    # What all ways to write it have in common; `text` is as it was written first.
    value = models.CharField(max_length=500)
    text = models.CharField(max_length=200)
    count = models.PositiveIntegerField()
    # The first places: [[page, start, text as written], …].
    positions = models.JSONField()

    class Meta:
        verbose_name_plural = "entities"
        constraints = (
            models.UniqueConstraint(
                fields=("document", "generation", "kind", "value"), name="one_entity_each"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in Kind]), name="entity_kind_known"
            ),
        )
        indexes = (
            models.Index(
                fields=("workspace", "kind", "value", "document", "generation"),
                name="entity_in_workspace",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.value} in {self.document_id}"


class Worker(models.Model):
    """A process that says it is alive: a worker, a conductor."""

    class Kind(models.TextChoices):
        WORKER = "worker"
        CONDUCTOR = "conductor"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=40)
    queues = models.JSONField(default=list)
    current = models.JSONField(default=list)
    is_leader = models.BooleanField(default=False)
    rss_bytes = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("kind", "-seen_at"), name="worker_seen"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"
