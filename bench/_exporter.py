"""One export in a process of its own, for `bench.exports`; its arguments: format, organization, month, kinds."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import django

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def main(format: str, organization: str, month: str, *kinds: str) -> None:
    """Prints, as JSON, how long the export took, the most memory there was in MiB, and its manifest."""
    from accounts.facade import get_organization  # noqa: PLC0415 - Django is set up only now
    from exports.models import Export  # noqa: PLC0415
    from exports.services.starting import start_export  # noqa: PLC0415
    from exports.services.working import work_export  # noqa: PLC0415
    from kernel.period import Month  # noqa: PLC0415

    vendor = get_organization(organization)
    export = start_export(organization=vendor, kinds=kinds, month=Month.parse(month), format=format, now=NOW)
    started, worked = time.perf_counter(), time.process_time()
    work_export(export_id=export.pk, now=NOW)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    export = Export.objects.get(pk=export.pk)
    assert export.status == "succeeded", (export.failure_code, export.failure_detail)
    # Not by `getrusage`, whose most includes that of the process which started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    found = {"export": export.pk, "seconds": seconds, "processor": processor, "peak": peak, **export.manifest}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    django.setup()
    main(*sys.argv[1:])
