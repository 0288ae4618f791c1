"""Several processes that share the listening sockets of one host, and the one that keeps them.

The supervisor (the process that was started) holds the sockets and answers nobody. Each worker is
the whole daemon, with its share of the limits; worker 0 alone does what is to be done once.
"""
