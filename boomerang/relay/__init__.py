"""The relay: status callbacks are stored first, acknowledged, and delivered until the app has them."""
