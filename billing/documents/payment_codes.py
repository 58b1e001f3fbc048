"""The code that a banking app reads a transfer from: EPC069-12 ("GiroCode"), for euros to an IBAN."""

from __future__ import annotations

import io
from decimal import Decimal

from segno.helpers import make_epc_qr

_LEAST, _MOST = Decimal("0.01"), Decimal("999999999.99")


def transfer_code(*, name: str, iban: str, bic: str, amount: Decimal, currency: str, text: str) -> str:
    """The code as SVG markup; empty where the standard has none for such a transfer."""
    if not name or not iban or currency != "EUR" or not _LEAST <= amount <= _MOST:
        return ""
    try:
        code = make_epc_qr(name=name[:70], iban=iban, amount=amount, text=text[:140], bic=bic or None)
    except ValueError:
        return ""
    svg = io.BytesIO()
    code.save(svg, kind="svg", border=0, scale=4, xmldecl=False, nl=False)
    return svg.getvalue().decode()
