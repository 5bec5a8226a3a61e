"""What tests with real clients share: what may not be there."""

import shutil

import pytest

needs_mysql = pytest.mark.skipif(
    not shutil.which("mariadbd", path="/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin"),
    reason="there is no MySQL server here; `make test` installs one on Debian as root",
)
