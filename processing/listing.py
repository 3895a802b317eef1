"""What became of what was in an archive or a mail, as text: what was refused, and why."""

from collections.abc import Iterable
from dataclasses import replace

from processing.extraction import Extraction
from processing.extraction.members import Contents, Member
from processing.extraction.pages import PageWriter

KIB = 1024


class Listing:
    """Takes down what became of each member, and writes it."""

    def __init__(self, name: str, contents: Contents) -> None:
        self._name = name
        self._left_out = contents.left_out
        self._taken: list[str] = []
        self._repeated: list[str] = []
        self._refused = [f"{each.path}: {each.reason}" for each in contents.refused]

    def take(self, members: Iterable[Member]) -> None:
        """Note members that are documents now."""
        self._taken += [f"{member.path} ({_size(member.size)})" for member in members]

    def repeat(self, path: str) -> None:
        """Note a member that is in the archive again, at the same path with the same bytes."""
        self._repeated.append(path)

    def refuse(self, path: str, reason: str) -> None:
        """Note a member that is none, and the sentence that says why."""
        self._refused.append(reason if path in reason else f"{path}: {reason}")

    def as_extraction(self) -> Extraction:
        """Return all of it as the archive's text."""
        writer = PageWriter()
        writer.add_heading(self._name)
        writer.add(_count(len(self._taken), "was unpacked", "were unpacked"))
        self._write(writer, self._taken)
        for title, lines in (
            ("Refused", self._refused),
            ("In the archive more than once", self._repeated),
        ):
            if lines:
                if writer.is_full:
                    writer.end_page()
                writer.add_heading(title)
                self._write(writer, lines)
        if self._left_out:
            writer.add(f"{self._left_out} left out: what systems and tools leave behind.")
        return Extraction(writer.finish(), title=self._name, metadata=self._metadata())

    def added_to(self, mail: Extraction) -> Extraction:
        """Return a mail with what became of its attachments: those that are none are told."""
        note = "\n".join(["Not taken in:", *self._refused]) if self._refused else ""
        told = with_note(mail, note) if note else mail
        return replace(told, metadata=mail.metadata | self._metadata())

    def _write(self, writer: PageWriter, lines: list[str]) -> None:
        for line in lines:
            if writer.is_full:
                writer.end_page()
            writer.add(line, separator="\n")

    def _metadata(self) -> dict[str, str]:
        counts = {
            "documents": len(self._taken),
            "refused": len(self._refused),
            "repeated": len(self._repeated),
            "left_out": self._left_out,
        }
        return {name: str(n) for name, n in counts.items()}


def with_note(extraction: Extraction, note: str) -> Extraction:
    """Return the same text with one paragraph more at its end."""
    *pages, last = extraction.pages
    return replace(extraction, pages=(*pages, replace(last, text=f"{last.text}\n\n{note}".strip())))


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {'document' if n == 1 else 'documents'} {one if n == 1 else many}."


def _size(n_bytes: int) -> str:
    return f"{n_bytes} bytes" if n_bytes < KIB else f"{n_bytes / KIB:,.0f} KiB"
