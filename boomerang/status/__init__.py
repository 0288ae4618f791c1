"""The status page: what it knows, how that is put together, and how it is shown."""
