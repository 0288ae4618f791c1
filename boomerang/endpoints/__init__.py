"""The app's endpoints: which URL is what, and how each is to be rescued."""
