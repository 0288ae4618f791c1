"""Faults, one after the other, done to a running daemon: what was promised, and what was seen."""
