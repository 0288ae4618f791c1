"""What can be set, and where a setting may come from."""

from boomerang.settings.load import InvalidSettings, Sources, load_settings
from boomerang.settings.retry import RetrySettings
from boomerang.settings.values import Settings, StatusSettings, TwilioSettings

__all__ = [
    "InvalidSettings",
    "RetrySettings",
    "Settings",
    "Sources",
    "StatusSettings",
    "TwilioSettings",
    "load_settings",
]
