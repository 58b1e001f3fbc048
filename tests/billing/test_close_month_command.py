"""`close_month` shows what it issued, says what it could not, and can always be run again."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.facade import Organization
from agents.facade import set_up_organization
from billing.facade import BillingRun, Customer, close_month, create_customer, create_plan, invoices_of, subscribe
from kernel.period import Month
from metering.facade import ingest

OCTOBER = Month(2025, 10)  # long over, by any clock: the command reads the machine's
NOW = datetime(2025, 11, 2, tzinfo=UTC)
START = datetime(2025, 10, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def vendor(name: str = "Vendor") -> Organization:
    organization = set_up_organization(name=name)
    price = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
    plan = create_plan(organization=organization, key="flat", name="Flat fee", currency="USD", prices=[price])
    for key in ("acme", "beta"):
        customer = create_customer(organization=organization, key=key, name=f"[red]{key}")
        # As names were before control characters were refused.
        Customer.objects.filter(pk=customer.pk).update(name=f"[red]{key}\x1b[2J")
        subscribe(customer=customer, plan=plan, starts_at=START)
    return organization


def close(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("close_month", "--month", "2025-10", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        error.output = out.getvalue(), err.getvalue()
        raise
    return out.getvalue(), err.getvalue()


def test_it_shows_the_invoices_it_issued() -> None:
    vendor()
    out, err = close()
    (row,) = [line for line in out.splitlines() if "INV-000001" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "INV-000001", "[red]acme\N{REPLACEMENT CHARACTER}[2J", "Flat fee", "1", "USD 49.00", "finalized",
    ]  # fmt: skip
    assert "2 new invoice(s), 0 problem(s)" in out
    assert err.splitlines() == ["2 of 2 subscriptions"]


def test_run_again_it_shows_the_same_and_issues_nothing() -> None:
    vendor()
    close()
    out, _ = close("--organization", "vendor")
    assert "INV-000002" in out
    assert "0 new invoice(s)" in out


def test_without_an_organization_it_closes_them_all() -> None:
    first, second = vendor("One"), vendor("Two")
    out, _ = close()
    assert out.index("One (one), 2025-10") < out.index("Two (two), 2025-10")
    assert [invoices_of(one.pk).count() for one in (first, second)] == [2, 2]


def test_a_problem_is_listed_and_fails_the_command() -> None:
    organization = vendor()
    customer = create_customer(organization=organization, key="odd")
    model = {"type": "per_unit", "unit_amount": "1"}
    price = {"key": "p", "kind": "usage", "meter": "input_tokens", "model": model}
    plan = create_plan(organization=organization, key="odd", currency="USD", prices=[price])
    subscribe(customer=customer, plan=plan, starts_at=START)
    # Nobody can price less than nothing.
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "inference.call", "subject": "odd"}
    ingest(
        organization_id=organization.pk,
        events=[event | {"time": "2025-10-05T00:00:00Z", "data": {"input_tokens": -5}}],
        received_at=NOW,
    )
    with pytest.raises(CommandError, match=r"1 problem\(s\)") as caught:
        close()
    out, err = caught.value.output
    assert "2 new invoice(s), 1 problem(s)" in out
    assert err.splitlines()[-1].startswith("odd: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--month", "2999-01"], "2999-01 is not over yet"),
        (["--month", "2025-1"], "--month"),
        (["--organization", "who"], "There is no organization 'who'"),
    ],
)
def test_what_cannot_be_closed_is_said(arguments: list[str], message: str) -> None:
    vendor()
    with pytest.raises(CommandError, match=message):
        call_command("close_month", *(["--month", "2025-10"] if "--month" not in arguments else []), *arguments)


def test_without_any_organization_it_says_so() -> None:
    with pytest.raises(CommandError, match="no organization yet"):
        close()


@pytest.mark.django_db(transaction=True)
def test_two_processes_close_a_month_together() -> None:
    organization = vendor()
    at_work, finish = threading.Event(), threading.Event()

    def wait(_run: BillingRun) -> None:
        at_work.set()
        finish.wait(30)

    def work() -> None:
        close_month(organization=organization, month=OCTOBER, now=NOW, on_progress=wait)
        connection.close()

    other = threading.Thread(target=work)
    other.start()
    try:
        assert at_work.wait(30)
        assert "2 new invoice(s), 0 problem(s)" in close()[0]
    finally:
        finish.set()
        other.join()
    assert invoices_of(organization.pk).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_is_said_clearly_and_the_next_run_goes_on() -> None:
    organization = vendor()
    with connection.cursor() as cursor:
        # The server ends this very session when the first invoice is written.
        cursor.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NEW; END';"
            "CREATE TRIGGER lose BEFORE INSERT ON billing_invoice EXECUTE FUNCTION lose()"
        )
    try:
        with pytest.raises(CommandError, match=r"The database went away: .*\n.*Run the same command again"):
            close()
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER lose ON billing_invoice; DROP FUNCTION lose()")
    assert invoices_of(organization.pk).count() == 0
    out, _ = close()
    assert "2 new invoice(s), 0 problem(s)" in out
    assert sorted(one.number for one in invoices_of(organization.pk)) == ["INV-000001", "INV-000002"]
