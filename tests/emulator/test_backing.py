"""Where a world keeps its data."""

from pathlib import Path

from emulator.backing import Backing


def test_only_its_user_reads_a_worlds_data_and_logs(tmp_path: Path) -> None:
    directory = tmp_path / "world"
    directory.mkdir(mode=0o755)
    Backing(directory, "http://127.0.0.1:9", "123456789012", "eu-west-1")
    assert directory.stat().st_mode & 0o077 == 0
