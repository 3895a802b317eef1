"""Text as Sluice keeps it: decoded, in NFC, with plain line ends and nothing PostgreSQL refuses."""

import codecs
import re
import unicodedata

# PostgreSQL text has no NUL, UTF-8 has no surrogates, and no other C0 control but tab and line end
# means anything in running text. U+FEFF is a byte order mark that strayed; a soft hyphen would
# hide the word it stands in from search.
_REFUSED = re.compile("[\x00-\x08\x0e-\x1f\x7f\xad\ud800-\udfff\ufeff]")
_NO_BREAK_SPACE = re.compile("[\xa0\u2007\u202f]")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_BOMS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What people really have. With all of Python's codecs to choose from, charset-normalizer takes
# short texts for EBCDIC or Urdu.
_LEGACY_ENCODINGS = [
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp874", "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "cp949"),
]
_SAMPLE_BYTES = 65_536
# Above this share of bytes outside ASCII the script is not Latin.
_LATIN_SHARE = 0.35
_SYMBOL_IN_WORD = re.compile(r"[^\W\d_][¡-¬®-´¶¸-¿×÷†‡•‰¤][^\W\d_]")
_BINARY_CONTROL = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")


def clean(text: str) -> str:
    """Return text in NFC with line ends as \\n and without characters that cannot be stored."""
    text = _REFUSED.sub("", _LINE_END.sub("\n", text))
    return text if text.isascii() else unicodedata.normalize("NFC", _NO_BREAK_SPACE.sub(" ", text))


def decode(data: bytes, declared: str = "") -> str:
    """Decode bytes: byte order mark, UTF-8, UTF-16 by its zeros, as declared, then by likelihood.

    Bytes the encoding does not know become U+FFFD: a document is not lost for one of them.
    """
    return data.decode(encoding_of(data, declared), errors="replace")


def encoding_of(data: bytes, declared: str = "") -> str:
    """Name the encoding of a text; `declared` is what its own header claims."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    if wide := _wide_encoding(data[:_SAMPLE_BYTES]):
        return wide
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _known_codec(declared) or _likely_encoding(data)
    # ISO-2022-JP is the one 7-bit encoding that is still met, and it is valid UTF-8.
    return "iso2022_jp" if b"\x1b$" in data[:_SAMPLE_BYTES] else "utf-8"


def looks_like_text(data: bytes) -> bool:
    """Whether the first bytes of a document are text in any encoding."""
    if any(data.startswith(mark) for mark, _ in _BOMS) or _wide_encoding(data):
        return True
    controls = len(_BINARY_CONTROL.findall(data))
    try:
        # A sample may end inside a character; the incremental decoder does not mind.
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return controls == 0
    # A log with a stray NUL is a log; a short record of numbers is not.
    return controls * 10 <= len(data) and controls <= max(2, len(data) // 100)


def _wide_encoding(sample: bytes) -> str:
    """Recognise UTF-16 and UTF-32 without a mark: ASCII in them is zeros at fixed places."""
    if len(sample) < 8 or b"\x00" not in sample:
        return ""
    quarters = [sample[i : len(sample) // 4 * 4 : 4].count(0) * 4 / len(sample) for i in range(4)]
    low, high = 0.2, 0.6
    if min(quarters[1:]) > high and quarters[0] < low:
        return "utf-32-le"
    if min(quarters[:3]) > high and quarters[3] < low:
        return "utf-32-be"
    if min(quarters[1], quarters[3]) > high and max(quarters[0], quarters[2]) < low:
        return "utf-16-le"
    if min(quarters[0], quarters[2]) > high and max(quarters[1], quarters[3]) < low:
        return "utf-16-be"
    return ""


def _known_codec(name: str) -> str:
    try:
        codec = codecs.lookup(name).name if name else ""
    except LookupError:
        return ""
    # Browsers read Latin-1 and ASCII labels as Windows-1252 (https://encoding.spec.whatwg.org/).
    return "cp1252" if codec in {"iso8859-1", "ascii"} else codec


def _likely_encoding(data: bytes) -> str:
    from charset_normalizer import from_bytes  # late: only texts that are not UTF-8 pay for it

    sample = _dense_sample(data)
    best = from_bytes(sample, cp_isolation=_LEGACY_ENCODINGS).best()
    if best is None:
        return "cp1252"
    if _high_share(sample) >= _LATIN_SHARE or best.encoding == "cp1252":
        return best.encoding
    if _SYMBOL_IN_WORD.search(sample.decode("cp1252", errors="replace")):
        return best.encoding
    western = from_bytes(sample, cp_isolation=["cp1252"]).best()
    is_better = best.coherence > (western.coherence if western else 0.0) + 0.1
    return best.encoding if is_better else "cp1252"


def _dense_sample(data: bytes) -> bytes:
    """Take the sample where the first byte outside ASCII is, not where there is none to judge."""
    first = next((i for i, byte in enumerate(data) if byte > 127), 0)
    start = max(0, data.rfind(b"\n", 0, first) + 1, first - _SAMPLE_BYTES // 2)
    return data[start : start + _SAMPLE_BYTES]


def _high_share(data: bytes) -> float:
    visible = sum(1 for byte in data if byte > 32)
    return sum(1 for byte in data if byte > 127) / max(visible, 1)
