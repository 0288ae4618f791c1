"""How each kind of check asks: one module per protocol, each through a library that speaks it."""
