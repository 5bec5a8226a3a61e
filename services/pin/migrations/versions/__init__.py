"""One module a revision, named in the order they apply."""
