"""Measuring: from what is asked for to samples."""
