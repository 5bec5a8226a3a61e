"""The HTTP side of the API server: from a request to the answer that real clients read.

`server` takes requests, asks `authentication` who it is, and hands over: to `discovery`, `openapi` and
`reviews` for what the server says of itself, to `rest` for the verbs, to `watch` for what goes on, to
`subresources` for logs, evictions and the like. `negotiation` reads bodies and `Accept` headers (`protobuf`
among them), `listing` selects and pages, `representation` writes objects as they were asked for, as `tables`
too.
"""
