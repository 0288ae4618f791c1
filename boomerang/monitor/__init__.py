"""The monitor: checks the app, this host and the providers they depend on, and tells of them."""
