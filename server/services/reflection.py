"""Server reflection, for tools that have no files of the contract: grpc.reflection.v1, and v1alpha, which grpcio has.

Both are one protocol under two names. What is listed leaves v1 out: its own description is under v1alpha's name.
"""

from collections.abc import Sequence

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2


def add_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Lets a server tell which services it has, by their full names, and what they are made of."""
    servicer = reflection.aio.ReflectionServicer((*services, reflection.SERVICE_NAME))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME):
        methods = {"ServerReflectionInfo": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
