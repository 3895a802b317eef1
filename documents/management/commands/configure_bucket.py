"""`manage.py configure_bucket`: give the S3 bucket the rules that Sluice needs."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from documents.errors import StorageError
from documents.storage.interface import MAX_URL_SECONDS

if TYPE_CHECKING:
    from documents.storage.s3_bucket import BucketRules, Plan

AS_IT_IS = "as it should be"
DAY_SECONDS = 24 * 60 * 60
PARTS_DAYS = 2
# A document waits under incoming/ for verify, however long nobody works or it is cancelled.
INCOMING_DAYS = 31
MIN_INCOMING_DAYS = 3


class Command(BaseCommand):
    help = "Give the S3 bucket its CORS and lifecycle rules; those of others stay."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--origin", action="append", metavar="URL")
        parser.add_argument("--incoming-days", type=_days, default=INCOMING_DAYS, metavar="N")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.STORAGE_BACKEND != "s3":
            raise CommandError("STORAGE_BACKEND is not s3: there is no bucket to configure.")
        origins = options["origin"] or settings.S3_CORS_ORIGINS
        if not origins:
            raise CommandError("Say where browsers open Sluice: --origin or S3_CORS_ORIGINS.")
        self.is_rehearsal = options["dry_run"]
        try:
            refused = self._configure(origins, options["incoming_days"], **settings.S3)
        except StorageError as error:
            raise CommandError(f"{error.detail}: {error.__cause__}") from error
        if refused:
            raise CommandError("Not everything could be set; do the rest by hand.")

    def _configure(self, origins: list[str], incoming_days: int, **bucket: Any) -> int:
        """Set both kinds of rules, or only tell them; return how many the store refused."""
        # boto3 is for those alone who keep their documents in a bucket.
        from documents.storage import s3_bucket
        from documents.storage.s3_client import S3Options

        bucket_rules, refused = s3_bucket.BucketRules(S3Options(**bucket)), 0
        for subject, rules in (
            (s3_bucket.Subject.CORS, s3_bucket.cors_rules(origins)),
            (
                s3_bucket.Subject.LIFECYCLE,
                s3_bucket.lifecycle_rules(parts_days=_parts_days(), incoming_days=incoming_days),
            ),
        ):
            try:
                self._fulfil(bucket_rules, bucket_rules.plan(subject, rules))
            except s3_bucket.RefusedRulesError as error:
                refused += 1
                self.stdout.write(f"{subject}: {s3_bucket.by_hand(error, rules)}")
        return refused

    def _fulfil(self, rules: "BucketRules", plan: "Plan") -> None:
        state = AS_IT_IS if plan.is_fulfilled else "would be set"
        if not (plan.is_fulfilled or self.is_rehearsal):
            rules.fulfil(plan)
            state = "set"
        self.stdout.write(f"{plan.subject}: {state}")
        if self.is_rehearsal:
            self.stdout.write(plan.as_json())


def _parts_days() -> int:
    """Return after how many days nobody can go on with an upload of parts."""
    seconds = settings.UPLOAD_EXPIRY_SECONDS + MAX_URL_SECONDS
    return max(PARTS_DAYS, math.ceil(seconds / DAY_SECONDS))


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) < MIN_INCOMING_DAYS:
        raise ArgumentTypeError(f"at least {MIN_INCOMING_DAYS} days: uploads go on for two")
    return int(text)
