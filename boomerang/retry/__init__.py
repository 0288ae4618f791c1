"""The retry service: hold a fallback request, then send the call back to the URL that failed."""
