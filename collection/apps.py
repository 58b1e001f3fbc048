from django.apps import AppConfig


class CollectionConfig(AppConfig):
    name = "collection"

    def ready(self) -> None:
        from billing.facade import offer_payment_links, watch_invoices  # noqa: PLC0415 - models exist from here on
        from collection.services.links import payment_link  # noqa: PLC0415
        from collection.services.watching import Watcher  # noqa: PLC0415

        watch_invoices(Watcher())
        offer_payment_links(payment_link)
