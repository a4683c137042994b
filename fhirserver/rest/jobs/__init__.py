"""Work that goes on after the answer: exports, requests that may wait, the index brought up to date.

A request begins it (`export`, `deferring`), a worker's background thread carries it out (`background`), the requester,
and nobody else, asks how it stands and fetches what came of it (`status`).
"""
