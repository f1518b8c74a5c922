"""The harness: compiles variants, times them on traces, and says what came out."""

__version__ = "0.2.0"
