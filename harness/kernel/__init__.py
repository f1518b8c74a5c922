"""The kernel's part of a tick, on KVM itself: a guest of our own, and ways to ask what it wrote."""
