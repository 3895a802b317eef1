"""What a document is, who it belongs to, and what happened to it.

Rules that must hold whatever the code does are constraints here: states,
sizes, one document per client key, one stored copy per workspace and hash,
and no row that names another workspace's document.
"""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from documents.kinds import DocumentKind
from documents.states import ACTIVE, Status, sources
from documents.storage.interface import INCOMING_PREFIX, Multipart


def default_max_document_bytes() -> int:
    """Return the size limit that a new workspace starts with."""
    return int(settings.MAX_DOCUMENT_BYTES)


def default_quota_bytes() -> int:
    """Return the quota that a new workspace starts with."""
    return int(settings.WORKSPACE_QUOTA_BYTES)


class Workspace(models.Model):
    """A tenant: everything belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    max_document_bytes = models.BigIntegerField(default=default_max_document_bytes)
    quota_bytes = models.BigIntegerField(default=default_quota_bytes)
    used_bytes = models.BigIntegerField(default=0)
    reserved_bytes = models.BigIntegerField(default=0)
    # Shares of the workers: how much per turn, and how many at once per stage.
    weight = models.PositiveIntegerField(default=1)
    max_inflight = models.PositiveIntegerField(default=64)
    # Calls for upload URLs, where they differ from the settings.
    upload_calls_burst = models.PositiveIntegerField(null=True, blank=True)
    upload_calls_per_second = models.FloatField(null=True, blank=True)
    # What may come in; empty for every kind that can be read.
    accepted_kinds = ArrayField(
        models.CharField(
            max_length=10, choices=[(kind.value, kind.value) for kind in DocumentKind]
        ),
        default=list,
        blank=True,
        help_text=f"Any of {', '.join(DocumentKind)}, with commas; empty for all.",
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(used_bytes__gte=0, reserved_bytes__gte=0),
                name="workspace_bytes_not_negative",
            ),
            models.CheckConstraint(condition=Q(weight__gte=1), name="workspace_weight_positive"),
            models.CheckConstraint(
                condition=~Q(upload_calls_burst=0) & ~Q(upload_calls_per_second__lte=0),
                name="workspace_upload_calls_positive",
            ),
            models.CheckConstraint(
                condition=Q(accepted_kinds__contained_by=[kind.value for kind in DocumentKind]),
                name="workspace_kinds_known",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's place in a workspace."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("user", "workspace"), name="one_membership_each"),
            models.CheckConstraint(
                condition=Q(role__in=["owner", "member"]), name="membership_role_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"


class Batch(models.Model):
    """One drop of documents."""

    class Lane(models.TextChoices):
        AUTO = "auto"
        INTERACTIVE = "interactive"
        BULK = "bulk"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="batches")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="batches"
    )
    name = models.CharField(max_length=200, blank=True)
    lane = models.CharField(max_length=12, choices=Lane, default=Lane.AUTO)
    expected_documents = models.PositiveIntegerField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "batches"
        constraints = (
            models.UniqueConstraint(fields=("workspace", "id"), name="batch_in_workspace"),
            models.CheckConstraint(
                condition=Q(lane__in=["auto", "interactive", "bulk"]), name="batch_lane_known"
            ),
        )
        indexes = (models.Index(fields=("workspace", "-created_at", "id"), name="batch_recent"),)

    def __str__(self) -> str:
        return self.name or str(self.id)


# Found by words and by meaning as it is to be read, and only something optional is not done yet.
FINISHING = Q(status=Status.PROCESSING, embedded_at__isnull=False, live_generation=F("generation"))


class DocumentQuerySet(models.QuerySet["Document"]):
    """Documents, with the one statement that may change their status."""

    def stoppable(self) -> "DocumentQuerySet":
        """Return those that cancelling stops: who waits for something optional is found already."""
        return self.filter(status__in=ACTIVE).exclude(FINISHING)

    def transition(self, to: Status, **fields: Any) -> int:
        """Move every document that may become `to`; return how many moved.

        One conditional UPDATE: a document that another process moved first stays
        as it is, so callers compare the count instead of taking locks. Only who waits for
        bytes has an upload in parts: every move ends it.
        """
        return self.filter(status__in=sources(to)).update(
            status=to, status_changed_at=Now(), version=F("version") + 1, multipart_id="", **fields
        )


class Document(models.Model):
    """One document of a batch, at its path in the dropped folder."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="documents")
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="documents")
    client_key = models.CharField(max_length=1100)
    path = models.CharField(max_length=1024)
    folder = models.CharField(max_length=1024, blank=True)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    declared_type = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=200, blank=True)
    declared_sha256 = models.CharField(max_length=64, blank=True)
    # Set by verify from the bytes themselves.
    sha256 = models.CharField(max_length=64, blank=True)

    status = models.CharField(max_length=12, choices=Status, default=Status.AWAITING)
    status_changed_at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=0)
    # The reading that work is on, and the one that search, pages and text show. They differ
    # while a document is read anew, and become equal in the statement that completes it.
    generation = models.PositiveIntegerField(default=1)
    live_generation = models.PositiveIntegerField(default=1)
    duplicate_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="duplicates"
    )
    # The archive or mail of this batch that it was in; it outlives that one.
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children"
    )

    # A URL was signed for writing this key; nothing but verify reads it.
    incoming_key = models.CharField(max_length=300, blank=True)
    # Processes of before the migration write rows without these three.
    # The upload in parts that is under way for it, as the store names it, and how it is divided.
    multipart_id = models.CharField(max_length=1024, blank=True, default="", db_default="")
    part_bytes = models.BigIntegerField(default=0, db_default=0)
    # False while it is only listed: nobody was told where to send its bytes.
    may_arrive = models.BooleanField(default=True, db_default=True)
    # No URL was ever signed for writing this one.
    stored_key = models.CharField(max_length=300, blank=True)
    # What this document still holds of the workspace's quota.
    reserved_bytes = models.BigIntegerField(default=0)
    upload_expires_at = models.DateTimeField(null=True, blank=True)
    uploaded_at = models.DateTimeField(null=True, blank=True)

    processed_at = models.DateTimeField(null=True, blank=True)
    embedded_at = models.DateTimeField(null=True, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    title = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=8, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    # How its derived images were drawn; 0 before there are any. `derived` says where they are.
    preview_version = models.PositiveSmallIntegerField(default=0, db_default=0)
    thumbnail_width = models.PositiveSmallIntegerField(default=0, db_default=0)
    thumbnail_height = models.PositiveSmallIntegerField(default=0, db_default=0)
    # Of the main version, which only images have.
    image_width = models.PositiveSmallIntegerField(default=0, db_default=0)
    image_height = models.PositiveSmallIntegerField(default=0, db_default=0)
    # A ThumbHash in base64.
    placeholder = models.CharField(max_length=60, blank=True, default="", db_default="")

    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    error_stage = models.CharField(max_length=20, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(default=timezone.now)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("batch", "client_key"), name="one_per_client_key"),
            models.UniqueConstraint(fields=("workspace", "id"), name="document_in_workspace"),
            # Whoever stores the bytes first is the original; the rest are duplicates.
            models.UniqueConstraint(
                fields=("workspace", "sha256"),
                condition=~Q(stored_key=""),
                name="one_stored_copy",
            ),
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="document_status_known"
            ),
            models.CheckConstraint(condition=Q(size__gt=0), name="document_not_empty"),
            models.CheckConstraint(
                condition=~Q(duplicate_of=F("id")), name="document_not_its_own_duplicate"
            ),
            models.CheckConstraint(
                condition=Q(live_generation__lte=F("generation")), name="document_live_is_known"
            ),
            models.CheckConstraint(
                condition=Q(multipart_id="") | Q(status=Status.AWAITING, part_bytes__gt=0),
                name="document_parts_are_awaited",
            ),
        )
        indexes = (
            models.Index(fields=("batch", "path", "id"), name="document_in_batch"),
            models.Index(fields=("workspace", "folder", "id"), name="document_in_folder"),
            models.Index(fields=("workspace", "-created_at", "id"), name="document_recent"),
            models.Index(
                fields=("workspace", "declared_sha256"),
                name="document_declared_hash",
            ),
            models.Index(
                fields=("created_at",),
                condition=Q(status="awaiting"),
                name="document_awaiting",
            ),
            models.Index(
                fields=("stored_key",), condition=~Q(stored_key=""), name="document_stored_key"
            ),
        )

    def __str__(self) -> str:
        return self.path

    @property
    def is_finishing(self) -> bool:
        """Whether it is found as it is to be, and only something optional is not done yet."""
        is_current = self.live_generation == self.generation
        return self.status == Status.PROCESSING and self.embedded_at is not None and is_current

    @property
    def multipart(self) -> Multipart | None:
        """Return the upload in parts that is under way, if there is one."""
        if not self.multipart_id:
            return None
        return Multipart(self.incoming_key, self.multipart_id, self.size, self.part_bytes)

    @property
    def final_key(self) -> str:
        """Return where the bytes that arrived under `incoming_key` are promoted to.

        It follows from the incoming key: every attempt finds what an earlier one promoted, and
        bytes that are sent anew never meet those that another document has taken over.
        """
        return f"stored/{self.workspace_id}/{self.incoming_key.removeprefix(INCOMING_PREFIX)}"


class Disposal(models.Model):
    """An object that must go: written where the rows go, taken away once storage confirms.

    With `multipart_id`, so must the parts that were sent for it.

    Whoever still wrote when the rows went may leave the object once more, so it is
    deleted again at `until`.
    """

    key = models.CharField(primary_key=True, max_length=300)
    multipart_id = models.CharField(max_length=1024, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=("due_at",), name="disposal_due"),)

    def __str__(self) -> str:
        return self.key


class Event(models.Model):
    """Something that happened, appended in the transaction that made it happen.

    The writer leaves `number` empty: a shared counter would make writers queue
    for each other. The conductor numbers events per stream, without gaps.
    """

    id = models.BigAutoField(primary_key=True)
    stream = models.CharField(max_length=80)
    number = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=20)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("stream", "number"), name="event_number_once"),
        )
        indexes = (
            models.Index(fields=("id",), condition=Q(number__isnull=True), name="event_unnumbered"),
        )

    def __str__(self) -> str:
        return f"{self.stream}#{self.number} {self.kind}"


class Stream(models.Model):
    """The numbered events of one subject, folded: its state as of `number`."""

    name = models.CharField(primary_key=True, max_length=80)
    number = models.BigIntegerField(default=0)
    state = models.JSONField(default=dict)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} at {self.number}"


class ApiToken(models.Model):
    """A bearer token; only its hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEntry(models.Model):
    """Who did what to how many; written by the service that did it."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    workspace = models.ForeignKey(Workspace, models.SET_NULL, null=True, blank=True)
    action = models.CharField(max_length=50)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=("-at",), name="audit_recent"),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}"


# Django looks for models here.
from documents.page_image import PageImage as PageImage  # noqa: E402
