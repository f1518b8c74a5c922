"""Counting what a variant takes, in instructions, branches and cycles."""
