"""Which kinds of document a workspace takes, told by the suffix and again by the real type.

A suffix is only what somebody called a document: it refuses what nobody here can read,
before the bytes move, and what the workspace does not take. Whatever else there is goes
on to *verify*, which asks the same of the type that the bytes have.
"""

from collections.abc import Sequence
from enum import StrEnum

from documents.errors import TypeRefusedError


class DocumentKind(StrEnum):
    """What a workspace may narrow itself to."""

    PDF = "pdf"
    OFFICE = "office"
    MAIL = "mail"
    WEB = "web"
    TEXT = "text"
    IMAGE = "image"
    CODE = "code"
    ARCHIVE = "archive"


_NAMES = {
    DocumentKind.PDF: "PDF documents",
    DocumentKind.OFFICE: "office documents",
    DocumentKind.MAIL: "e-mails",
    DocumentKind.WEB: "web pages",
    DocumentKind.TEXT: "text",
    DocumentKind.IMAGE: "images",
    DocumentKind.CODE: "source code",
    DocumentKind.ARCHIVE: "archives",
}
# Each suffix with the type behind it, so that both tell the same kind.
_SUFFIXES = {
    DocumentKind.PDF: "pdf",
    DocumentKind.OFFICE: (
        "docx docm dotx doc dot pptx pptm ppsx ppt pps xlsx xlsm xltx xls odt ott ods odp epub rtf"
    ),
    DocumentKind.MAIL: "eml mht mhtml msg mbox",
    DocumentKind.WEB: "html htm xhtml xml",
    DocumentKind.TEXT: "txt text log md markdown rst org csv tsv tab json ndjson jsonl",
    DocumentKind.IMAGE: "jpg jpeg jfif png gif webp tif tiff bmp heic heif svg",
    DocumentKind.CODE: (
        "py pyi js mjs cjs jsx ts tsx java kt scala c h cc cpp cxx hpp cs go rs rb php pl pm lua r"
        " swift sh bash ps1 bat sql css scss vue tex yaml yml toml ini cfg diff patch"
    ),
    DocumentKind.ARCHIVE: "zip tar tgz gz bz2 tbz2 xz txz zst 7z rar p7m",
}
_UNREADABLE = {
    "a video": "mp4 m4v mov avi mkv webm wmv flv mpg mpeg mpe 3gp 3g2 vob m2ts ogv divx",
    "a sound recording": (
        "mp3 wav flac aac ogg oga opus m4a m4b wma aiff aif mid midi amr ape mka"
    ),
    "a program": (
        "exe dll msi msix sys so dylib elf wasm class jar war pyc pyo pyd apk ipa deb rpm"
    ),
    "a disk image": "iso dmg vmdk vhd vhdx vdi qcow2 ova wim",
    "a font": "ttf otf ttc woff woff2 eot pfb pfm",
    "a database": "sqlite sqlite3 db db3 mdb accdb mdf ldf ibd dbf",
    "a machine-learning model": "safetensors gguf onnx ckpt tflite",
    "a data set": "parquet feather arrow avro orc hdf5 h5 npy npz pkl pickle",
    "a 3D model": "3ds fbx blend glb",
    "a torrent": "torrent",
}
_KIND_OF_SUFFIX = {suffix: kind for kind, names in _SUFFIXES.items() for suffix in names.split()}
_UNREADABLE_SUFFIX = {
    suffix: name for name, suffixes in _UNREADABLE.items() for suffix in suffixes.split()
}
_MAIL_TYPES = {"message/rfc822", "application/vnd.ms-outlook", "application/mbox"}
_WEB_TYPES = {"text/html", "application/xhtml+xml", "application/xml", "text/xml"}
_TEXT_TYPES = {
    *("text/plain", "text/markdown", "text/x-rst", "text/x-org", "text/csv"),
    *("text/tab-separated-values", "application/json", "application/x-ndjson"),
}
_CODE_TYPES = {"text/javascript", "text/css", "application/yaml", "application/toml"}
_OFFICE_TYPES = {"application/msword", "application/epub+zip", "application/rtf"}
_OFFICE_FAMILIES = (
    *("application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."),
    *("application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/vnd.ms-word"),
)
_ARCHIVE_TYPES = {
    *("application/zip", "application/x-tar", "application/gzip", "application/x-bzip2"),
    *("application/x-compressed-tar", "application/x-bzip-compressed-tar"),
    *("application/x-xz-compressed-tar", "application/pkcs7-mime"),
    *("application/x-xz", "application/zstd", "application/x-7z-compressed", "application/vnd.rar"),
}
_KIND_OF_TYPE = {
    "application/pdf": DocumentKind.PDF,
    **dict.fromkeys(_OFFICE_TYPES, DocumentKind.OFFICE),
    **dict.fromkeys(_MAIL_TYPES, DocumentKind.MAIL),
    **dict.fromkeys(_WEB_TYPES, DocumentKind.WEB),
    **dict.fromkeys(_TEXT_TYPES, DocumentKind.TEXT),
    **dict.fromkeys(_CODE_TYPES, DocumentKind.CODE),
    **dict.fromkeys(_ARCHIVE_TYPES, DocumentKind.ARCHIVE),
}


def check_suffix(path: str, accepted: Sequence[str]) -> None:
    """Raise TypeRefusedError for what its name says nobody can read, or is not accepted here.

    An unknown suffix, or none, says nothing. `accepted` are kinds; none means all.
    """
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2].lower() if "." in name.lstrip(".") else ""
    unreadable = _UNREADABLE_SUFFIX.get(suffix)
    if unreadable is not None:
        raise TypeRefusedError(f"{name} is {unreadable}, which cannot be read.")
    kind = _KIND_OF_SUFFIX.get(suffix)
    if accepted and kind is not None and kind not in accepted:
        raise _not_accepted(name, accepted)


def check_type(name: str, content_type: str, accepted: Sequence[str]) -> None:
    """Raise TypeRefusedError unless documents of this real type are accepted; none means all."""
    kind = kind_of_type(content_type)
    if accepted and kind not in accepted:
        raise _not_accepted(name, accepted)


def kind_of_suffix(suffix: str) -> DocumentKind | None:
    """Return what documents with this suffix, in lower case without its dot, usually are."""
    return _KIND_OF_SUFFIX.get(suffix)


def kind_of_type(content_type: str) -> DocumentKind | None:
    """Return the kind of a media type; None for what is no kind of document."""
    if content_type.startswith("image/"):
        return DocumentKind.IMAGE
    if content_type.startswith(_OFFICE_FAMILIES):
        return DocumentKind.OFFICE
    if content_type in _KIND_OF_TYPE:
        return _KIND_OF_TYPE[content_type]
    return DocumentKind.CODE if content_type.startswith("text/x-") else None


def _not_accepted(name: str, accepted: Sequence[str]) -> TypeRefusedError:
    taken = " and ".join(_NAMES[kind] for kind in DocumentKind if kind in accepted)
    return TypeRefusedError(f"{name} is not taken here: this workspace takes only {taken}.")
