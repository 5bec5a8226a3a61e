"""The REST API of users, boards, sections, pins and saves. Conventions, the same everywhere:

- A person is who the gateway says (x-pinwheel-subject). Public things can be read by anybody; what is on a secret
  board is a 404 to all but its owner; a write to another's thing is a 403.
- Lists go by cursor: `limit`, `cursor`, and `next_cursor` in the answer, which is null on the last page.
- Every answer about one thing has an ETag. PATCH and DELETE need it back in If-Match: 428 without it, 412 when the
  thing has changed since. `*` takes whatever is there.
- A POST may carry an Idempotency-Key (but for uploads, which bind nobody): the same request with the same key does
  once and answers the same, for a day; another request with that key is a 422.
- When the database cannot be asked, pins and boards that were read lately are answered from memory, marked by
  `x-pinwheel-stale: true`; everything else is a 503 with Retry-After.
"""
