"""Which parser reads which extension."""

from __future__ import annotations

from ingest.parse.allowance import Allowance
from ingest.parse.elements import Parsed
from ingest.parse.ocr import is_installed
from ingest.parse.packed import Inner
from rag.errors import DocumentError

IMAGES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_TEXTS = tuple(
    ".csv .doc .docx .eml .epub .htm .html .json .jsonl .md .msg .ndjson .nxml .odp .ods .odt .org .pdf .ppt .pptx .rst"
    " .rtf .tsv .txt .xhtml .xls .xlsm .xlsx .xml .zip".split()
)
# What is looked for in folders: pictures only where their text can be recognised.
SUPPORTED = tuple(sorted((*_TEXTS, *(IMAGES if is_installed() else ()))))
_WITH_FILES = (".eml", ".msg", ".zip")
_PACKAGES = (".docx", ".epub", ".odp", ".ods", ".odt", ".pptx", ".xlsm", ".xlsx")


def parsed_as(extension: str, data: bytes, *, name: str, allowance: Allowance, inner: Inner) -> Parsed:
    """The content of the file `name` read as the format that `extension` names; `inner` parses what is packed in it."""
    if extension in _WITH_FILES:
        return _with_files(extension, data, allowance, inner)
    if extension in _PACKAGES:
        return _unpacked(extension, data, allowance)
    if extension == ".pdf":
        from ingest.parse.pdf import parse_pdf

        return parse_pdf(data, allowance.options, name=name)
    if extension in IMAGES:
        from ingest.parse.image import parse_image

        return parse_image(data, allowance.options)
    return _plainly(extension, data)


def _with_files(extension: str, data: bytes, allowance: Allowance, inner: Inner) -> Parsed:
    """The formats in which files of other formats are packed."""
    match extension:
        case ".eml":
            from ingest.parse.mail import parse_mail as parser
        case ".msg":
            from ingest.parse.outlook import parse_outlook as parser
        case _:
            from ingest.parse.archive import parse_archive as parser
    return parser(data, inner, allowance)


def _unpacked(extension: str, data: bytes, allowance: Allowance) -> Parsed:
    """The formats that are zip files themselves."""
    match extension:
        case ".docx" | ".pptx" | ".xlsm" | ".xlsx":
            from ingest.parse.office import parse_office

            return parse_office(extension, data, allowance)
        case ".epub":
            from ingest.parse.epub import parse_epub as parser
        case _:
            from ingest.parse.opendocument import parse_opendocument as parser
    return parser(data, allowance)


def _plainly(extension: str, data: bytes) -> Parsed:  # noqa: C901, PLR0912 - one case a format
    """The formats in which nothing is packed."""
    match extension:
        case ".htm" | ".html" | ".xhtml":
            from ingest.parse.office import parse_html as parser
        case ".md":
            from ingest.parse.markdown import parse_markdown as parser
        case ".txt":
            from ingest.parse.text import parse_text as parser
        case ".csv":
            from ingest.parse.csv_table import parse_csv as parser
        case ".tsv":
            from ingest.parse.csv_table import parse_tsv as parser
        case ".json":
            from ingest.parse.json_tree import parse_json as parser
        case ".jsonl" | ".ndjson":
            from ingest.parse.json_tree import parse_ndjson as parser
        case ".nxml" | ".xml":
            from ingest.parse.xml_tree import parse_xml as parser
        case ".rst":
            from ingest.parse.restructured import parse_rst as parser
        case ".org":
            from ingest.parse.org import parse_org as parser
        case ".rtf":
            from ingest.parse.rtf import parse_rtf as parser
        case ".doc":
            from ingest.parse.word97 import parse_word97 as parser
        case ".ppt":
            from ingest.parse.powerpoint97 import parse_powerpoint97 as parser
        case ".xls":
            from ingest.parse.excel97 import parse_excel97 as parser
        case _:
            raise DocumentError(
                f"the extension '{extension}' is unknown" if extension else "the name has no extension",
                expected=f"one of {' '.join(SUPPORTED)}",
                remedy="save the document as one of these",
            )
    return parser(data)
