"""The embedded search engine: tantivy for text, faiss for vectors, one directory on disk.

`types` says what goes in and what comes out; `engine` puts the parts together:

- `contents`: what an index is made of: `text`, the two tantivy indexes of pins and groups; `vectors`, their
  segments on disk and the approximate index over them; `tables` with `ids`, what must be known of every pin
  and group at once: newest versions, who is in which group, who may see it;
- `changes` looks at changes before anything is touched, `writing` takes over what is newest;
- `queries` looks at queries, `retrieval` runs them: flat, in two stages (`selection` is the first), by text, by
  vector, by both; `lookups` is for what is not searched;
- `snapshots`: the files of one commit.

Whatever the order and repetition of changes, the highest version of each pin, group and vector counts. What was
committed survives the process; what was not is read again from the positions that the commit holds.

It knows nothing of Kafka, gRPC or S3.
"""
