"""IPFS for the gate: node processes, the Kubo RPC they serve, and the one client of it.

What belongs here: `node` (child processes), `server` and `rpc` (what a child runs),
`client` (what every other package uses), `cids` (checking content without a node).
What does not: which node a run uses (see `stack`), and what is published (see `e2e`).
"""
