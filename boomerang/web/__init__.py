"""HTTP: what comes in, who may ask, and how answers go out."""
