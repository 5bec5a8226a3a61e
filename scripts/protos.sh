#!/bin/sh
# Renews the Python code of services/api from its .proto files. `make protos` calls it; a test compares.
# usage: protos.sh [output directory]
set -eu

cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
output=${1:-.}
PATH=$bin:$PATH
export PATH

find services/api -name '*.proto' -print | sort | xargs "$bin/python" -m grpc_tools.protoc --proto_path=. \
    --python_out="$output" --grpc_python_out="$output" --mypy_out="$output" --mypy_grpc_out="$output"
# A file without a service has no use for its empty *_pb2_grpc.
for proto in $(find services/api -name '*.proto' -print); do
    grep -q '^service ' "$proto" || rm -f "$output/${proto%.proto}_pb2_grpc.py" "$output/${proto%.proto}_pb2_grpc.pyi"
done
