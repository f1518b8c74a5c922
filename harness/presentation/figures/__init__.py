"""Pictures of traces and results. Nothing here measures."""
