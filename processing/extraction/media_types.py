"""The media types Sluice knows by name, and which suffix tells one kind of text from another."""

UNKNOWN = "application/octet-stream"
EMPTY = "inode/x-empty"
ZIP = "application/zip"
TAR = "application/x-tar"
TAR_GZ = "application/x-compressed-tar"
TAR_BZ2 = "application/x-bzip-compressed-tar"
TAR_XZ = "application/x-xz-compressed-tar"
# Signed or enveloped (RFC 8551); what is signed is the one document in it.
CMS = "application/pkcs7-mime"
# Documents that hold documents: unpacked, not read.
ARCHIVES = frozenset({ZIP, TAR, TAR_GZ, TAR_BZ2, TAR_XZ, CMS})
# Zip packages of programs that are no archives and that nobody here reads.
OPC = "application/x-opc-package"
JAR = "application/java-archive"

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSM = "application/vnd.ms-excel.sheet.macroenabled.12"
DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
XLS = "application/vnd.ms-excel"
MSG = "application/vnd.ms-outlook"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"
RTF = "application/rtf"
EML = "message/rfc822"
# Read, and what is attached is unpacked.
MAIL = frozenset({EML, MSG})

HTML = "text/html"
XML = "application/xml"
SVG = "image/svg+xml"
JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
TSV = "text/tab-separated-values"
TEXT = "text/plain"
MARKDOWN = "text/markdown"
RST = "text/x-rst"
ORG = "text/x-org"

JPEG = "image/jpeg"
PNG = "image/png"
GIF = "image/gif"
WEBP = "image/webp"
TIFF = "image/tiff"
BMP = "image/bmp"
HEIC = "image/heic"
IMAGES = (JPEG, PNG, GIF, WEBP, TIFF, BMP, HEIC)

OOXML_SUFFIXES = {".docx": DOCX, ".pptx": PPTX, ".xlsx": XLSX, ".xlsm": XLSM}
PACKAGE_SUFFIXES = {**OOXML_SUFFIXES, ".odt": ODT, ".ods": ODS, ".odp": ODP, ".epub": EPUB}
OLE_SUFFIXES = {".doc": DOC, ".ppt": PPT, ".xls": XLS, ".msg": MSG}

CODE_SUFFIXES = {
    ".py": "text/x-python",
    ".pyi": "text/x-python",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".jsx": "text/javascript",
    ".ts": "text/x-typescript",
    ".tsx": "text/x-typescript",
    ".java": "text/x-java",
    ".kt": "text/x-kotlin",
    ".scala": "text/x-scala",
    ".c": "text/x-c",
    ".h": "text/x-c",
    ".cc": "text/x-c++",
    ".cpp": "text/x-c++",
    ".cxx": "text/x-c++",
    ".hpp": "text/x-c++",
    ".cs": "text/x-csharp",
    ".go": "text/x-go",
    ".rs": "text/x-rust",
    ".rb": "text/x-ruby",
    ".php": "text/x-php",
    ".pl": "text/x-perl",
    ".pm": "text/x-perl",
    ".lua": "text/x-lua",
    ".r": "text/x-r",
    ".swift": "text/x-swift",
    ".sh": "text/x-shellscript",
    ".bash": "text/x-shellscript",
    ".ps1": "text/x-powershell",
    ".bat": "text/x-msdos-batch",
    ".sql": "text/x-sql",
    ".css": "text/css",
    ".scss": "text/x-scss",
    ".vue": "text/x-vue",
    ".tex": "text/x-tex",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".ini": "text/x-ini",
    ".cfg": "text/x-ini",
    ".diff": "text/x-diff",
    ".patch": "text/x-diff",
}
CODE = tuple(sorted(set(CODE_SUFFIXES.values())))

TEXT_SUFFIXES = {
    **CODE_SUFFIXES,
    ".txt": TEXT,
    ".text": TEXT,
    ".log": TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".rst": RST,
    ".org": ORG,
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".json": JSON,
    ".ndjson": NDJSON,
    ".jsonl": NDJSON,
    ".xml": XML,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".eml": EML,
    ".mht": EML,
    ".mhtml": EML,
}

# What the content model calls a kind of text, where its word is taken for a document whose
# suffix says nothing.
TEXT_LABELS = {
    "csv": CSV,
    "tsv": TSV,
    "json": JSON,
    "jsonl": NDJSON,
    "html": HTML,
    "xml": XML,
    "markdown": MARKDOWN,
    "rst": RST,
    "eml": EML,
    "mht": EML,
}
