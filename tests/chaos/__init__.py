"""Tests of the suite of faults."""
