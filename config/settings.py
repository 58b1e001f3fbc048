"""Django settings. Everything that differs between machines comes from the environment.

`docs/configuration.md` lists the variables. Outside development, a setting that would be
unsafe stops the process instead of being used.
"""

from __future__ import annotations

import dj_database_url
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from taximeter.version import __version__

from config import environment as env
from config.administration_look import LOOK
from config.engine import engine_options
from config.notifying import mail_options, webhook_networks, webhook_retries
from config.reaching import public_url, trusted_proxies
from kernel.files import private_directory
from launcher.paths import HOME
from notifications.domain.retries import WEBHOOK_SECONDS

BASE_DIR = env.ROOT
DEVELOPMENT = env.in_development()
DEBUG = env.boolean("TAXIMETER_DEBUG", default=False)

SECRET_KEY = env.text("SECRET_KEY")
#: Earlier ones: what they signed or encrypted is still read. `manage.py rotate_secrets` leaves nothing that needs them.
SECRET_KEY_FALLBACKS = env.listing("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.listing("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver" if DEVELOPMENT else "")
CSRF_TRUSTED_ORIGINS = env.listing("CSRF_TRUSTED_ORIGINS")

DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")


def _refuse_unsafe() -> None:
    if not DATABASE_URL:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set. `make run` starts an embedded PostgreSQL and sets it; "
            "elsewhere give postgresql://user:password@host/database"
        )
    if not DATABASE_URL.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// address: PostgreSQL is the only database")
    if not REDIS_URL:
        raise ImproperlyConfigured("REDIS_URL is not set, for instance redis://host:6379/0")
    if DEVELOPMENT:
        return
    if DEBUG:
        raise ImproperlyConfigured("TAXIMETER_DEBUG shows secrets to visitors and is refused in production")
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5:
        raise ImproperlyConfigured("SECRET_KEY must be a random string of at least 50 characters in production")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts this server answers for; * is refused")


_refuse_unsafe()
SECRET_KEY = SECRET_KEY or "development-only-" + "x" * 40

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "config.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "rest",
    "accounts",
    "notifications",
    "metering",
    "billing",
    "collection",
    "budgets",
    "agents",
    "inference",
    "exports",
    "privacy",
    "console",
]

UNFOLD = LOOK

MIDDLEWARE = [
    "rest.addresses.TrustedProxies",
    "config.headers.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.middleware.SessionUse",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "accounts.middleware.Actor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "console.middleware.ReaderLanguage",
]

ROOT_URLCONF = "config.urls"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "rest.links.public_url",
            ]
        },
    }
]

DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=600, conn_health_checks=True)}
DATABASES["default"].setdefault("OPTIONS", {})["application_name"] = "taximeter"
# Lets `rest.statements` prepare; what Django itself sends never is. Through PgBouncer this needs its version 1.21.
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = 5
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [
    # Length counts most, and no mixture of characters is asked for (NIST SP 800-63B, 3.1.1.2).
    {"NAME": "accounts.password_rules.LengthValidator", "OPTIONS": {"shortest": 12, "longest": 512}},
    {"NAME": "accounts.password_rules.AddressValidator"},
    {"NAME": "accounts.password_rules.RepetitionValidator"},
]
#: Sessions of the console end after so long without use, and so long after sign-in at the latest.
SESSION_ENGINE = "accounts.sessions"
SESSION_IDLE_SECONDS = env.integer("TAXIMETER_SESSION_IDLE_SECONDS", 12 * 3600, low=60, high=31536000)
SESSION_COOKIE_AGE = env.integer("TAXIMETER_SESSION_SECONDS", 14 * 24 * 3600, low=300, high=31536000)
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
#: How long a link that sets a new password works.
PASSWORD_RESET_TIMEOUT = 3600
OTP_TOTP_ISSUER = "Taximeter"
#: Whether the Django admin, which knows no organizations' borders, needs a second factor of everybody.
ADMIN_REQUIRES_TWO_FACTOR = env.boolean("TAXIMETER_ADMIN_TWO_FACTOR", default=not DEVELOPMENT)
LOGIN_URL = "console:sign_in"
LOGIN_REDIRECT_URL = "console:overview"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.VAR / "static" if DEVELOPMENT else HOME / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Development serves assets straight from their sources, so that `make run` needs no collectstatic.
WHITENOISE_USE_FINDERS = DEVELOPMENT
if DEVELOPMENT:
    private_directory(STATIC_ROOT)  # whitenoise warns in every process where it is missing

#: How many proxies stand before the web server, where they are counted rather than known by their addresses; and the
#: networks of those whose X-Forwarded-For and X-Forwarded-Proto are believed.
PROXIES = env.integer("TAXIMETER_PROXIES", 0, low=0, high=10)
TRUSTED_PROXIES, NO_PROXIES = trusted_proxies()

#: How many requests a minute each API key may send; 0: as many as there is room for.
REQUESTS_PER_MINUTE = env.integer("TAXIMETER_REQUESTS_PER_MINUTE", 0, low=0, high=10_000_000)

DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024  # the doors set their own, tighter limits

#: `rest.addresses.TrustedProxies` removes it where no trusted proxy wrote it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if not DEVELOPMENT:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31536000, low=0, high=63072000)
    SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest.permissions.HasPermission", "rest.strictness.KnowsItsInput"],
    "DEFAULT_RENDERER_CLASSES": ["rest.renderers.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest.parsers.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "rest.schema.Schema",
    "EXCEPTION_HANDLER": "config.api_errors.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Taximeter API",
    "DESCRIPTION": "Metering and billing for AI agents.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "rest.schema.let_shapes_overlap"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_keepalive": True}
# A broker that is away must not hold up a request: what was not enqueued is found by what is due.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What is due is found in PostgreSQL; the schedule only says when to look.
CELERY_BEAT_SCHEDULE = {
    "advance projections": {"task": "metering.advance_projections", "schedule": 1.0, "options": {"expires": 2.0}},
    "advance task summaries": {
        "task": "agents.advance_task_summaries",
        "schedule": 1.0,
        "options": {"expires": 2.0},
    },
    "work agents' tasks": {"task": "agents.work_tasks", "schedule": 2.0, "options": {"expires": 2.0}},
    "recognize revenue": {"task": "billing.recognize_revenue", "schedule": crontab(hour=2, minute=40)},
    "prune idempotency keys": {"task": "rest.prune_idempotency_keys", "schedule": crontab(hour=1, minute=30)},
    "prune throttles": {"task": "accounts.prune_throttles", "schedule": crontab(hour=1, minute=35)},
    "resume void runs": {"task": "metering.resume_void_runs", "schedule": 5.0, "options": {"expires": 5.0}},
    "keep the log": {"task": "metering.keep_log", "schedule": crontab(hour=1, minute=20)},
    "check invariants": {"task": "billing.check_invariants", "schedule": crontab(hour=3, minute=20)},
    "finalize drafts": {"task": "billing.finalize_drafts", "schedule": 60.0, "options": {"expires": 60.0}},
    "issue what is due": {"task": "billing.issue_due", "schedule": 300.0, "options": {"expires": 300.0}},
    "find late usage": {"task": "billing.find_late_usage", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "invoice thresholds": {"task": "billing.invoice_thresholds", "schedule": 30.0, "options": {"expires": 30.0}},
    "refresh open revenue": {"task": "billing.refresh_open_revenue", "schedule": 60.0, "options": {"expires": 60.0}},
    "expire credits": {"task": "billing.expire_credits", "schedule": 60.0, "options": {"expires": 60.0}},
    "take steps of collecting": {"task": "collection.take_steps", "schedule": 30.0, "options": {"expires": 30.0}},
    "make providers' calls": {"task": "collection.make_calls", "schedule": 2.0, "options": {"expires": 2.0}},
    "handle providers' events": {"task": "collection.handle_events", "schedule": 2.0, "options": {"expires": 2.0}},
    "collect open invoices": {"task": "collection.collect", "schedule": 600.0, "options": {"expires": 600.0}},
    "push usage to providers": {"task": "collection.push_usage", "schedule": 300.0, "options": {"expires": 300.0}},
    "reconcile with providers": {"task": "collection.reconcile", "schedule": crontab(hour=4, minute=10)},
    "send webhooks": {"task": "notifications.send_webhooks", "schedule": 1.0, "options": {"expires": 1.0}},
    "send mail": {"task": "notifications.send_mail", "schedule": 2.0, "options": {"expires": 2.0}},
    "prune sessions": {"task": "accounts.delete_expired_sessions", "schedule": crontab(hour=1, minute=40)},
    "prune notifications": {"task": "notifications.prune", "schedule": crontab(hour=1, minute=50)},
    "record kept calls": {"task": "inference.record_kept_calls", "schedule": 5.0, "options": {"expires": 5.0}},
    "evaluate budgets": {"task": "budgets.evaluate", "schedule": 1.0, "options": {"expires": 2.0}},
    "forget reservations": {"task": "budgets.forget_reservations", "schedule": crontab(hour=2, minute=10)},
    "keep privacy": {"task": "privacy.look", "schedule": 60.0, "options": {"expires": 60.0}},
    "look for exports": {"task": "exports.look", "schedule": 5.0, "options": {"expires": 5.0}},
    "leave a heartbeat": {"task": "console.leave_heartbeat", "schedule": 5.0, "options": {"expires": 5.0}},
    "resume billing runs": {"task": "billing.resume_billing_runs", "schedule": 5.0, "options": {"expires": 5.0}},
}
# Without a file of when it last fired: a killed beat could leave it broken, and nothing depends on it.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

#: The unix socket and secret of the engine process, and the model file it loads.
ENGINE_SOCKET = env.text("TAXIMETER_ENGINE_SOCKET", str(env.VAR / "run" / "engine.sock"))
ENGINE_SECRET = env.text("TAXIMETER_ENGINE_SECRET")
ENGINE_MODEL_PATH = env.text("TAXIMETER_MODEL")
#: What one compute second costs the vendor, in US dollars: the cost side of a margin.
COMPUTE_SECOND_COST = env.text("TAXIMETER_COMPUTE_SECOND_COST", "0.000012")
#: The engine process: its queue, its memory, how it works on requests, on which hardware.
ENGINE_OPTIONS = engine_options()
#: Models that the API may add lie here; where publishers' keys are set, only what one of them signed is loaded.
MODEL_DIR = env.text("TAXIMETER_MODEL_DIR", str(env.VAR / "models"))
MODEL_PUBLISHER_KEYS = ENGINE_OPTIONS["publisher_keys"]
#: The organization whose admins look after the engine and its models, where there are several.
OPERATOR_ORGANIZATION = env.text("TAXIMETER_OPERATOR_ORGANIZATION")

#: Modules whose functions agents of the catalogue may use as tools and checks, and how many tasks are worked at once.
AGENT_MODULES = env.listing("TAXIMETER_AGENT_MODULES")
AGENT_TASKS_AT_ONCE = env.integer("TAXIMETER_AGENT_TASKS_AT_ONCE", 1, low=0, high=1000)

#: Another address of Stripe's API, for tests; how long one of its answers may take; what providers' secrets are
#: encrypted with (without it, with SECRET_KEY).
STRIPE_API_BASE = env.text("TAXIMETER_STRIPE_API_BASE")
STRIPE_TIMEOUT_SECONDS = env.integer("TAXIMETER_STRIPE_TIMEOUT_SECONDS", 40, low=1, high=300)
PROVIDER_SECRETS_KEY = env.text("TAXIMETER_PROVIDER_SECRETS_KEY")
PROVIDER_SECRETS_KEY_FALLBACKS = env.listing("TAXIMETER_PROVIDER_SECRETS_KEY_FALLBACKS")

#: Where exports lie for download, the same directory for web servers and workers; and where scheduled ones are
#: delivered: another directory or s3://bucket/prefix?region=…, nowhere if empty.
EXPORT_DIR = env.text("TAXIMETER_EXPORT_DIR", str(env.VAR / "exports"))
EXPORT_TARGET = env.text("TAXIMETER_EXPORT_TARGET")

#: Where people reach this server: links in mail lead there.
_HERE = f"http://127.0.0.1:{env.text('TAXIMETER_PORT', '8000')}" if DEVELOPMENT else f"https://{ALLOWED_HOSTS[0]}"
PUBLIC_URL = public_url(_HERE)

#: How mail leaves, and the address it comes from.
globals().update(mail_options())
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "taximeter@localhost")

#: Where webhooks may go, how often they are tried, and how many are under way at once in each of so many senders.
WEBHOOK_HTTP = env.boolean("TAXIMETER_WEBHOOK_HTTP", default=DEVELOPMENT)
WEBHOOK_ALLOWED_NETWORKS = webhook_networks()
WEBHOOK_RETRY_SECONDS = webhook_retries(WEBHOOK_SECONDS)
WEBHOOKS_AT_ONCE = env.integer("TAXIMETER_WEBHOOKS_AT_ONCE", 64, low=1, high=1000)
WEBHOOK_SENDERS = env.integer("TAXIMETER_WEBHOOK_SENDERS", 1, low=1, high=100)

#: Where months that have left the event log are kept, and how many whole months stay in it; 0: all of them.
ARCHIVE_DIR = env.text("TAXIMETER_ARCHIVE_DIR", str(env.VAR / "archive"))
# Events whose time lies further back or ahead are quarantined.
EVENT_LOOK_BACK_DAYS = env.integer("TAXIMETER_EVENT_LOOK_BACK_DAYS", 365, low=1, high=1_000_000)
EVENT_LOOK_AHEAD_SECONDS = env.integer("TAXIMETER_EVENT_LOOK_AHEAD_SECONDS", 3600, low=0, high=100_000_000_000)
KEEP_MONTHS = env.integer("TAXIMETER_KEEP_MONTHS", 0, low=0, high=1200)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("TAXIMETER_LOG_LEVEL", "INFO")},
}
