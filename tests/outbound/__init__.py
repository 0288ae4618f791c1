"""Tests of boomerang.outbound."""
