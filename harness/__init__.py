"""The harness: compiles variants, times them on traces, and says what came out."""

__version__ = "0.1.0"
