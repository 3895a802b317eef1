"""What a finder gives: an entity of some kind, mentioned at a place in a text.

The patterns of finders begin with the characters they begin at and look behind them only then:
`re` skips to those, many times faster than it tries a look-behind everywhere. What may repeat
in them is bounded and cannot match in two ways, so that no text makes them slow.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing is mentioned, in the order in which people are shown them."""

    PERSON = "person"
    ORGANISATION = "organisation"
    PLACE = "place"
    DATE = "date"
    MONEY = "money"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    IBAN = "iban"
    VAT = "vat"
    CARD = "card"
    ISBN = "isbn"
    DOI = "doi"


@dataclass(frozen=True, slots=True)
class Mention:
    """A place in a text, from `start` to `end`, and the one value that all ways to write it have.

    `shown` stands for the text as written where that must not be kept.
    """

    kind: Kind
    value: str
    start: int
    end: int
    shown: str = ""


def whole_groups(written: str, separators: str) -> list[str]:
    """Return a text and what is left of it without its last groups, longest first.

    A number in groups is followed by other groups as often as not.
    """
    left = [written]
    for at in range(len(written) - 1, 0, -1):
        if written[at] in separators and written[at - 1] not in separators:
            left.append(written[:at])
    return left
