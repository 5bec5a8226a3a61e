"""`python -m services.ml ROLE`: `serve` and `stream` run until SIGTERM; the others put models into the registry."""

import argparse
import sys
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError

from services.common import aws
from services.common.settings import load
from services.ml.manifest import ManifestError
from services.ml.registry import ModelRegistry, RegistryError


def main(arguments: list[str] | None = None) -> None:
    """Do what the first argument says; ends the process with 2 for what cannot be done as asked."""
    given = _parser().parse_args(arguments)
    if given.role == "serve":
        from services.ml import serving  # noqa: PLC0415 - a role loads what it needs
        from services.ml.settings import ServeSettings  # noqa: PLC0415

        serving.run(load(ServeSettings))
    if given.role == "stream":
        from services.ml import streaming  # noqa: PLC0415
        from services.ml.settings import StreamSettings  # noqa: PLC0415

        streaming.run(load(StreamSettings))
    try:
        print(_managed(given))  # noqa: T201 - the command's answer
    except (RegistryError, ManifestError, OSError, BotoCoreError, ClientError, S3UploadFailedError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def _managed(given: argparse.Namespace) -> str:
    if given.role == "default-model":
        from services.ml import default_model  # noqa: PLC0415

        manifest = default_model.write(given.directory)
        return f"{manifest.label} is in {given.directory}"
    registry = ModelRegistry(aws.client("s3"), given.bucket, given.name)
    if given.role == "publish":
        registry.publish(given.directory, given.version)
    else:
        registry.use(given.version)
    return f"s3://{given.bucket}/{given.name}/current is {given.version}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ml", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE")
    roles.add_parser("serve", help="embed and rank, over gRPC")
    roles.add_parser("stream", help="embed the images of new pins, from topic pins to topic embeddings")
    default = roles.add_parser("default-model", help="write the default model into a directory, as ONNX")
    default.add_argument("directory", type=Path)
    publish = roles.add_parser("publish", help="put a model into the registry and make it the current one")
    publish.add_argument("directory", type=Path, help="has manifest.json and the files that it lists")
    use = roles.add_parser("use", help="make a version that is in the registry the current one: roll back")
    for each in (publish, use):
        each.add_argument("--bucket", required=True, help="of the registry (MODELS_BUCKET)")
        each.add_argument("--name", required=True, help="the model's (MODEL_NAME)")
        each.add_argument("--version", required=True, help="lower-case letters, digits, dots, dashes")
    return parser


if __name__ == "__main__":
    main()
