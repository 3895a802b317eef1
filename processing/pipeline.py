"""The stages, in order."""

from collections.abc import Iterable

from documents.models import Document
from processing.models import StageName
from processing.stage import Stage
from processing.stages import embed, enrich, extract, look, preview, verify

STAGES: tuple[Stage, ...] = (
    verify.stage,
    extract.stage,
    preview.stage,
    embed.stage,
    enrich.stage,
    look.stage,
)
REQUIRED = tuple(stage for stage in STAGES if stage.is_required)
# The order in which workers turn to them: nobody waits for what is optional.
BY_URGENCY = (*REQUIRED, *(stage for stage in STAGES if not stage.is_required))


# What every document goes through; whether the others concern it is known later.
OF_ALL = tuple(stage for stage in STAGES if stage.concerns is None)


def get_stage(name: StageName) -> Stage:
    """Return the stage of this name."""
    return next(stage for stage in STAGES if stage.name == name)


def following(name: StageName) -> list[StageName]:
    """Return the stages that become ready when this one is done, the required ones first."""
    return [stage.name for stage in BY_URGENCY if stage.after == name]


def joining(names: Iterable[StageName], document: Document) -> list[StageName]:
    """Return those of these stages that concern only some documents, and this one."""
    stages = [get_stage(name) for name in names]
    return [stage.name for stage in stages if stage.concerns and stage.concerns(document)]
