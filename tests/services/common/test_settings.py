"""The environment of a service: what it means, and what a wrong one is told."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.common import aws, kafka
from services.common.settings import CommonSettings, DatabaseSettings, KafkaSettings, load, problems

ROOT = Path(__file__).parents[3]


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SERVICE_NAME": "pin-relay", "POD_IP": "10.0.0.7", "GRPC_PORT": "7000"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")
    monkeypatch.setenv("LOG_LEVEL", "")  # empty is unset
    settings = load(CommonSettings)
    assert (settings.service_name, settings.host, settings.grpc_port) == ("pin-relay", "10.0.0.7", 7000)
    assert settings.otel_exporter_otlp_endpoint == "http://collector:4318"
    assert settings.log_level == "info"


@pytest.mark.parametrize(
    "servers", ["", "broker", "broker:", ":9098", "broker:0", "broker:70000", "a:1,b", "a:1,,b:2"]
)
def test_brokers_are_hosts_and_ports(servers: str) -> None:
    with pytest.raises(ValidationError, match="host:port"):
        KafkaSettings(kafka_bootstrap_servers=servers)
    assert KafkaSettings(kafka_bootstrap_servers="a:1,b:65535").kafka_security_protocol == "SASL_SSL"


@pytest.mark.parametrize("given", [{}, {"database_url": "sqlite:///x", "database_secret_file": "/secret"}])
def test_there_is_one_database(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either DATABASE_SECRET_FILE or DATABASE_URL, and not both"):
        DatabaseSettings(**given)


def test_a_wrong_value_is_named_but_not_shown() -> None:
    with pytest.raises(ValidationError) as raised:
        KafkaSettings(http_port=-1, kafka_security_protocol="secret")  # pyright: ignore
    assert problems(raised.value) == (
        "error: the environment of this process is wrong\n"
        "  HTTP_PORT: Input should be greater than or equal to 0\n"
        "  KAFKA_BOOTSTRAP_SERVERS: is not set\n"
        "  KAFKA_SECURITY_PROTOCOL: Input should be 'SASL_SSL' or 'PLAINTEXT'"
    )


def test_a_database_url_is_in_no_repr() -> None:
    assert "password" not in repr(DatabaseSettings(database_url="mysql://user:password@host/pin"))


def test_msk_is_reached_with_the_pods_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    configuration = kafka.client_configuration(
        KafkaSettings(kafka_bootstrap_servers="b:9098", aws_region="eu-west-1")
    )
    assert (configuration["security.protocol"], configuration["sasl.mechanism"]) == (
        "SASL_SSL",
        "OAUTHBEARER",
    )
    token, expires = configuration["oauth_cb"]("")
    assert token
    assert expires > 1_700_000_000  # seconds, not milliseconds
    assert expires < 100_000_000_000


def test_buckets_of_an_emulated_s3_are_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    location = {"Bucket": "images", "Key": "a"}
    assert (
        aws.client("s3")
        .generate_presigned_url("get_object", location)
        .startswith("http://127.0.0.1:4566/images/a?")
    )
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    url = aws.client("s3").generate_presigned_url("get_object", location)
    assert url.startswith("https://images.s3.eu-west-1.amazonaws.com/a?")


def test_logs_are_one_json_object_a_line_without_local_variables() -> None:
    program = """
import logging
from services.common import logs
from services.common.settings import CommonSettings
logs.configure(CommonSettings(service_name="pin", pod_name="pin-0"))
log = logs.logger("x")
logs.request_id.set("r-1")
log.debug("unheard")
log.info("happened", count=3)
logging.getLogger("library").warning("heard %s", "too")
logging.getLogger("library").info("unheard")
def fail(password):
    raise ValueError("oh")
try:
    fail("hunter2")
except ValueError:
    log.exception("failed")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    import json

    first, second, third = [json.loads(line) for line in done.stdout.splitlines()]
    assert {k: first[k] for k in ("event", "count", "level", "service", "pod", "request_id")} == {
        "event": "happened",
        "count": 3,
        "level": "info",
        "service": "pin",
        "pod": "pin-0",
        "request_id": "r-1",
    }
    assert (second["event"], second["logger"], second["service"]) == ("heard too", "library", "pin")
    assert third["exception"][0]["frames"][-1]["name"] == "fail"
    assert "hunter2" not in done.stdout
