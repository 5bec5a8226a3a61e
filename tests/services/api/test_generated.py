"""What the services say to each other: its checked-in code is what its definitions give, and they keep the style."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def generated(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for pattern in GENERATED
        for path in sorted((root / "services" / "api").rglob(pattern))
    }


def test_the_code_is_what_the_definitions_give(tmp_path: Path) -> None:
    subprocess.run(
        ["sh", ROOT / "scripts" / "protos.sh", tmp_path], check=True, capture_output=True, timeout=120
    )
    made, kept = generated(tmp_path), generated(ROOT)
    assert sorted(made) == sorted(kept), "run `make protos`"
    assert [name for name in made if made[name] != kept[name]] == [], "run `make protos`"


def test_the_definitions_keep_bufs_style() -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "buf", "lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_a_definition_against_the_style_is_found(tmp_path: Path) -> None:
    """The test above can fail: buf does look at what is below services/api."""
    folder = tmp_path / "services" / "api" / "bad" / "v1"
    folder.mkdir(parents=True)
    (tmp_path / "buf.yaml").write_text((ROOT / "buf.yaml").read_text())
    (folder / "bad.proto").write_text(
        'syntax = "proto3";\npackage services.api.bad.v1;\nmessage bad_name {}\n'
    )
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "buf", "lint"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "bad_name" in done.stdout
