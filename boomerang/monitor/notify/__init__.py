"""Messages to people, through Apprise; the extra ``boomerang[notify]``."""
