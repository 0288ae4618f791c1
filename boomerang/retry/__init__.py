"""The retry service: hold Twilio's fallback request, then send the call back to the URL that failed."""
