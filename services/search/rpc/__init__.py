"""How the root calls the leaves: protobuf messages in length-prefixed frames over TCP, many calls a connection.

gRPC would do the same, but between root and leaf it costs more CPU than the search itself (decision 14, measured
by `benchmark`). What is kept of it are its ideas: the messages of `services/api/search/v1`, deadlines that travel
with the call, its status codes, and a server that says when it is going away.
"""
