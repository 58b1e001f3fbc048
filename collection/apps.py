from django.apps import AppConfig


class CollectionConfig(AppConfig):
    name = "collection"

    def ready(self) -> None:
        from billing.facade import watch_invoices  # noqa: PLC0415 - models exist only from here on
        from collection.services.watching import Watcher  # noqa: PLC0415

        watch_invoices(Watcher())
