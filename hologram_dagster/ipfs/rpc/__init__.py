"""The Kubo RPC (`POST /api/v0/…`, contract section 3.6) over one `KuboLibrary`.

What belongs here: HTTP, options, uploads, answers and errors in Kubo's shapes. What
does not: the node (see `ipfs.library`) and its process (see `ipfs.server`).
"""
