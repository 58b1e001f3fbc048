"""Logos: what is accepted as one, and how it gets into a document.

A logo is drawn from SVG. A PNG is put into one; an SVG may hold shapes and text only, so that it can neither run, nor
load, nor grow into anything.
"""

from __future__ import annotations

import base64
import re
import struct

from lxml import etree

from billing.customers.models import LogoType
from billing.models import SellerLogo
from kernel.errors import InvalidError, TooLargeError

MOST_BYTES = 256 * 1024
_MOST_PIXELS = 2000
_MOST_ELEMENTS = 5000
_MOST_USES = 20
_SVG = "http://www.w3.org/2000/svg"
_XHTML = "http://www.w3.org/1999/xhtml"
_PNG_START = b"\x89PNG\r\n\x1a\n"

_ALLOWED = frozenset(
    [
        *("svg", "g", "defs", "symbol", "use", "title", "desc", "metadata", "style", "clipPath", "mask"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"),
        *("linearGradient", "radialGradient", "stop"),
    ]
)
_HREF = re.compile(r"#[\w.:-]+")
_URL = re.compile(r"""url\(\s*(?!['"]?#)""", re.IGNORECASE)


class LogoInvalid(InvalidError):
    code = "logo_invalid"


class LogoTooLarge(TooLargeError):
    code = "logo_too_large"


def checked_media_type(content: bytes) -> str:
    """What kind of picture `content` is: PNG or SVG. Raises `LogoInvalid` and `LogoTooLarge`."""
    if len(content) > MOST_BYTES:
        raise LogoTooLarge(f"A logo has at most {MOST_BYTES // 1024} KiB")
    if content.startswith(_PNG_START):
        _png_size(content)
        return str(LogoType.PNG)
    _check_svg(content)
    return str(LogoType.SVG)


def as_svg(logo: SellerLogo) -> str:
    """The logo as SVG markup."""
    content = bytes(logo.content)
    if logo.media_type == LogoType.SVG:
        return content.decode()
    width, height = _png_size(content)
    data = base64.b64encode(content).decode()
    size = f'width="{width}" height="{height}"'
    return f'<svg xmlns="{_SVG}" {size}><image {size} href="data:image/png;base64,{data}"/></svg>'


def _png_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG that is whole and of a size to be printed."""
    if len(content) < 57 or content[12:16] != b"IHDR" or b"IEND" not in content[-16:]:
        raise LogoInvalid("This is no whole PNG")
    width, height = struct.unpack(">II", content[16:24])
    if not (1 <= width <= _MOST_PIXELS and 1 <= height <= _MOST_PIXELS):
        raise LogoInvalid(f"A logo is at most {_MOST_PIXELS} pixels wide and high")
    return width, height


def _check_svg(content: bytes) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        content.decode("utf-8")
        root = etree.fromstring(content, parser)
    except (UnicodeDecodeError, etree.XMLSyntaxError):
        raise LogoInvalid("A logo is a PNG or an SVG in UTF-8") from None
    if root.tag != f"{{{_SVG}}}svg":
        raise LogoInvalid("A logo is a PNG or an SVG in UTF-8")
    if root.getroottree().docinfo.doctype:
        raise LogoInvalid("An SVG logo has no DOCTYPE")
    elements = list(root.iter())
    if len(elements) > _MOST_ELEMENTS or sum(_name(one) == "use" for one in elements) > _MOST_USES:
        raise LogoInvalid("This SVG has too many elements for a logo")
    for element in elements:
        _check_element(element)


def _name(element: etree._Element) -> str:
    if not isinstance(element.tag, str):
        return "comment" if element.tag is etree.Comment else "instruction"
    return str(etree.QName(element).localname)


def _is_metadata(element: etree._Element) -> bool:
    """What drawing programs leave beside the picture, in namespaces of their own, and nothing draws."""
    return isinstance(element.tag, str) and etree.QName(element).namespace not in (_SVG, None, _XHTML)


def _check_element(element: etree._Element) -> None:
    name = _name(element)
    if name == "comment":
        return
    if name not in _ALLOWED and not _is_metadata(element):
        raise LogoInvalid(f"An SVG logo holds shapes and text, not {name!r}")
    texts = [str(value) for value in element.attrib.values()]
    if name == "style":
        texts.append(element.text or "")
    if any(_URL.search(text) or "@import" in text.lower() for text in texts):
        raise LogoInvalid("An SVG logo loads nothing from elsewhere")
    for attribute, value in element.attrib.items():
        attribute_name = etree.QName(attribute).localname.lower()
        if attribute_name.startswith("on"):
            raise LogoInvalid("An SVG logo has no scripts")
        if attribute_name == "href" and not _HREF.fullmatch(str(value)):
            raise LogoInvalid("An SVG logo loads nothing from elsewhere")
