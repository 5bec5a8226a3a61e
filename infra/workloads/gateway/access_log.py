"""The access log: one JSON line a request, with the fields of the services' logs and no personal data.

There is no query (people search for what concerns them), no token, no address, no agent, no subject.
"""

from infra.workloads.gateway.inputs import Message, typed


def access_log() -> list[Message]:
    """To stdout, where the services' logs go."""
    fields = {
        "timestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
        "event": "request",
        "level": "info",
        "logger": "access",
        "service": "%ENVIRONMENT(SERVICE_NAME):63%",
        "environment": "%ENVIRONMENT(ENVIRONMENT):63%",
        "pod": "%ENVIRONMENT(POD_NAME):253%",
        "request_id": "%REQ(X-REQUEST-ID):64%",
        "trace_id": "%TRACE_ID%",
        "method": "%REQ(:METHOD):16%",
        "path": "%PATH(NQ:ORIG_OR_PATH):256%",
        "route": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "protocol": "%PROTOCOL%",
        "milliseconds": "%DURATION%",
        "upstream": "%UPSTREAM_CLUSTER%",
        "upstream_host": "%UPSTREAM_HOST%",
        "upstream_milliseconds": "%RESPONSE_DURATION%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
    }
    return [
        typed(
            "envoy.access_loggers.stdout",
            "extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": fields},
        )
    ]
