"""The embedded search engine: tantivy for text, faiss for vectors, one directory on disk.

`types` says what goes in and what comes out, `engine` puts the parts together:

- `schema`, `text`: the two tantivy indexes, groups and pins, and the queries asked of them;
- `tables`: what must be known of every pin and group at once, as columns in memory: versions, who may see it;
- `vectors`: segments of vectors on disk, the approximate index over them, and who is alive in it;
- `retrieval`: how one query runs: flat, in two stages, by text, by vector, by both;
- `snapshots`: the immutable files of one commit.

It knows nothing of Kafka, gRPC or S3.
"""
