"""An invoice's PDF within its page: nothing refuses the browser's own viewer."""

from __future__ import annotations

from tests.browser.conftest import BrowserAs
from tests.browser.site import Site


def test_the_pdf_is_shown_within_the_page_and_downloaded(site: Site, browser_as: BrowserAs) -> None:
    invoice = site.vendor.invoice_of("birch")
    page = browser_as(site.vendor.user)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"/invoices/{invoice.pk}")
    with page.expect_response(lambda response: response.url.endswith("/pdf")) as shown:
        page.get_by_role("link", name="PDF", exact=True).click()
    assert shown.value.status == 200
    assert shown.value.headers["content-type"] == "application/pdf"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"{invoice.number}.pdf"
    assert not [text for text in said if "Refused" in text or "violates" in text], said
