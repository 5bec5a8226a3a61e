"""Where the `pinwheel` command enters.

Signals are taken over before anything slow is imported, so that Ctrl-C during the imports ends as quietly
as at any other moment.
"""

import contextlib
import os
import sys

from pinwheel import lifetime


def main() -> None:
    """Run the command line of this process and exit with its code."""
    lifetime.take_over_signals()
    from pinwheel import commands  # noqa: PLC0415 - typer takes a while to import: see above

    code = commands.run(sys.argv[1:])
    with contextlib.suppress(OSError, ValueError):  # whoever read us may have gone
        sys.stdout.flush()
        sys.stderr.flush()
    # Taking Pulumi's modules apart object by object would take another second or two.
    os._exit(code)
