"""The pins' vectors: records on disk in the order they came, an approximate index over them, who is alive.

A vector's place in that order is its slot. Slots are only added; a pin's newer vector gets another slot and the
older one is dead. Compaction copies the living into a new generation, whose slots are other ones.
"""
