"""Processes that speak Kafka's protocol, behind one `interface`: tansu, an Apache Kafka, or a given broker.

`tansu` is what runs unless something else is named; `gate` stands before it and makes up for what it does
otherwise, for which it reads `frames` of the protocol and changes `requests`. `declared_topics` keeps a broker's
topics as MSK's API has declared them.
"""
