"""What stands in for AWS on one machine: moto's server, extended, in a process of its own.

`emulator.process.Emulator` starts and stops it; everything else runs in that process only. Importing
this package or `emulator.process` imports neither moto nor flask, so that a command line stays quick.
"""
