"""How long an invoice takes as PDF and as Factur-X, and whether memory stays where it is over many.

Everything between the rows of an invoice and the bytes of its file; reading the rows from the database is left out.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

LINES = (1, 100)
ROUNDS = 30
WARM = 200


def main(documents: int = 2000) -> None:
    """Medians by number of lines, then `documents` different ones in a row with the memory that the process has."""
    # Nothing is read from a database, and none is there.
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TAXIMETER_ENV": "test",
        "DATABASE_URL": "postgresql://nobody@localhost/nothing",
        "REDIS_URL": "redis://localhost/0",
    }
    import django  # noqa: PLC0415 - needs the environment above

    django.setup()
    from billing.documents.making import file_of  # noqa: PLC0415

    started = time.perf_counter()
    file_of(invoice(1, 0), with_xml=True)
    print(f"the first one, with fonts and schema to load: {(time.perf_counter() - started) * 1000:.0f} ms")
    for lines in LINES:
        for name, with_xml in (("PDF", False), ("Factur-X", True)):
            made = [invoice(lines, number) for number in range(ROUNDS)]
            taken = [_seconds(partial(file_of, one, with_xml=with_xml)) for one in made]
            size = len(file_of(invoice(lines, 0), with_xml=with_xml)) / 1024
            print(f"{name}, {lines} lines: median {statistics.median(taken) * 1000:.1f} ms, {size:.0f} KiB")
    _memory(file_of, documents)


def _memory(file_of: Any, documents: int) -> None:
    for number in range(WARM):
        file_of(invoice(10, number), with_xml=True)
    before, started = _resident_mib(), time.perf_counter()
    for number in range(WARM, WARM + documents):
        file_of(invoice(10, number), with_xml=True)
        if (number - WARM + 1) % max(documents // 4, 1) == 0:
            print(
                f"after {number - WARM + 1:,} Factur-X of 10 lines: {_resident_mib():.0f} MiB (at first {before:.0f})"
            )
    print(f"{documents / (time.perf_counter() - started):.0f} a second")


def invoice(lines: int, number: int) -> Any:
    """An invoice like no other one: its own number, customer and amounts, each third line with a breakdown."""
    from billing.documents.issued import IssuedDocument  # noqa: PLC0415
    from billing.documents.languages import LANGUAGES, language_of  # noqa: PLC0415
    from billing.documents.parties import Party, seller_of  # noqa: PLC0415
    from billing.models import SellerProfile  # noqa: PLC0415

    profile = SellerProfile(
        legal_name="Nordlicht Agenten GmbH",
        line1="Torstraße 1",
        postal_code="10119",
        city="Berlin",
        country="DE",
        vat_id="DE123456789",
        registration="HRB 12345 B",
        iban="DE89370400440532013000",
        bic="COBADEFFXXX",
        payment_url="https://pay.example/{number}",
    )
    october = (date(2026, 10, 1), date(2026, 10, 31))
    return IssuedDocument(
        number=f"INV-{number:06d}",
        status="finalized",
        issued_on=date(2026, 11, 1),
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        period=october,
        currency="EUR",
        tax_treatment="standard",
        language=language_of(LANGUAGES[number % len(LANGUAGES)]),
        profile=profile,
        seller=seller_of(profile),
        buyer=Party(f"Customer {number} AG", line1="Ring 1", city="Wien", country="AT", vat_id="ATU12345678"),
        customer_key=f"customer-{number}",
        due_on=date(2026, 12, 1),
        lines=[_line(position, number, october) for position in range(lines)],
    )


def _line(position: int, number: int, period: tuple[date, date]) -> Any:
    from billing.documents.issued import IssuedLine  # noqa: PLC0415

    amount = Decimal(position + number % 977) + Decimal("0.25")
    parts = [["0 - 1,000", "1,000", "€0.01", "€10.00"], ["1,000 - 1,229", "229", "€0.005", "€1.15"]]
    return IssuedLine(
        position,
        f"Line {position} of {number}",
        period,
        amount,
        (amount * Decimal("0.19")).quantize(Decimal("0.01")),
        Decimal("0.19"),
        quantity_text=f"{position + number} turns",
        parts=parts if position % 3 == 0 else [],
    )


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
