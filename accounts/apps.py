from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 - models exist only from here on

        from accounts.sealed_factors import seal_factors  # noqa: PLC0415
        from accounts.sessions import note_sign_in  # noqa: PLC0415

        seal_factors()
        user_logged_in.connect(note_sign_in, dispatch_uid="accounts.sessions")
        from accounts.services.sign_ins import connect  # noqa: PLC0415 - as above

        connect()
