"""Librato, and servers that speak its language (AppOptics): measurements, annotations, alerts."""
