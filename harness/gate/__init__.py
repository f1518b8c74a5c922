"""The gate: did a variant get slower?"""
