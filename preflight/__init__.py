"""Judgements over the resource graph that a rehearsal writes: pure functions, no cloud, no emulator."""
