"""MSK: clusters, configurations, topics and SCRAM secrets, and real brokers behind them.

`brokers` is the seam: what MSK's operations ask of whatever stands behind a cluster. In a plain rehearsal that is
nothing; in a world that carries data, `server` puts there what `broker` runs.
"""
