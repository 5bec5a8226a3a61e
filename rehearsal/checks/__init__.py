"""What the rehearsal refuses, as pure functions over the inputs and outputs of resources.

Nothing here talks to the emulator, to AWS or to Pulumi. The engine calls these with plain dictionaries, as
Pulumi puts them on the wire, and reports the `Problem`s they return.
"""
