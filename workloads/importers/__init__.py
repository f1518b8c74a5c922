"""Traces from elsewhere: a module for each kind of file that somebody else has recorded."""
