"""What the benchmark of the API measures runs, and nothing that it counts on is lost."""

import subprocess
import sys


def test_a_small_benchmark() -> None:
    size = ("--pods", "20", "--watchers", "3", "--rate", "40", "--seconds", "0.5")
    done = subprocess.run(
        [sys.executable, "-m", "emulator.cluster.benchmark", *size],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "list 20 pods as Table" in done.stdout
    assert "60 of 60" in done.stdout
