"""The relay: status callbacks are stored, acknowledged, and delivered until the app has them."""
