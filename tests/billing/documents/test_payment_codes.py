"""The code that a banking app reads a transfer from."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.documents.payment_codes import transfer_code

IBAN = "DE89370400440532013000"


def code(**changes: str) -> str:
    fields = {"name": "Northwind Ltd", "iban": IBAN, "bic": "", "currency": "EUR", "text": "INV-1"} | changes
    return transfer_code(amount=Decimal("10.00"), **fields)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\u2028"])
def test_a_line_break_in_a_name_names_no_other_account(line_break: str) -> None:
    """The standard has a line for each field, the account on the line after the name."""
    assert code(name=f"Northwind{line_break}GB33BUKB20201555555555") == code(name="Northwind GB33BUKB20201555555555")
    assert code(text=f"INV-1{line_break}more") == code(text="INV-1 more")
    assert code()
