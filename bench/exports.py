"""How long a month's exports take in each format, how much memory they need, and whether they tie to the ledger.

    python -m bench exports [INVOICES] [LINES_EACH]

First the lines of a month of INVOICES times LINES_EACH: its invoices are closed with one line, which is then split in
the database into many of the same sum, so that the ledger still says what they come to. Then a month of INVOICES,
closed as ever (a fee, seats, usage of two agents, 19 % tax): its invoices and lines in one export, what they booked in
the ledger, and FOCUS. Each export is a process of its own, whose most memory is that of a worker doing this alone. The
files are opened again, and must come to what the ledger has. On a busy machine look at the time of the processor.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from bench.setting import database

NOW = datetime(2026, 11, 2, tzinfo=UTC)
START = datetime(2026, 9, 1, tzinfo=UTC)
FORMATS = ("csv", "xlsx", "parquet", "json")
MONTH, BOOKED_IN = "2026-10", "2026-11"
_EVENTS_EACH = 4

#: The column of a table, without tax where that is a column of its own, and its sheet.
TIED = {
    "invoices": "total",
    "invoice-lines": "amount",
    "ledger": "debit",
    "focus-cost-and-usage": "BilledCost",
    "focus-invoice-detail": "BilledCost",
}
TITLES = {
    "invoices": "Invoices",
    "invoice-lines": "Lines",
    "ledger": "Ledger",
    "focus-cost-and-usage": "Cost and Usage",
    "focus-invoice-detail": "Invoice Detail",
}

#: Rows of a workbook that pandas reads within seconds.
FEW = 50_000


def main(invoices: int = 10_000, lines_each: int = 100) -> None:
    with tempfile.TemporaryDirectory() as directory, database():
        os.environ["TAXIMETER_EXPORT_DIR"] = directory
        _close_a_month("lines", invoices, fee=Decimal(lines_each))
        _split_lines("lines", lines_each)
        _measure_each(f"{invoices * lines_each:,} lines", ("lines", MONTH, "lines"), directory)
        _close_a_month("month", invoices)
        _measure_each(f"{invoices:,} invoices and their lines", ("month", MONTH, "invoices", "lines"), directory)
        _measure_each("what they booked in the ledger", ("month", BOOKED_IN, "ledger"), directory)
        _measure_each("the same month as FOCUS", ("month", MONTH, "focus"), directory)


def _measure_each(title: str, what: tuple[str, ...], directory: str) -> None:
    print(
        f"{title}\n{'':10} {'rows':>10} {'seconds':>8} {'rows/s':>8} {'of processor':>13} {'MiB most':>9} {'MB':>7}",
        flush=True,
    )
    for format in FORMATS:
        _measure(format, what, Path(directory))


def _measure(format: str, what: tuple[str, ...], directory: Path) -> None:
    """Export, print how that went, and read the files again."""
    found = _exported(format, what)
    rows = sum(table["rows"] for table in found["tables"])
    size = sum(file["bytes"] for file in found["files"]) / 1e6
    seconds, busy = found["seconds"], found["processor"]
    line = f"{format:10} {rows:10,} {seconds:8.1f} {rows / seconds:8,.0f} {busy:12.1f}s {found['peak']:9} {size:7.1f}"
    print(line, flush=True)
    _reconcile(found, next(directory.glob(f"*/{found['export']}")))


def _exported(format: str, what: tuple[str, ...]) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench._exporter", format, *what]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _reconcile(export: dict[str, Any], directory: Path) -> None:
    """What is read back from the files comes to what they were checked against the ledger for, in dollars."""
    for table in export["tables"]:
        name = TIED.get(table["table"])
        if name is None:
            continue
        found = sum((Decimal(value) for value in _values(directory, table, export["format"], name)), Decimal(0))
        written = Decimal(table["totals"]["USD"][name])
        # An amount of a workbook is a float to whoever reads it, and all of them together a little off.
        assert abs(found - written) < Decimal("0.005"), (table["table"], name, found, written)


def _values(directory: Path, table: dict[str, Any], format: str, column: str) -> Iterator[str]:
    """The amounts in a column of a table, as text."""
    import pandas as pd  # noqa: PLC0415 - for opening files; an export is another process

    if format == "xlsx":
        yield from _cells(next(directory.glob("*.xlsx")), table, column)
        return
    path = next(directory.glob(f"{table['table']}-*.{format}"))
    if format == "json":
        with path.open("rb") as lines:
            yield from (json.loads(line.rstrip(b",\n"))[column] for line in lines if line[:1] == b"{")
    elif format == "parquet":
        yield from pd.read_parquet(path, columns=[column])[column].astype(str)
    else:
        yield from pd.read_csv(path, dtype=str, usecols=[column])[column]


def _cells(path: Path, table: dict[str, Any], column: str) -> Iterator[str]:
    """By pandas, and by the XML of the first sheet where pandas would take minutes."""
    import pandas as pd  # noqa: PLC0415

    if table["rows"] <= FEW:
        yield from pd.read_excel(path, sheet_name=TITLES[table["table"]], dtype=str, usecols=[column])[column]
        return
    with ZipFile(path) as archive, archive.open("xl/worksheets/sheet1.xml") as sheet:
        header = re.findall(rb'<c r="([A-Z]+)1"[^>]*><is><t>([^<]*)<', sheet.read(1 << 16))
    letter = next(letter for letter, name in header if name.decode() == column)
    amount = re.compile(rb'<c r="%s[0-9]+"[^>]*><v>([^<]*)<' % letter)
    with ZipFile(path) as archive, archive.open("xl/worksheets/sheet1.xml") as sheet:
        left = b""
        while some := sheet.read(1 << 22):
            whole, end, left = (left + some).rpartition(b"</row>")
            yield from (value.decode() for value in amount.findall(whole + end))


def _close_a_month(name: str, invoices: int, fee: Decimal | None = None) -> None:
    """`invoices` subscriptions with an October that is closed; with a `fee`, of a line of so much and no other."""
    from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now
    from billing.facade import close_month, create_plan  # noqa: PLC0415
    from billing.models import Customer, Subscription  # noqa: PLC0415
    from kernel.period import Month  # noqa: PLC0415

    organization = create_organization(name=name)
    if fee is None:
        _use(organization.pk, invoices)
    amount = format(fee or Decimal(49), "f")
    prices: list[dict[str, Any]] = [{"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": amount}}]
    if fee is None:
        prices += [
            {"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "12.50"}},
            {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.035"}},
        ]
    version = create_plan(organization=organization, key="plan", currency="USD", prices=prices).versions.get()
    tax = Decimal("0.19") if fee is None else Decimal(0)
    customers = Customer.objects.bulk_create(
        [
            Customer(organization=organization, key=f"c{i}", name=f"Customer {i}", tax_rate=tax, currency="USD")
            for i in range(invoices)
        ]
    )
    seats = 0 if fee is not None else 3
    Subscription.objects.bulk_create(
        [
            Subscription(organization=organization, customer=one, plan_version=version, starts_at=START, seats=seats)
            for one in customers
        ]
    )
    close_month(organization=organization, month=Month(2026, 10), now=NOW)


def _use(organization: int, customers: int) -> None:
    from metering.facade import advance_projections, create_meter, ingest_body  # noqa: PLC0415

    definition = {"event_type": "agent.turn", "aggregation": "count", "dimensions": {"agent": "data.agent"}}
    create_meter(organization_id=organization, key="turns", name="Turns", definition=definition)
    total = customers * _EVENTS_EACH
    for start in range(0, total, 5_000):
        events = [
            {
                "specversion": "1.0", "id": str(i), "source": "bench", "type": "agent.turn",
                "subject": f"c{i % customers}", "time": f"2026-10-{i // customers % 31 + 1:02d}T10:00:00Z",
                "data": {"agent": ("support", "sales")[i // customers % 2]},
            }
            for i in range(start, min(start + 5_000, total))
        ]  # fmt: skip
        ingest_body(organization_id=organization, body=json.dumps(events).encode(), received_at=NOW)
    advance_projections()


def _split_lines(name: str, lines_each: int) -> None:
    """Put `lines_each` lines of 1.00 in the place of each invoice's one. The triggers that forbid this are asleep."""
    from django.db import connection, transaction  # noqa: PLC0415

    columns = (
        "invoice_id, price_id, role, kind, description, quantity, unit_amount, discount, tax_rate, tax,"
        " period_start, period_end, breakdown, steps, events"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            f"INSERT INTO billing_invoiceline (id, position, amount, {columns})"
            f" SELECT 'inl_' || lpad((row_number() OVER (ORDER BY line.id, n))::text, 26, '0'), n, 1, {columns}"
            " FROM billing_invoiceline line CROSS JOIN generate_series(1, %s) AS n WHERE invoice_id IN ("
            " SELECT i.id FROM billing_invoice i JOIN accounts_organization o ON o.id = i.organization_id"
            " WHERE o.name = %s)",
            [lines_each, name],
        )
        cursor.execute("DELETE FROM billing_invoiceline WHERE position = 0 AND amount = %s", [lines_each])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE billing_invoiceline")


if __name__ == "__main__":
    main()
