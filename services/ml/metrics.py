"""What is counted beside the golden signals: batches, models, and what the stream embedded."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

waiting: Final = Gauge("ml_waiting", "Inputs inside, from reading to answering", ["kind"])
refused: Final = Counter("ml_refused", "Inputs refused because too many waited", ["kind"])
dropped: Final = Counter("ml_dropped", "Inputs whose caller went away or ran out of time", ["kind"])
batch_size: Final = Histogram(
    "ml_batch_size", "Inputs in a batch", ["kind"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
batch_seconds: Final = Histogram(
    "ml_batch_seconds",
    "Time of the model for one batch",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)

model: Final = Gauge("ml_model", "1 for the model that answers", ["version"])
model_loads: Final = Counter("ml_model_loads", "Models that were put in place, or refused", ["outcome"])

embedded: Final = Counter("ml_stream_pins", "Pins that the stream handled", ["outcome"])
