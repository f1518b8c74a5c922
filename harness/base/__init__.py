"""What every room uses: errors, files, units, text and processes. It imports no other room."""
