"""From C and Rust files to calls: toolchains, compiled variants, the timed loop."""
