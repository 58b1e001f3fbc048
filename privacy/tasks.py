from __future__ import annotations

from celery import shared_task

from billing.facade import destroy_old_documents
from kernel.clock import system_clock
from metering.facade import redact, unfinished_redactions
from privacy.services.merging import settle_merges


@shared_task(name="privacy.look")
def look() -> int:
    """Go on with redactions of long histories, settle merges, destroy the keys of documents whose retention is over."""
    now = system_clock()
    unfinished = unfinished_redactions()
    for redaction_id in unfinished:
        redact(redaction_id=redaction_id, now=now)
    settle_merges(now=now)
    destroy_old_documents(now=now)
    return len(unfinished)
