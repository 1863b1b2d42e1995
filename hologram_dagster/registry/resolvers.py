"""`schema.graphql` bound to the catalogue: argument in, entry out, no rule of its own.

`info.context` is the `Caller`.
"""

from pathlib import Path
from typing import Any

from ariadne import MutationType, ObjectType, QueryType, load_schema_from_path, make_executable_schema
from graphql import GraphQLResolveInfo, GraphQLSchema

from hologram_dagster.registry import proofs
from hologram_dagster.registry.catalogue import Catalogue
from hologram_dagster.registry.store import Entry

_SCHEMA = Path(__file__).with_name("schema.graphql")


def build_schema(catalogue: Catalogue) -> GraphQLSchema:
    """The executable schema over `catalogue`."""
    return make_executable_schema(
        load_schema_from_path(str(_SCHEMA)),
        _queries(catalogue),
        _mutations(catalogue),
        _resolution(),
        _publication(),
        convert_names_case=True,
    )


def _queries(catalogue: Catalogue) -> QueryType:
    query = QueryType()

    @query.field("resolve")
    def resolve(_: Any, info: GraphQLResolveInfo, *, name: str) -> Entry | None:
        return catalogue.resolve(info.context, name)

    @query.field("inverseResolve")
    def inverse_resolve(_: Any, info: GraphQLResolveInfo, *, encoding: str) -> Entry | None:
        return catalogue.inverse_resolve(info.context, encoding)

    @query.field("verifyProof")
    def verify_proof(_: Any, info: GraphQLResolveInfo, *, name: str, tampered_hash: str) -> dict[str, bool]:
        return {"valid": catalogue.verify_proof(info.context, name, tampered_hash)}

    @query.field("searchApps")
    def search_apps(_: Any, info: GraphQLResolveInfo, *, q: str) -> list[dict[str, str]]:
        return [{"name": name, "cid": cid} for name, cid in catalogue.search(info.context, q)]

    return query


def _mutations(catalogue: Catalogue) -> MutationType:
    mutation = MutationType()

    @mutation.field("upsertObject")
    def upsert_object(_: Any, info: GraphQLResolveInfo, *, name: str, content: str) -> Entry:
        return catalogue.upsert_object(info.context, name, content)

    @mutation.field("publishApp")
    @mutation.field("marketplacePublish")
    @mutation.field("upsertService")
    def publish(
        _: Any,
        info: GraphQLResolveInfo,
        *,
        name: str,
        cid: str,
        manifest_cid: str | None = None,
        sha_256: str | None = None,
    ) -> Entry:
        return catalogue.publish(info.context, name, cid, manifest_cid, sha_256)

    @mutation.field("installApp")
    @mutation.field("appsInstall")
    def install(_: Any, info: GraphQLResolveInfo, *, name: str) -> dict[str, str]:
        return {"name": catalogue.install(info.context, name).name, "status": "installed"}

    @mutation.field("installByCid")
    def install_by_cid(_: Any, info: GraphQLResolveInfo, *, cid: str) -> dict[str, str]:
        return {"name": catalogue.install_by_cid(info.context, cid).name, "status": "installed"}

    @mutation.field("uninstallApp")
    @mutation.field("appsUninstall")
    def uninstall(_: Any, info: GraphQLResolveInfo, *, name: str) -> dict[str, str]:
        catalogue.uninstall(info.context, name)
        return {"name": name, "status": "uninstalled"}

    @mutation.field("unpublishApp")
    def unpublish(_: Any, info: GraphQLResolveInfo, *, name: str) -> dict[str, str]:
        catalogue.unpublish(info.context, name)
        return {"name": name, "status": "unpublished"}

    return mutation


def _resolution() -> ObjectType:
    resolution = ObjectType("Resolution")

    @resolution.field("proofChain")
    def proof_chain(entry: Entry, _: GraphQLResolveInfo) -> list[proofs.Layer]:
        return proofs.chain(entry)

    @resolution.field("proofs")
    def merkle_proofs(entry: Entry, _: GraphQLResolveInfo) -> proofs.Proofs:
        return proofs.proofs(entry)

    return resolution


def _publication() -> ObjectType:
    publication = ObjectType("Publication")
    publication.set_alias("id", "encoding")

    @publication.field("ok")
    def ok(_: Entry, __: GraphQLResolveInfo) -> bool:
        # There is an entry only after it was checked, pinned and written.
        return True

    return publication
