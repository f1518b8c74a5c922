"""Capturing: a real guest in QEMU is migrated, and its migration stream becomes a trace."""
