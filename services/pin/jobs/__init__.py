"""Asynchronous jobs (PinLater): rows of a table, then dramatiq's messages on SQS. See README.md."""
