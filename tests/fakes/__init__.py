"""Stand-ins for the remote sides, with their behaviour; each is tested itself."""
