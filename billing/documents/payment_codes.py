"""The code that a banking app reads a transfer from: EPC069-12 ("GiroCode"), for euros to an IBAN."""

from __future__ import annotations

import io
from decimal import Decimal

from segno.helpers import make_epc_qr

from kernel.text import one_line

_LEAST, _MOST = Decimal("0.01"), Decimal("999999999.99")


def transfer_code(*, name: str, iban: str, bic: str, amount: Decimal, currency: str, text: str) -> str:
    """The code as SVG markup; empty where the standard has none for such a transfer."""
    if not name or not iban or currency != "EUR" or not _LEAST <= amount <= _MOST:
        return ""
    try:
        # The standard has a line for each field: a line break in a name would be the account that is paid to.
        code = make_epc_qr(
            name=one_line(name).strip()[:70],
            iban=one_line(iban),
            amount=amount,
            text=one_line(text).strip()[:140],
            bic=one_line(bic) or None,
        )
    except ValueError:
        return ""
    svg = io.BytesIO()
    code.save(svg, kind="svg", border=0, scale=4, xmldecl=False, nl=False)
    return svg.getvalue().decode()
