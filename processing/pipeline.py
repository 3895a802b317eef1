"""The stages, in order."""

from processing.models import StageName
from processing.stage import Stage
from processing.stages import embed, extract, verify

STAGES: tuple[Stage, ...] = (verify.stage, extract.stage, embed.stage)


def get_stage(name: StageName) -> Stage:
    """Return the stage of this name."""
    return next(stage for stage in STAGES if stage.name == name)


def following(name: StageName) -> list[StageName]:
    """Return the stages that become ready when this one is done."""
    return [stage.name for stage in STAGES if stage.after == name]
