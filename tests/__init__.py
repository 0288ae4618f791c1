"""Tests of boomerang; the folders mirror the package."""
