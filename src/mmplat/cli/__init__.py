"""The command line: one module per verb. Each parses, calls one function of a room, and prints; none has logic of its own."""
