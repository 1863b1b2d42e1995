"""What a demo stack holds: the objects that the contract's clients ask for."""

from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.registry.client import RegistryClient

# Contract section 2.8 (GRAPHQL_TEST_NAME, GRAPHQL_SECURE_NAME) and 3.4 (the content).
OPEN_NAME = "demo/object/alpha"
PROTECTED_NAME = "secure/object/admin-only"
OBJECTS = {OPEN_NAME: "Hello Hologram", PROTECTED_NAME: "For administrators only"}

_UPSERT = (
    "mutation($name: String!, $content: String!) { upsertObject(name: $name, content: $content) { cid } }"
)


def seed(ipfs_api: str, graphql_url: str, token: str) -> None:
    """Publish the demo objects, and read them back from IPFS; seeding twice is fine.

    `token` needs the role admin, as one object is protected.

    Raises:
        ServiceError: registry or node refused, or the node's bytes differ.
    """
    with IpfsClient(ipfs_api) as ipfs, RegistryClient(graphql_url, token=token) as registry:
        for name, content in OBJECTS.items():
            cid = registry.execute(_UPSERT, {"name": name, "content": content})["upsertObject"]["cid"]
            if ipfs.cat(cid) != content.encode():
                raise ServiceError(
                    f"the IPFS node at {ipfs_api} gave other bytes for {name} than were stored."
                )
