"""A service as others are written: what tests run as a process of its own.

`python example_service.py http|grpc`; configured by its environment, as a service is.
"""

import asyncio
import sys
import time
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, Parameter, RawBody

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common import grpc_server, http
from services.common.lifetime import Lifetime, run
from services.common.openapi import BEARER
from services.common.problems import Problem
from services.common.settings import CommonSettings, load


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    parts: list["Thing"] = []
    count: int = 0


@get("/things/{number:int}", raises=[])
async def read(
    number: Annotated[int, Parameter(ge=0, le=1000)], copies: Annotated[int, Parameter(ge=1, le=5)] = 1
) -> Thing:
    if number == 404:
        raise Problem(404, "there is no thing 404")
    return Thing("x" * copies)


@post("/things", security=BEARER)
async def make(data: JSONBody[Thing], subject: http.Subject) -> Thing:
    assert subject
    return data


@post("/pictures", opt={"media_types": ("image/png",)}, request_max_body_size=1000)
async def picture(body: RawBody) -> int:
    return len(body)


@get("/fails", include_in_schema=False)
async def fails() -> None:
    raise ValueError("a secret")


@get("/slow", include_in_schema=False)
async def slow() -> Thing:
    await asyncio.sleep(0.02)
    return Thing("slow")


HANDLERS: list[HTTPRouteHandler] = [read, make, picture, fails, slow]


class Embedder(ml_pb2_grpc.EmbeddingServiceServicer):
    def EmbedTexts(self, request, context):  # noqa: N802
        if not request.texts:
            raise grpc_server.GrpcProblem(
                grpc_server.grpc.StatusCode.INVALID_ARGUMENT, "give at least one text"
            )
        if request.texts[0] == "fail":
            raise ValueError("a secret")
        time.sleep(0.02)
        return ml_pb2.EmbedTextsResponse(model_version="1", vectors=[text.encode() for text in request.texts])


async def start(lifetime: Lifetime) -> None:
    if "http" in sys.argv[1:]:
        await http.serve(http.create_app(HANDLERS, title="Things", max_body_bytes=10_000), lifetime)
    if "grpc" in sys.argv[1:]:
        server = grpc_server.create_server(threads=4)
        ml_pb2_grpc.add_EmbeddingServiceServicer_to_server(Embedder(), server)
        grpc_server.serve(server, lifetime)
    if "broken" in sys.argv[1:]:
        raise RuntimeError("it cannot start")


if __name__ == "__main__":
    run(load(CommonSettings), start)
