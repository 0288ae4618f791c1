"""Boomerang is the failover host of a Twilio application."""

__version__ = "0.1.0"
