"""Benchmarks of boomerang against its predecessor; run `python -m benchmarks`."""
