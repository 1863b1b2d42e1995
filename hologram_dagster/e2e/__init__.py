"""End to end: publish, install and use through real IPFS and GraphQL (contract section 3)."""
