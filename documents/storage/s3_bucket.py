"""The rules a bucket needs: who may send documents from a browser, and what goes by itself.

Rules of others in the same bucket stay. Ours are known by their ID, or by what they say
where a store forgets it, so that writing them again changes nothing.

    sluice             CORS: PUT, GET and HEAD from the origins of Sluice; ETag can be read
    sluice-parts       multipart uploads nobody finished are aborted
    sluice-incoming    what is left under incoming/ long after is removed

Every document that waits for verify is under incoming/ too, also while nobody works or
a batch is cancelled: the last rule must not be quick. Sluice removes what it knows of
within days by itself.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from documents.storage.interface import INCOMING_PREFIX
from documents.storage.s3_client import S3Options, connect, s3_errors

CORS_ID, PARTS_ID, INCOMING_ID = "sluice", "sluice-parts", "sluice-incoming"
METHODS = ("GET", "HEAD", "PUT")
# What signed URLs want to be sent with.
HEADERS = ("content-type", "if-none-match", "x-amz-checksum-sha256")
PREFLIGHT_SECONDS = 3600
_NO_RULES = frozenset({"NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration"})
# Swift takes the rules of a lifecycle for those of a new bucket, and cannot read them.
_UNKNOWN = frozenset({"NotImplemented", "MethodNotAllowed", "MalformedXML"})
_FORBIDDEN = frozenset({"AccessDenied", "AllAccessDisabled"})

Rule = Mapping[str, Any]


class Subject(StrEnum):
    """What rules of a bucket are about."""

    CORS = "CORS"
    LIFECYCLE = "Lifecycle"


class RefusedRulesError(Exception):
    """The store does not let rules be read or written; `is_forbidden` if only not to this key."""

    def __init__(self, subject: Subject, code: str) -> None:
        super().__init__(f"{subject}: {code}")
        self.subject, self.code = subject, code
        self.is_forbidden = code in _FORBIDDEN


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules that a bucket has about one subject, and those that it should have."""

    subject: Subject
    present: Sequence[Rule]
    wanted: Sequence[Rule]

    @property
    def is_fulfilled(self) -> bool:
        """Tell whether nothing needs to be written."""
        return _comparable(self.present) == _comparable(self.wanted)

    def as_json(self) -> str:
        """Return the rules that are wanted, as S3 writes them."""
        return json.dumps(self.wanted, indent=2)


def cors_rules(origins: Sequence[str]) -> list[Rule]:
    """Return the rules by which browsers at these origins may send documents."""
    return [
        {
            "ID": CORS_ID,
            "AllowedOrigins": list(origins),
            "AllowedMethods": list(METHODS),
            "AllowedHeaders": list(HEADERS),
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": PREFLIGHT_SECONDS,
        }
    ]


def lifecycle_rules(*, parts_days: int, incoming_days: int) -> list[Rule]:
    """Return the rules by which unfinished and forgotten uploads go."""
    usual = {"Status": "Enabled", "Filter": {"Prefix": INCOMING_PREFIX}}
    parts = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": parts_days}}
    return [
        {"ID": PARTS_ID, **usual, **parts},
        {"ID": INCOMING_ID, **usual, "Expiration": {"Days": incoming_days}},
    ]


def by_hand(refusal: RefusedRulesError, rules: Sequence[Rule]) -> str:
    """Return the sentence that says what to do when the store will not be told."""
    if refusal.is_forbidden:
        kind = "BucketCORS" if refusal.subject is Subject.CORS else "LifecycleConfiguration"
        return f"refused ({refusal.code}): the key needs s3:Get{kind} and s3:Put{kind}."
    if refusal.subject is Subject.LIFECYCLE:
        return (
            f"this store has no such rules ({refusal.code}): Sluice removes what it knows of "
            "itself, and unfinished multipart uploads are to be aborted by hand now and then."
        )
    origins = " ".join(rules[0]["AllowedOrigins"])
    return (
        f"this store is not told by its S3 interface ({refusal.code}): let its own "
        f"configuration allow {origins}; for OpenStack Swift that is "
        "cors_preflight_allow_origin of [filter:s3api], and cors_allow_origin and "
        "cors_expose_headers = etag of [DEFAULT], in proxy-server.conf."
    )


class BucketRules:
    """The rules of one bucket, read and written; a RefusedRulesError says what it will not."""

    def __init__(self, options: S3Options) -> None:
        self._bucket = options.bucket
        self._client, _ = connect(options, options.endpoint_url)

    def plan(self, subject: Subject, ours: Sequence[Rule]) -> Plan:
        """Compare what there is with `ours`, beside which the rules of others stay."""
        present = self._read(subject)
        ids = {rule["ID"] for rule in ours}
        said = _comparable(_without_id(rule) for rule in ours)
        others = [
            rule
            for rule in present
            if rule.get("ID") not in ids and _comparable([_without_id(rule)])[0] not in said
        ]
        return Plan(subject, present, [*others, *ours])

    def fulfil(self, plan: Plan) -> None:
        """Write the rules of the plan, in place of all there were."""
        rules: Any = list(plan.wanted)
        with s3_errors(), _refusals(plan.subject):
            if plan.subject is Subject.CORS:
                self._client.put_bucket_cors(
                    Bucket=self._bucket, CORSConfiguration={"CORSRules": rules}
                )
            else:
                self._client.put_bucket_lifecycle_configuration(
                    Bucket=self._bucket, LifecycleConfiguration={"Rules": rules}
                )

    def _read(self, subject: Subject) -> Sequence[Rule]:
        asks: dict[Subject, tuple[Callable[..., Any], str]] = {
            Subject.CORS: (self._client.get_bucket_cors, "CORSRules"),
            Subject.LIFECYCLE: (self._client.get_bucket_lifecycle_configuration, "Rules"),
        }
        ask, name = asks[subject]
        with s3_errors(), _refusals(subject):
            try:
                rules: Sequence[Rule] = ask(Bucket=self._bucket).get(name, [])
            except ClientError as error:
                if _code(error) in _NO_RULES:
                    return []
                raise
        return rules


@contextmanager
def _refusals(subject: Subject) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in _UNKNOWN | _FORBIDDEN:
            raise RefusedRulesError(subject, _code(error)) from error
        raise


def _code(error: ClientError) -> str:
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    # Not every store names what it does not know.
    return "NotImplemented" if status == 501 else answer.get("Error", {}).get("Code", "")


def _without_id(rule: Rule) -> Rule:
    return {name: value for name, value in rule.items() if name != "ID"}


def _comparable(rules: Iterable[Rule]) -> list[str]:
    """Return rules in a form that is equal when they say the same: stores sort as they like."""
    return sorted(json.dumps(_sorted(rule), sort_keys=True) for rule in rules)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(part) for name, part in value.items()}
    return sorted(value) if isinstance(value, list) else value
