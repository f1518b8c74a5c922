"""A measurement that somebody starts: shown while it goes on, resumed, and written as results."""
