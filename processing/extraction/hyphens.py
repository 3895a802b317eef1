"""Put words together again that were broken at the end of a line."""

import re

# What stands for the hyphen and the line end after it; pdfium writes it too.
HYPHEN = "\x02"
# pdfium writes U+FFFE for some.
HYPHENATED = re.compile("(\\w*)[\x02\ufffe](?:\r?\n)?(\\w*)")


def join_hyphenated(text: str, words: set[str]) -> str:
    """Join words that were broken at line ends, but keep the hyphen of compounds.

    A compound is told by its halves: in "hormone-blocking" both are words that the
    document uses by themselves, in "detec-tion" they are not. `words` are those.
    """

    def join(match: re.Match[str]) -> str:
        first, second = match.groups()
        is_compound = first + second not in words and first in words and second in words
        return f"{first}-{second}" if is_compound else first + second

    return HYPHENATED.sub(join, text)
