"""Tests of the reports to OpenTelemetry."""
