"""Rows of tables become usage events, each once, with their numbers digit by digit."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.facade import Organization
from agents.facade import set_up_organization
from agents.importers.occurrences import Occurrences
from agents.importers.report import FileUnreadable
from agents.importers.rows import ColumnMissing, import_events
from billing.facade import close_month, create_customer, create_plan, invoices_of, subscribe
from kernel.errors import InvalidError
from kernel.period import Month
from metering.facade import UsageEvent

TRACE = Path(__file__).parents[1] / "data" / "azure_llm_inference_conv.csv.gz"
NOW = datetime(2026, 11, 2, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return set_up_organization(name="Vendor")


def written(tmp_path: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def imported(organization: Organization, path: Path, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "organization": organization,
        "type": "api.call",
        "time": "at",
        "data": {"tokens": "n"},
        "customer": "acme",
    }
    return import_events(path, **(arguments | changes))


def stored(organization: Organization) -> list[UsageEvent]:
    return list(UsageEvent.objects.filter(organization=organization).order_by("time", "event_id"))


def raw_data(organization: Organization) -> list[str]:
    """The data of each event as the database keeps it, digit by digit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data::text FROM metering_usageevent WHERE organization_id = %s ORDER BY time", [organization.pk]
        )
        return [text for (text,) in cursor.fetchall()]


def trace(*arguments: str) -> str:
    out = io.StringIO()
    call_command(
        "import_events", str(TRACE), "--organization", "vendor", "--type", "inference.call", "--time", "TIMESTAMP",
        "--data", "input_tokens=ContextTokens,output_tokens=GeneratedTokens", "--customer", "azure", *arguments,
        stdout=out, stderr=io.StringIO(),
    )  # fmt: skip
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_azure_trace_comes_to_3_35_and_2_45(organization: Organization) -> None:
    customer = create_customer(organization=organization, key="azure")
    prices = [("input_tokens", "0.00000015"), ("output_tokens", "0.0000006")]  # 0.15 and 0.60 a million
    plan = create_plan(
        organization=organization,
        key="tokens",
        currency="USD",
        prices=[
            {"key": meter, "kind": "usage", "meter": meter, "model": {"type": "per_unit", "unit_amount": amount}}
            for meter, amount in prices
        ],
    )
    subscribe(customer=customer, plan=plan, starts_at=datetime(2023, 11, 1, tzinfo=UTC))
    assert trace().splitlines() == [
        "19,366 rows",
        "events: 19,366 accepted, 0 duplicates; rows rejected: 0",
    ]
    close_month(organization=organization, month=Month(2023, 11), now=NOW)
    (invoice,) = invoices_of(organization.pk)
    assert [(str(line.quantity), str(line.amount)) for line in invoice.lines.all()] == [
        ("22361870", "3.35"),
        ("4088665", "2.45"),
    ]
    assert trace().splitlines()[1] == "events: 0 accepted, 19,366 duplicates; rows rejected: 0"


def test_equal_rows_of_a_file_are_events_of_their_own(organization: Organization, tmp_path: Path) -> None:
    row = "2026-10-01T00:00:00Z,5\n"
    path = written(tmp_path, "at,n\n" + row * 3)
    assert (imported(organization, path).accepted, imported(organization, path).duplicates) == (3, 3)
    longer = written(tmp_path, "at,n\n" + row * 4 + "2026-10-01T00:00:01Z,5\n")
    report = imported(organization, longer)
    assert (report.accepted, report.duplicates) == (2, 3)


def test_equal_rows_are_counted_across_chunks(organization: Organization, tmp_path: Path) -> None:
    rows = [f"2026-10-01T00:00:{i % 50:02},{i % 100}" for i in range(6_000)]  # 100 different rows, 60 times each
    path = written(tmp_path, "at,n\n" + "\n".join(rows))
    assert (imported(organization, path).accepted, imported(organization, path).duplicates) == (6_000, 6_000)


def test_occurrences_are_numbered_in_order() -> None:
    count = Occurrences()
    assert count.number([b"a" * 8, b"b" * 8, b"a" * 8]) == [0, 0, 1]
    assert count.number([b"c" * 8]) == [0]
    assert count.number([b"a" * 8, b"c" * 8, b"a" * 8, b"d" * 8]) == [2, 1, 3, 0]
    assert count.number([]) == []


def test_another_type_or_customer_is_another_event(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, "at,n\n2026-10-01T00:00:00Z,5\n")
    for changes in ({}, {"type": "other.call"}, {"customer": "beta"}, {"source": "elsewhere"}):
        assert imported(organization, path, **changes).accepted == 1


def test_the_same_row_read_otherwise_is_refused(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, "at,n,m\n2026-10-01 00:00:00,5,6\n")
    imported(organization, path)
    for changes in ({"data": {"tokens": "m"}}, {"timezone": "Europe/Berlin"}):
        report = imported(organization, path, **changes)
        assert (report.accepted, report.rejected, report.problems[0].code) == (0, 1, "id_conflict")


def test_an_id_column_is_the_identity(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, "at,n,id\n2026-10-01T00:00:00Z,5,a\n2026-10-01T00:00:00Z,5,a\n2026-10-02T00:00:00Z,5,a\n")
    report = imported(organization, path, id_column="id")
    assert (report.accepted, report.duplicates) == (1, 1)
    assert [(problem.line, problem.code) for problem in report.problems] == [(4, "id_conflict")]
    assert stored(organization)[0].event_id == "a"


def test_numbers_stay_what_they_are(organization: Organization, tmp_path: Path) -> None:
    cells = ["0.10", "12345678901234567890123.5", "007", "1e5", "", "-3", "NaN", '"a ""b"""']
    rows = "".join(f"2026-10-01T00:00:0{i}Z,{cell}\n" for i, cell in enumerate(cells))
    imported(organization, written(tmp_path, "at,n\n" + rows))
    assert raw_data(organization) == [
        '{"tokens": 0.10}',
        '{"tokens": 12345678901234567890123.5}',
        '{"tokens": "007"}',
        '{"tokens": "1e5"}',
        "{}",
        '{"tokens": -3}',
        '{"tokens": "NaN"}',
        '{"tokens": "a \\"b\\""}',
    ]


def test_json_lines_keep_their_types_and_nesting(organization: Organization, tmp_path: Path) -> None:
    rows = [
        '{"at": "2026-10-01T00:00:00Z", "usage": {"input": 0.1000000000000000055}, "tag": "5"}',
        '{"at": "2026-10-01T00:00:01Z", "usage": {"input": 1e2}, "tag": [true, null]}',
        '{"at": "2026-10-01T00:00:02Z", "usage": {}, "tag": 1}',
    ]
    path = written(tmp_path, gzip.compress("\n".join(rows).encode()), "rows.jsonl.gz")
    report = imported(organization, path, data={"tokens": "usage.input", "tag": "tag"})
    assert raw_data(organization) == [
        '{"tag": "5", "tokens": 0.1000000000000000055}',
        '{"tag": [true, null], "tokens": 100}',
    ]
    assert [(problem.line, problem.code) for problem in report.problems] == [(3, "column_missing")]


def test_parquet_is_read_by_its_types(organization: Organization, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    berlin = timezone(timedelta(hours=2))
    table = pa.table(
        {
            "at": pa.array([datetime(2026, 10, 1, 2, tzinfo=berlin), None], pa.timestamp("ns", tz="UTC")),
            "n": pa.array([Decimal("0.120"), Decimal(1)], pa.decimal128(20, 3)),
            "count": pa.array([2**40, 1]),
            "share": pa.array([0.1, 0.2]),
        }
    )
    pq.write_table(table, path)
    names = ("n", "count", "share")
    report = imported(organization, path, data={name: name for name in names})
    assert raw_data(organization) == ['{"n": 0.120, "count": 1099511627776, "share": 0.1}']
    assert [(problem.line, problem.code) for problem in report.problems] == [(2, "time_missing")]
    assert stored(organization)[0].time == datetime(2026, 10, 1, tzinfo=UTC)
    assert imported(organization, path, data={name: name for name in names}).duplicates == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-11-16 18:15:46.6805900", datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)),
        ("2023-11-16T18:15:46.123456999Z", datetime(2023, 11, 16, 18, 15, 46, 123456, UTC)),
        ("2023-11-16T18:15:46+01:00", datetime(2023, 11, 16, 17, 15, 46, 0, UTC)),
        ("2023-11-16", datetime(2023, 11, 16, tzinfo=UTC)),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(
    organization: Organization, tmp_path: Path, text: str, instant: datetime
) -> None:
    imported(organization, written(tmp_path, f"at,n\n{text},1\n"))
    assert stored(organization)[0].time == instant


def test_times_without_a_zone_may_be_in_another(organization: Organization, tmp_path: Path) -> None:
    imported(organization, written(tmp_path, "at,n\n2026-10-01 00:00,1\n"), timezone="Europe/Berlin")
    assert stored(organization)[0].time == datetime(2026, 9, 30, 22, tzinfo=UTC)


def test_customers_may_stand_in_a_column(organization: Organization, tmp_path: Path) -> None:
    create_customer(organization=organization, key="acme")
    path = written(tmp_path, "at,n,who\n2026-10-01,1,acme\n2026-10-01,1,beta\n2026-10-01,1,\n")
    report = imported(organization, path, customer=None, customer_column="who")
    assert [event.subject for event in stored(organization)] in (["acme", "beta"], ["beta", "acme"])
    assert [(problem.line, problem.code) for problem in report.problems] == [(4, "customer_missing")]
    assert report.warnings == ["1 customer(s) are not known yet ('beta'): their events count once they are"]


def test_broken_lines_are_named_and_the_rest_goes_in(organization: Organization, tmp_path: Path) -> None:
    lines = [
        b"\xef\xbb\xbfat,n",
        b"2026-10-01T00:00:00Z,1",
        b"2026-10-01T00:00:00Z",
        b'"2026-10-01T00:00:00Z,2',
        b"yesterday,3",
        b"1700158546,3",
        b"",
        b"2026-10-01T00:00:00Z,\xff",
        b'2026-10-01T00:00:00Z,"a"b',
        b",4",
        b"9999-12-31T23:59:59-12:00,4",
        b'2026-10-01T00:00:01Z,"two',
        b'lines"',
        b"2026-10-01T00:00:02Z,5\r",
    ]
    report = imported(organization, written(tmp_path, b"\n".join(lines)))
    assert [event.data["tokens"] for event in stored(organization)] == [1, "two\nlines", 5]
    assert [problem.line for problem in report.problems] == [3, 4, 5, 6, 8, 9, 10, 11]
    assert (report.accepted, report.rejected) == (3, 8)


def test_what_a_meter_cannot_count_is_refused_by_line(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, "at,n\n2026-10-01,1\n2026-10-01,many\n")
    report = imported(organization, path, type="inference.call", data={"input_tokens": "n"})
    assert [(problem.line, problem.code) for problem in report.problems] == [(3, "value_not_a_number")]
    assert report.accepted == 1


def test_strict_takes_all_or_nothing(organization: Organization, tmp_path: Path) -> None:
    good = "".join(f"2026-10-01,{i}\n" for i in range(6_000))
    report = imported(organization, written(tmp_path, f"at,n\n{good}never,1\n"), strict=True)
    assert (report.accepted, report.rejected, report.problems[0].line) == (0, 1, 6_002)
    # Only the log itself can tell that a meter cannot count this.
    arguments = {"type": "inference.call", "data": {"input_tokens": "n"}, "strict": True}
    report = imported(organization, written(tmp_path, f"at,n\n{good}2026-10-01,many\n"), **arguments)
    assert (report.accepted, report.rejected, report.problems[0].line) == (0, 1, 6_002)
    assert stored(organization) == []
    assert imported(organization, written(tmp_path, f"at,n\n{good}"), strict=True).accepted == 6_000


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("rows.csv", "when,n\n", ColumnMissing),
        ("rows.csv", "", FileUnreadable),
        ("rows.csv", "at,at\n", FileUnreadable),
        ("rows.txt", "at,n\n", FileUnreadable),
        ("rows.parquet", "PAR1", FileUnreadable),
        ("rows.csv.gz", "at,n\n", FileUnreadable),
    ],
)
def test_unreadable_files_are_said_so(
    organization: Organization, tmp_path: Path, name: str, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        imported(organization, written(tmp_path, text, name))


@pytest.mark.parametrize(
    "changes",
    [{"customer": None}, {"customer_column": "n"}, {"timezone": "Mars/Base"}, {"type": ""}, {"source": "x" * 1025}],
)
def test_unusable_arguments_are_refused(organization: Organization, tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        imported(organization, written(tmp_path, "at,n\n2026-10-01,1\n"), **changes)


def test_the_command_shows_problems_and_fails(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, "at,tokens\n2026-10-01,1\nnever,2\n" + "never,3\n" * 60)
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match=r"61 line\(s\) were not taken"):
        call_command(
            "import_events", str(path), "--organization", "vendor", "--type", "api.call", "--time", "at",
            "--data", "tokens", "--customer", "acme", stdout=out, stderr=err,
        )  # fmt: skip
    assert out.getvalue().splitlines() == ["62 rows", "events: 1 accepted, 0 duplicates; rows rejected: 61"]
    assert "line 3: 'never' is not a time" in err.getvalue()
    assert "… and 11 more like these" in err.getvalue()
    assert json.loads(raw_data(organization)[0]) == {"tokens": 1}
