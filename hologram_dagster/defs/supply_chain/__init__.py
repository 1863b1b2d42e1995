"""Supply-chain evidence, and the attestation of the verdict."""
