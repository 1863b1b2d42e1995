"""The reference GraphQL registry: names, what they name, and the proofs of it.

What belongs here: schema, resolvers, store, tokens, the server and its client.
What does not: IPFS nodes (`ipfs`) and how registry and nodes are run together (`stack`).
"""
