"""What the races would let through if a safeguard were missing: each has a test that fails.

A mutation takes one safeguard out of the source. Where one alone would change nothing,
because another stands behind it, both go, and `because` says which covers which.
"""

from dataclasses import dataclass
from pathlib import Path

# Names the mutation of a process that has one.
VARIABLE = "SLUICE_MUTATION"
ROOT = Path(__file__).resolve().parents[2]
RACES, ONCE = "tests/chaos/test_races.py", "tests/chaos/test_once.py"
UNWANTED = "tests/chaos/test_unwanted_results.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """One exact fragment of one module, and what stands there instead."""

    module: str
    fragment: str
    instead: str

    @property
    def path(self) -> Path:
        return ROOT.joinpath(*self.module.split(".")).with_suffix(".py")

    def apply(self, source: str) -> str:
        """Return the changed source; a fragment that is not there exactly once is an error."""
        found = source.count(self.fragment)
        if found != 1:
            raise ValueError(f"{self.module} has {found} times, not once: {self.fragment!r}")
        return source.replace(self.fragment, self.instead)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A safeguard that is gone, and the test that must notice."""

    name: str
    caught_by: str
    edits: tuple[Edit, ...]
    because: str = ""


FENCE = Edit(
    "processing.leases",
    """\
                finished_at = case when %s in ('done', 'dead') then statement_timestamp() end
            where id = %s and lease_token = %s and state""",
    """\
                finished_at = case when %s in ('done', 'dead') then statement_timestamp() end
            where id = %s and (lease_token = %s or true) and state""",
)
REAPER_FINDS_ALL = Edit(
    "processing.leases",
    "where state = 'leased' and lease_until < statement_timestamp()\n            order by",
    "where state = 'leased'\n            order by",
)
REAPER_LOOKS_ONCE = Edit(
    "processing.leases",
    "\"and state = 'leased' and lease_until < statement_timestamp() for update\"",
    "\"and state = 'leased' for update\"",
)
NO_DOCUMENT_LOCK = Edit(
    "processing.leases",
    "documents.select_for_update(no_key=True).first()",
    "documents.first()",
)
CANCELLED_IS_FINE = Edit("processing.leases", "document.status == Status.CANCELLED", "False")
OLDER_IS_FINE = Edit("processing.leases", "document.generation != lease.generation", "False")
CANCEL_LEAVES_LEASES = Edit(
    "processing.jobs",
    "live = (RunState.BLOCKED, RunState.READY, RunState.LEASED)",
    "live = (RunState.BLOCKED, RunState.READY)",
)
CLAIM_WAITS = Edit("processing.claims", "  for update skip locked),\nup as (", "  ),\nup as (")
CLAIM_BELIEVES = Edit(
    "processing.claims", "limit %(n)s)\n    and r.state = 'ready'\n", "limit %(n)s)\n"
)
CLAIMS_TOGETHER = Edit(
    "processing.claims",
    'cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, stage.number])',
    "pass",
)
HAND_BACK = Edit(
    "processing.leases",
    """\
                lease_token = null, lease_until = null, lease_worker = null
            where id = %s and lease_token = %s and state = 'leased'""",
    """\
                lease_token = null, lease_until = null, lease_worker = null
            where id = %s and (lease_token = %s or true) and state = 'leased'""",
)
BEAT = Edit(
    "processing.leases",
    "where id = any(%s) and lease_token = any(%s) and state = 'leased'\n                  order",
    "where id = any(%s) and (lease_token = any(%s) or true) and state = 'leased'\n"
    "                  order",
)
BEAT_WAITS = Edit(
    "processing.leases", "order by id for update skip locked) held", "order by id for update) held"
)
MOVE_LOCKS_ALL = Edit(
    "documents.services.moves", "queryset.filter(status__in=sources(to))", "queryset"
)
MOVE_MOVES_ALL = Edit(
    "documents.models", "return self.filter(status__in=sources(to)).update(", "return self.update("
)
ACCEPTS_ALL = Edit(
    "documents.services.arrivals",
    "id__in=document_ids, status=Status.AWAITING)",
    "id__in=document_ids)",
)
TWO_TRANSACTIONS = Edit(
    "processing.leases",
    '        _fence(lease, "done")\n',
    '        _fence(lease, "done")\n    with transaction.atomic():\n',
)

SLEEPER = f"{ONCE}::test_a_holder_that_slept_past_its_lease_changes_nothing"
CLAIM_CANCELLED = f"{RACES}::test_a_claim_during_a_cancel_passes_the_run_by"
TWO_CLAIMS = f"{RACES}::test_two_claims_share_neither_a_run_nor_more_than_the_cap"
RESULT_UNWANTED = f"{UNWANTED}::test_a_result_that_comes_meanwhile_is_dropped"
BEAT_REAPED = f"{RACES}::test_a_beat_after_the_reapers_first_look_saves_the_lease"
TWO_COMPLETES = f"{ONCE}::test_a_complete_during_another_answers_the_same"

MUTATIONS = (
    Mutation("a result needs no token", SLEEPER, (FENCE,)),
    Mutation("handing back needs no token", SLEEPER, (HAND_BACK,)),
    Mutation("a beat needs no token", SLEEPER, (BEAT,)),
    Mutation(
        "a beat waits for who has the run",
        f"{RACES}::test_a_beat_during_a_reap_neither_waits_nor_extends",
        (BEAT_WAITS,),
    ),
    Mutation("the reaper does not look again under the lock", BEAT_REAPED, (REAPER_LOOKS_ONCE,)),
    Mutation(
        "the reaper takes leases that run",
        f"{RACES}::test_the_reaper_leaves_leases_that_run",
        (REAPER_FINDS_ALL, REAPER_LOOKS_ONCE),
        "What the first look finds too much, the second under the lock leaves alone.",
    ),
    Mutation(
        "finish does not lock the document",
        f"{UNWANTED}::test_who_calls_off_during_a_finish_waits_for_its_end[cancel]",
        (NO_DOCUMENT_LOCK,),
    ),
    Mutation(
        "finish is two transactions",
        f"{RACES}::test_who_ends_half_way_has_changed_nothing",
        (TWO_TRANSACTIONS,),
    ),
    Mutation(
        "a cancelled document takes results",
        f"{RESULT_UNWANTED}[cancel]",
        (CANCELLED_IS_FINE, CANCEL_LEAVES_LEASES),
        "A cancel takes the token off the run, so that the fence refuses what the look at the "
        "document would; and while that look is there, a lease left behind writes nothing.",
    ),
    Mutation(
        "a document read anew takes older results",
        f"{RESULT_UNWANTED}[reprocess]",
        (OLDER_IS_FINE, CANCEL_LEAVES_LEASES),
        "Reading anew cancels the older runs, and so takes their tokens, like a cancel.",
    ),
    Mutation("a cancel leaves leases", f"{RESULT_UNWANTED}[cancel]", (CANCEL_LEAVES_LEASES,)),
    Mutation("a claim waits for who has the run", CLAIM_CANCELLED, (CLAIM_WAITS,)),
    Mutation("claims do not take turns", TWO_CLAIMS, (CLAIMS_TOGETHER,)),
    Mutation(
        "a claim takes what was ready when it looked",
        TWO_CLAIMS,
        (CLAIM_BELIEVES, CLAIM_WAITS, CLAIMS_TOGETHER),
        "While claims take turns, each sees what the one before took; and a run that somebody "
        "else has locked is skipped before its state is asked for again.",
    ),
    Mutation(
        "a move locks documents whatever their state",
        TWO_COMPLETES,
        (ACCEPTS_ALL, MOVE_LOCKS_ALL),
        "A complete asks for what is awaited, and would find the others' work done anyway.",
    ),
    Mutation(
        "a move moves documents whatever their state",
        TWO_COMPLETES,
        (ACCEPTS_ALL, MOVE_LOCKS_ALL, MOVE_MOVES_ALL),
        "Only documents that may move are locked, so the second condition finds nothing to "
        "refuse; alone, the first one's loss is noticed by the count and answered 500.",
    ),
)
