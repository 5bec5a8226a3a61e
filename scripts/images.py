"""What the images hold: one PEX a service, `dist/<image>.pex`, which runs by itself. `make images` calls it.

A PEX (https://docs.pex-tool.org) is one file of our code and its dependencies for CPython 3.11 on Linux x86-64, as
the base image has it. The dependencies come from .venv, where `make setup` put the locked versions and
checked their hashes: nothing is downloaded. The same sources give the same bytes.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = ("pin", "search", "ml", "gateway")
LEFT_OUT: Final = shutil.ignore_patterns(
    "__pycache__", "benchmark", "Dockerfile", "image.json", "*.pyi", "*.proto"
)
EPOCH: Final = "315532800"
"""1980, the first year that a zip file knows."""


def main(names: list[str]) -> int:
    """Build the named images, or all; returns the exit status."""
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        return _fail(f"there is no image {unknown[0]}", f"name one of {', '.join(IMAGES)}", 2)
    if (sys.platform, platform.machine(), sys.version_info[:2]) != ("linux", "x86_64", (3, 11)):
        here = f"CPython {platform.python_version()} on {platform.system()} {platform.machine()}"
        return _fail(
            f"this is {here}, and images run CPython 3.11 on Linux x86_64",
            'docker run --rm --platform linux/amd64 -v "$PWD:/src" -w /src python:3.11-bookworm make images',
            3,
        )
    output = ROOT / "dist"
    output.mkdir(exist_ok=True)
    for name in names or IMAGES:
        built = build(name, output)
        digest = hashlib.sha256(built.read_bytes()).hexdigest()
        print(f"{built.relative_to(ROOT)}  {built.stat().st_size / 1e6:.0f} MB  sha256:{digest}")  # noqa: T201
    return 0


def build(name: str, output: Path) -> Path:
    """Make `<output>/<name>.pex`. Raises CalledProcessError, after PEX has said what is wrong."""
    made = output / f"{name}.pex"
    with tempfile.TemporaryDirectory() as sources:
        for part in ("common", "api", name):
            shutil.copytree(ROOT / "services" / part, Path(sources, "services", part), ignore=LEFT_OUT)
        shutil.copy(ROOT / "services" / "__init__.py", Path(sources, "services"))
        subprocess.run(  # noqa: S603 - our own tool
            [
                *(sys.executable, "-m", "pex", "--group", name, "--venv-repository", str(ROOT / ".venv")),
                "--pre",  # OpenTelemetry's parts are pinned to each other's betas
                *(
                    "--sources-directory",
                    sources,
                    "--entry-point",
                    f"services.{name}",
                    "--output-file",
                    str(made),
                ),
                "--include-tools",  # the Dockerfiles unpack it with them
                *("--python-shebang", "/usr/bin/env python3.11", "--no-emit-warnings"),
            ],
            cwd=ROOT,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONHASHSEED": "0"},
            check=True,
        )
    return made


def _fail(what: str, fix: str, status: int) -> int:
    print(f"error: {what}\n  fix: {fix}", file=sys.stderr)  # noqa: T201
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError:
        sys.exit(_fail("PEX could not build it: see above", "make setup, if a package is missing", 1))
