"""The account at Twilio: whether all that can have a fallback points here, and making it so."""
