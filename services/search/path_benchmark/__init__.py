"""The whole path, from HTTP request to hit: `python -m services.search.path_benchmark --pins 1000000`.

A leaf and a root as processes on this machine, over an index that is built first (and kept in --directory), with
events from Kafka coming in meanwhile. With --url the same is asked of a gateway that runs already.
"""
