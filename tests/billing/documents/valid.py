"""Documents of any story held to the standard: a PDF, and an e-invoice that Factur-X's own rules accept."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from facturx import xml_check_xsd

from tests.api import Api
from tests.billing.documents.conftest import ADDRESS, SELLER
from tests.billing.documents.test_e_invoice import broken_rules, compiled_schematron

#: What a customer of such a story is made with.
BUYER = {"name": "Müller & Söhne", "address": ADDRESS}


@functools.cache
def _rules() -> Any:
    """Compiled once in a process, which takes seconds."""
    return compiled_schematron().__enter__()


def name_the_seller(api: Api) -> None:
    """Before the first invoice of a story, which keeps the seller of its day."""
    assert api.patch("seller_profile", SELLER).status_code == 200


def documents_are_valid(api: Api) -> bool:
    """True where every invoice and credit note that was issued has a document that the rules accept; else it says which
    has not."""
    # A void invoice has a PDF that says so, and no e-invoice.
    invoices = [one for one in api.get("invoices", limit="200").json()["data"] if one["number"]]
    asked = [f"invoices/{one['id']}" for one in invoices if one["status"] != "void"]
    asked += [f"credit_notes/{one['id']}" for one in api.get("credit_notes").json()["data"]]
    with tempfile.TemporaryDirectory() as folder:
        for path in asked:
            xml = api.get(f"{path}/xml")
            assert xml.status_code == 200, (path, xml.content)
            assert xml_check_xsd(xml.content, flavor="factur-x", level="en16931"), path
            assert broken_rules(_rules(), Path(folder), xml.content) == [], path
    return True
