"""Laws are tried on the same cases every time, however slow the machine is."""

from hypothesis import settings

settings.register_profile("pinwheel", deadline=None, derandomize=True)
settings.load_profile("pinwheel")
