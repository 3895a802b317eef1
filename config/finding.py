"""What a check of `manage.py doctor` finds, and how it says that something is not well."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what helps if it is not well."""

    name: str
    level: Level
    detail: str
    advice: str = ""


class DoctorError(Exception):
    """Something is not well: the detail, and the advice."""

    def __init__(self, detail: str, advice: str, level: Level = Level.FAIL) -> None:
        super().__init__(detail)
        self.detail, self.advice, self.level = detail, advice, level
