"""The parts of one process: what serves, what works, and how they are put together."""
