"""The two tantivy indexes, pins and groups: their fields, what is written to them, how they are asked.

A document is replaced by deleting what has its identifier and adding it anew. What is deleted in the catalogue
stays as a document without words that remembers the version, so that an older event that comes late is known
to be old. The pins' index keeps the positions too: one commit holds both.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import tantivy
from numpy.typing import NDArray

from services.search.engine.ids import Ids
from services.search.engine.tables import country_code
from services.search.engine.types import GroupChanged, PinChanged

_WORDS: Final = "words"
_POSITIONS: Final = "positions"
_LONGEST_WORD: Final = 40
"""Bytes; longer ones are no words."""
_MOST_TERMS: Final = 16
"""Of one query; the others are dropped."""
_MOST_CLAUSES: Final = 2_000
"""Values that are asked for one by one, which is three to five times faster than as a set up to some hundreds."""
Scores = NDArray[np.float32]


def _analyzer(*, stop_words: bool) -> tantivy.TextAnalyzer:
    """Words in lower case, without accents and endings: "Cafés" is found by "cafe"."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.remove_long(_LONGEST_WORD)).filter(tantivy.Filter.lowercase())
    if not stop_words:
        builder = builder.filter(tantivy.Filter.stopword("english"))
    return builder.filter(tantivy.Filter.ascii_fold()).filter(tantivy.Filter.stemmer("english")).build()


_ALL_WORDS: Final = _analyzer(stop_words=True)
_TELLING_WORDS: Final = _analyzer(stop_words=False)


def terms_of(text: str) -> list[str]:
    """The terms that a query's text asks for, each once; words like "the" only if there are no others."""
    text = text.encode(errors="replace").decode()
    terms = _TELLING_WORDS.analyze(text) or _ALL_WORDS.analyze(text)
    return list(dict.fromkeys(terms))[:_MOST_TERMS]


class TextIndex:
    """One tantivy index. One thread writes and commits; any thread takes `searcher` and searches."""

    def __init__(
        self, directory: Path, schema: tantivy.Schema, key: str, boosts: Mapping[str, float], heap_bytes: int
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory: Final = directory
        self._schema: Final = schema
        self._key: Final = key
        self._boosts: Final = boosts
        self._index: Final = tantivy.Index(schema, path=str(directory))
        self._index.register_tokenizer(_WORDS, _ALL_WORDS)
        self._index.config_reader("manual")
        self._writer: Final = self._index.writer(heap_bytes, 1)
        self.dirty: bool = False
        """Whether there is something to commit."""
        self.searcher: tantivy.Searcher = self._index.searcher()

    def put(self, document: tantivy.Document, replaced: int | None) -> None:
        """Add a document; `replaced` names the identifier whose earlier document it replaces, if it does."""
        if replaced is not None:
            # By query: deleting by the term of a number deletes nothing (tantivy-py 0.27).
            self._writer.delete_documents_by_query(
                tantivy.Query.term_query(self._schema, self._key, replaced)
            )
        self._writer.add_document(document)
        self.dirty = True

    def commit(self) -> None:
        """Make what was put durable and visible."""
        self._writer.commit()
        self._index.reload()
        self.searcher = self._index.searcher()
        self.dirty = False

    def close(self) -> None:
        """End the writer and its merges; what was not committed is gone."""
        self._writer.rollback()
        self._writer.wait_merging_threads()

    def columns(self, *names: str) -> list[NDArray[np.int64]]:
        """Fields of all documents that have the key, in the same order."""
        query = tantivy.Query.exists_query(self._key)
        count = self.searcher.num_docs
        if not count:
            return [np.empty(0, np.int64) for _ in names]
        found = [address for _, address in self.searcher.search(query, count, count=False).hits]
        return [self.values(self.searcher, name, found) for name in names]

    @staticmethod
    def values(searcher: tantivy.Searcher, name: str, addresses: list[tantivy.DocAddress]) -> Ids:
        """A field of some documents."""
        return np.array(searcher.fast_field_values(name, addresses), np.int64)

    def search(
        self, query: tantivy.Query, limit: int, searcher: tantivy.Searcher | None = None
    ) -> tuple[Ids, Scores]:
        """The identifiers of the best documents and their scores, best first."""
        searcher = searcher or self.searcher
        hits = searcher.search(query, limit, count=False).hits
        if not hits:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores, addresses = zip(*hits, strict=True)
        return self.values(searcher, self._key, list(addresses)), np.array(scores, np.float32)

    def any_of(
        self, terms: Sequence[str], within: Mapping[str, Sequence[int]] | None = None
    ) -> tantivy.Query:
        """Documents with any of the terms, by BM25: those with more and rarer ones first.

        `within` narrows to those that have one of the values in each of the fields, which adds no score.
        """
        needed = [self._among(field, values, 0.0) for field, values in (within or {}).items()]
        return _all([self._scored(terms), *needed])

    def any_of_lifted(
        self, terms: Sequence[str], field: str, values: Sequence[int], lifts: Sequence[float]
    ) -> tantivy.Query:
        """Documents with any of the terms and one of the values, by BM25 and the lift of their value."""
        alike: dict[float, list[int]] = {}
        for value, lift in zip(values, lifts, strict=True):
            alike.setdefault(lift, []).append(value)
        lifted = [self._among(field, some, lift) for lift, some in alike.items()]
        return _all([self._scored(terms), _either(lifted)])

    def documents_at_most(self, terms: Sequence[str]) -> int:
        """A bound on how many documents have any of the terms."""
        searcher = self.searcher
        return sum(searcher.doc_freq(field, term) for field in self._boosts for term in terms)

    def _scored(self, terms: Sequence[str]) -> tantivy.Query:
        return _either(
            [
                tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, term, "freq"), boost)
                for field, boost in self._boosts.items()
                for term in terms
            ]
        )

    def _among(self, field: str, values: Sequence[int], score: float) -> tantivy.Query:
        if len(values) > _MOST_CLAUSES:
            query = tantivy.Query.term_set_query(self._schema, field, values)
        else:
            query = _either(
                [tantivy.Query.term_query(self._schema, field, value, "basic") for value in values]
            )
        return tantivy.Query.const_score_query(query, score)


class PinIndex(TextIndex):
    """The pins' words, versions and groups, and the positions."""

    def __init__(self, directory: Path, heap_bytes: int) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("pin_id", indexed=True, fast=True)
        builder.add_unsigned_field("group_id", indexed=True, fast=True)
        builder.add_unsigned_field("version", fast=True)
        builder.add_unsigned_field("deleted", fast=True)
        builder.add_text_field("title", tokenizer_name=_WORDS, index_option="freq")
        builder.add_text_field("description", tokenizer_name=_WORDS, index_option="freq")
        builder.add_text_field("note", tokenizer_name="raw", index_option="basic")
        builder.add_bytes_field("content", stored=True)
        super().__init__(directory, builder.build(), "pin_id", {"title": 1.0, "description": 0.5}, heap_bytes)

    @property
    def _noted(self) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "note", _POSITIONS, "basic")

    def put_pin(self, change: PinChanged, *, known: bool) -> None:
        """Write the newest state of a pin, `known` if there was one before."""
        document = tantivy.Document()
        document.add_unsigned("pin_id", change.pin_id)
        document.add_unsigned("version", change.version)
        document.add_unsigned("deleted", int(change.deleted))
        document.add_unsigned("group_id", change.group_id)
        if not change.deleted:
            document.add_text("title", change.title)
            if change.description:
                document.add_text("description", change.description)
        self.put(document, change.pin_id if known else None)

    def newest(self, within: Mapping[str, Sequence[int]], limit: int, searcher: tantivy.Searcher) -> Ids:
        """Pins with one of the values in each of the fields, those with the highest identifiers first."""
        needed = [self._among(field, values, 0.0) for field, values in within.items()]
        query = _all(needed) if needed else tantivy.Query.all_query()
        hits = searcher.search(query, limit, count=False, order_by_field="pin_id").hits
        return np.array([pin_id for pin_id, _ in hits if pin_id], np.int64)

    def put_positions(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Write where reading goes on after this commit."""
        document = tantivy.Document()
        document.add_text("note", _POSITIONS)
        content = json.dumps([[*key, offset] for key, offset in sorted(positions.items())])
        document.add_bytes("content", content.encode())
        self._writer.delete_documents_by_query(self._noted)
        self._writer.add_document(document)
        self.dirty = True

    def positions(self) -> dict[tuple[str, int], int]:
        """The positions of the last commit."""
        hits = self.searcher.search(self._noted, 1).hits
        if not hits:
            return {}
        content = cast("bytes", self.searcher.doc(hits[0][1]).get_first("content"))
        return {(topic, partition): offset for topic, partition, offset in json.loads(bytes(content))}


class GroupIndex(TextIndex):
    """The groups' words and what predicates ask of them."""

    def __init__(self, directory: Path, heap_bytes: int) -> None:
        builder = tantivy.SchemaBuilder()
        for field in ("group_id", "owner_id", "country", "kind"):
            builder.add_unsigned_field(field, indexed=True, fast=True)
        for field in ("version", "secret", "deleted"):
            builder.add_unsigned_field(field, fast=True)
        builder.add_text_field("name", tokenizer_name=_WORDS, index_option="freq")
        builder.add_text_field("description", tokenizer_name=_WORDS, index_option="freq")
        super().__init__(
            directory, builder.build(), "group_id", {"name": 1.0, "description": 0.5}, heap_bytes
        )

    def put_group(self, change: GroupChanged, *, known: bool) -> None:
        """Write the newest state of a group."""
        document = tantivy.Document()
        document.add_unsigned("group_id", change.group_id)
        document.add_unsigned("version", change.version)
        document.add_unsigned("owner_id", change.owner_id)
        document.add_unsigned("country", country_code(change.country))
        document.add_unsigned("kind", int(change.kind))
        document.add_unsigned("secret", change.secret_to)
        document.add_unsigned("deleted", int(change.deleted))
        if not change.deleted:
            document.add_text("name", change.name)
            if change.description:
                document.add_text("description", change.description)
        self.put(document, change.group_id if known else None)


def _either(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _all(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    if len(queries) == 1:  # by itself it skips what cannot come among the best
        return queries[0]
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in queries])
