"""Tests of `boomerang.workers`."""
