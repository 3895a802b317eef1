"""Folders to drop: small documents of several kinds, each with a word of its own."""

import random
from email.message import EmailMessage

FILLER = (
    "The gate was opened at dawn and closed again when the water had fallen. "
    "Nobody on the lower canal noticed until the boats began to move. "
)

SENDER = "lock@example.org"


def folder(chance: random.Random, n: int) -> dict[str, bytes]:
    """Return `n` different documents by path."""
    made = {}
    for at in range(n):
        word = word_of(chance)
        kind = KINDS[at % len(KINDS)]
        made[f"reports/{at % 7}/{word}.{kind}"] = _content(kind, word)
    return made


def word_of(chance: random.Random) -> str:
    """Return a word that stands in one document only."""
    return "q" + "".join(chance.choice("bcdfghjklmnprstvwz") for _ in range(11))


def _content(kind: str, word: str) -> bytes:
    text = f"Report {word}\n\n" + f"{FILLER}The name of this report is {word}. " * 3
    if kind == "html":
        text = f"<html><head><title>{word}</title></head><body><p>{text}</p></body></html>"
    elif kind == "csv":
        text = "gate,state\n" + "".join(f"{word},{at}\n" for at in range(20))
    elif kind == "eml":
        message = EmailMessage()
        message["From"], message["To"] = SENDER, "canal@example.org"
        message["Subject"] = f"Report {word}"
        message.set_content(text)
        return bytes(message)
    return text.encode()


KINDS = ("md", "txt", "html", "csv", "eml", "txt")
