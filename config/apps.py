from django.contrib.admin.apps import AdminConfig


class AdministrationConfig(AdminConfig):
    """`django.contrib.admin` with our own site. It has no models, and no other app of `config` is installed."""

    default = False
    default_site = "config.administration.Administration"
