"""What every service counts: the four golden signals of what it answers, and of what it reads from Kafka.

Latency, traffic, errors and saturation, as the Google SRE book names them. Labels hold routes and statuses, never
identifiers: a label's values stay few.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

REQUESTS = Counter(
    "requests", "Requests answered, by status.", ["protocol", "method", "route", "status"]
)  # traffic and errors
REQUEST_SECONDS = Histogram(
    "request_duration_seconds",
    "From the request's arrival to the last byte of the answer.",
    ["protocol", "method", "route"],
    buckets=_SECONDS,
)
REQUESTS_IN_FLIGHT = Gauge(
    "requests_in_flight", "Requests that are being answered (saturation).", ["protocol"]
)

KAFKA_RECORDS = Counter(
    "kafka_records", "Records read, by what became of them: handled, dead-letter.", ["topic", "outcome"]
)
KAFKA_RETRIES = Counter(
    "kafka_retries", "Attempts at handling records that failed and were repeated.", ["topic"]
)
KAFKA_LAG = Gauge(
    "kafka_consumer_lag", "Records of the partition that are not handled yet.", ["topic", "partition"]
)
