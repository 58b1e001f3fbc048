"""To the organization's own people."""

from __future__ import annotations

from notifications.letters.letter import Letter, Writing


def budget_reached(by: Writing) -> Letter:
    """`name`, `percent`, and where known `used` and `amount` in `currency` or `unit`, `period_start`, `period_end`,
    `is_stopped`, `path`."""
    name, percent = by.need("name"), by.number(by.need("percent"))
    facts = [(words, _amount(by, by.find(key))) for words, key in (("So far", "used"), ("Budget", "amount"))]
    facts = [(words, value) for words, value in facts if value]
    if start := by.find("period_start"):
        facts.append(("Since", by.moment(start)))
    if end := by.find("period_end"):
        facts.append(("Until", by.moment(end)))
    said = [f"The budget {name} of {by.organization} has reached {percent} %."]
    if by.find("is_stopped"):
        said.append("What counts against it is stopped until the period ends or the budget is raised.")
    return Letter(
        subject=f"Budget {name} has reached {percent} %",
        heading=f"{percent} % of a budget",
        paragraphs=tuple(said),
        facts=tuple(facts),
        button=("See the budgets", by.link(by.find("path") or "/budgets")),
    )


def export_ready(by: Writing) -> Letter:
    """`kinds`, `format`, `month`, `files` (each with `name`), and `place` where it was delivered."""
    kinds = ", ".join(str(one) for one in by.need("kinds"))
    files = by.find("files") or []
    names = [str(one.get("name", "")) for one in files if isinstance(one, dict)]
    month, place = by.find("month"), by.find("place")
    facts = [("Contents", kinds), ("Format", str(by.need("format")))]
    facts += [("Month", str(month))] if month else []
    facts += [("Files", ", ".join(names[:10]) + (" and more" if len(names) > 10 else ""))] if names else []
    where = f"Its files were delivered to {place}." if place else "Its files can be downloaded."
    return Letter(
        subject=f"Export ready: {kinds}" + (f" of {month}" if month else ""),
        heading="An export is ready",
        paragraphs=(f"The export of {kinds} for {by.organization} is done. {where}",),
        facts=tuple(facts),
        button=("See the export", by.link(by.find("path") or "/exports")),
    )


def webhook_disabled(by: Writing) -> Letter:
    """`url`, `reason` (`gone` or `failing`), `failing_since`, `path`."""
    since = by.find("failing_since")
    if by.need("reason") == "gone":
        why = "It answered 410 Gone, which asks that nothing more be sent."
    else:
        why = f"Nothing has arrived there since {by.moment(since)}." if since else "Nothing has arrived there for days."
    return Letter(
        subject="A webhook endpoint was disabled",
        heading="A webhook endpoint was disabled",
        paragraphs=(
            f"Taximeter no longer sends the events of {by.organization} to this endpoint. {why}",
            "Once it is well again, enable it and have the failed deliveries sent again.",
        ),
        facts=(("Endpoint", str(by.need("url"))),),
        button=("See the endpoint", by.link(by.need("path"))),
    )


def _amount(by: Writing, value: object) -> str:
    if value is None:
        return ""
    if currency := by.find("currency"):
        return by.money(value, currency)
    return f"{by.number(value)} {by.find('unit') or ''}".strip()
