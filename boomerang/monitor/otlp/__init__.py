"""Metrics to an OpenTelemetry collector, over OTLP/HTTP; the extra ``boomerang[otlp]``."""
