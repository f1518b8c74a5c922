"""The trial: every variant is tried on every snapshot before it is timed."""
