"""Runs the layers' real programs against the emulator, without the Pulumi CLI or an account, and strictly."""
