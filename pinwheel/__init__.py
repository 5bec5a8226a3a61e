"""The command line: thin, over the environments, the rehearsal, the emulator and Pulumi's Automation API."""
