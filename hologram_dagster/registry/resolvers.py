"""`schema.graphql` bound to the catalogues: argument in, entry out, no rule of its own.

`info.context` is an `Asking`.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ariadne import (
    MutationType,
    ObjectType,
    QueryType,
    SubscriptionType,
    load_schema_from_path,
    make_executable_schema,
)
from graphql import GraphQLResolveInfo, GraphQLSchema

from hologram_dagster.registry import proofs
from hologram_dagster.registry.auth import Access, Caller
from hologram_dagster.registry.catalogue import Catalogue
from hologram_dagster.registry.content_catalogue import ContentCatalogue
from hologram_dagster.registry.events import ConservationViolation, ContentResolved, Events
from hologram_dagster.registry.figures import Figures
from hologram_dagster.registry.guard import Guard
from hologram_dagster.registry.store import Content, Entry, Filters
from hologram_dagster.registry.witness import Witness, witness_of

_SCHEMA = Path(__file__).with_name("schema.graphql")
# So much text one answer's searches may hold together.
MAX_FOUND_BYTES = 16 << 20


@dataclass(slots=True)
class Asking:
    """One request: who sent it, and how many bytes of content its searches may still find."""

    caller: Caller
    bytes_left: int = MAX_FOUND_BYTES


@dataclass(frozen=True, slots=True)
class Parts:
    """What the resolvers call."""

    catalogue: Catalogue
    contents: ContentCatalogue
    figures: Figures
    events: Events
    access: Access
    guard: Guard


def build_schema(parts: Parts) -> GraphQLSchema:
    """The executable schema of both dialects."""
    return make_executable_schema(
        load_schema_from_path(str(_SCHEMA)),
        _queries(parts.catalogue),
        _mutations(parts.catalogue, parts.contents),
        _resolution(),
        _publication(),
        _content_queries(parts),
        _content_mutations(parts.contents),
        _content(),
        _subscriptions(parts.events, parts.access),
        convert_names_case=_python_name,
    )


def _python_name(name: str, _schema: GraphQLSchema, _path: tuple[str, ...]) -> str:
    """`manifestCid` is `manifest_cid`; digits stay where they are (`sha256`, `r96_class`)."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _queries(catalogue: Catalogue) -> QueryType:
    query = QueryType()

    @query.field("resolve")
    def resolve(_: Any, info: GraphQLResolveInfo, *, name: str) -> proofs.Checked | None:
        return catalogue.resolve(info.context.caller, name)

    @query.field("inverseResolve")
    def inverse_resolve(_: Any, info: GraphQLResolveInfo, *, encoding: str) -> Entry | None:
        return catalogue.inverse_resolve(info.context.caller, encoding)

    @query.field("verifyProof")
    def verify_proof(_: Any, info: GraphQLResolveInfo, *, name: str, tampered_hash: str) -> dict[str, bool]:
        return {"valid": catalogue.verify_proof(info.context.caller, name, tampered_hash)}

    @query.field("searchApps")
    def search_apps(_: Any, info: GraphQLResolveInfo, *, q: str) -> list[Entry]:
        return catalogue.search(info.context.caller, q)

    return query


def _mutations(catalogue: Catalogue, contents: ContentCatalogue) -> MutationType:
    mutation = MutationType()

    @mutation.field("upsertObject")
    def upsert_object(_: Any, info: GraphQLResolveInfo, *, name: str, content: str) -> Entry:
        return contents.store(info.context.caller, name, content).entry

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
        sha256: str | None = None,
    ) -> Entry:
        return catalogue.publish(info.context.caller, name, cid, manifest_cid, sha256)

    @mutation.field("installApp")
    @mutation.field("appsInstall")
    def install(_: Any, info: GraphQLResolveInfo, *, name: str) -> dict[str, str]:
        return {"name": catalogue.install(info.context.caller, name).name, "status": "installed"}

    @mutation.field("installByCid")
    def install_by_cid(_: Any, info: GraphQLResolveInfo, *, cid: str) -> dict[str, str]:
        return {"name": catalogue.install_by_cid(info.context.caller, cid).name, "status": "installed"}

    @mutation.field("uninstallApp")
    @mutation.field("appsUninstall")
    def uninstall(_: Any, info: GraphQLResolveInfo, *, name: str) -> dict[str, str]:
        catalogue.uninstall(info.context.caller, name)
        return {"name": name, "status": "uninstalled"}

    @mutation.field("unpublishApp")
    def unpublish(_: Any, info: GraphQLResolveInfo, *, name: str) -> dict[str, str]:
        catalogue.unpublish(info.context.caller, name)
        return {"name": name, "status": "unpublished"}

    return mutation


def _resolution() -> ObjectType:
    resolution = ObjectType("Resolution")

    @resolution.field("name")
    def name(checked: proofs.Checked, _: GraphQLResolveInfo) -> str:
        return checked.entry.name

    @resolution.field("cid")
    def cid(checked: proofs.Checked, _: GraphQLResolveInfo) -> str:
        return checked.intact().cid

    @resolution.field("manifestCid")
    def manifest_cid(checked: proofs.Checked, _: GraphQLResolveInfo) -> str | None:
        return checked.intact().manifest_cid

    @resolution.field("encoding")
    def encoding(checked: proofs.Checked, _: GraphQLResolveInfo) -> str:
        return checked.intact().encoding

    @resolution.field("proofChain")
    def proof_chain(checked: proofs.Checked, _: GraphQLResolveInfo) -> tuple[proofs.Layer, ...]:
        return checked.layers

    @resolution.field("proofs")
    def merkle_proofs(checked: proofs.Checked, _: GraphQLResolveInfo) -> proofs.Proofs:
        return proofs.proofs(checked)

    return resolution


def _publication() -> ObjectType:
    publication = ObjectType("Publication")
    publication.set_alias("id", "encoding")

    @publication.field("ok")
    def ok(_: Entry, __: GraphQLResolveInfo) -> bool:
        # There is an entry only after it was checked, pinned and written.
        return True

    return publication


def _content_queries(parts: Parts) -> QueryType:
    query = QueryType()
    contents, figures = parts.contents, parts.figures

    @query.field("resolveContent")
    def resolve_content(_: Any, info: GraphQLResolveInfo, *, name: str) -> Content | None:
        return contents.resolve(info.context.caller, name)

    @query.field("resolveByUORID")
    def resolve_by_id(_: Any, info: GraphQLResolveInfo, *, uor_id: str) -> Content | None:
        return contents.resolve_by_id(info.context.caller, uor_id)

    @query.field("resolveByCoordinates")
    def resolve_at(_: Any, info: GraphQLResolveInfo, *, page: int, cycle: int) -> Content | None:
        return contents.resolve_at(info.context.caller, page, cycle)

    @query.field("searchContent")
    def search_content(
        _: Any,
        info: GraphQLResolveInfo,
        *,
        limit: int | None,
        offset: int | None,
        mime_type: str | None = None,
        r96_class: int | None = None,
        page: int | None = None,
        cycle: int | None = None,
    ) -> list[Content]:
        asking: Asking = info.context
        found = contents.search(
            asking.caller,
            Filters(mime_type, r96_class, page, cycle),
            limit=10 if limit is None else limit,
            offset=offset or 0,
            max_bytes=asking.bytes_left,
        )
        asking.bytes_left -= sum(len(content.data) for content in found)
        return found

    @query.field("resolutionStats")
    def resolution_stats(_: Any, __: GraphQLResolveInfo) -> dict[str, float]:
        return {
            "total_content": contents.count(),
            "total_resolutions": figures.resolutions,
            "average_resolution_time": figures.average_resolution_ms,
            "conservation_violations": figures.violations,
            "bijection_integrity": figures.bijection_integrity,
        }

    @query.field("operationSecurity")
    def operation_security(_: Any, __: GraphQLResolveInfo) -> dict[str, Any]:
        return parts.guard.advertised()

    return query


def _content_mutations(contents: ContentCatalogue) -> MutationType:
    mutation = MutationType()

    @mutation.field("storeContent")
    def store_content(
        _: Any, info: GraphQLResolveInfo, *, name: str, data: str, mime_type: str | None = None
    ) -> Content:
        return contents.store(info.context.caller, name, data, mime_type)

    @mutation.field("updateContent")
    def update_content(_: Any, info: GraphQLResolveInfo, *, id: str, data: str) -> Content:
        return contents.update(info.context.caller, id, data)

    @mutation.field("deleteContent")
    def delete_content(_: Any, info: GraphQLResolveInfo, *, id: str) -> bool:
        return contents.delete(info.context.caller, id)

    return mutation


def _content() -> ObjectType:
    content = ObjectType("Content")

    @content.field("id")
    @content.field("encoding")
    def encoding(found: Content, _: GraphQLResolveInfo) -> str:
        return found.entry.encoding

    @content.field("name")
    def name(found: Content, _: GraphQLResolveInfo) -> str:
        return found.entry.name

    @content.field("data")
    def data(found: Content, _: GraphQLResolveInfo) -> str:
        return found.data.decode()

    @content.field("witness")
    def witness(found: Content, _: GraphQLResolveInfo) -> Witness:
        return witness_of(found)

    @content.field("metadata")
    def metadata(found: Content, _: GraphQLResolveInfo) -> dict[str, Any]:
        atlas = dict(found.entry.atlas)
        return {
            "created_at": found.created_at,
            "updated_at": found.updated_at,
            "size": found.entry.size,
            "mime_type": found.mime_type,
            "checksum": found.entry.sha256,
            "atlas12288": {
                "page": found.page,
                "cycle": found.cycle,
                "r96_class": found.r96_class,
                "klein_window": atlas["kleinWindow"],
                "conservation_hash": atlas["conservationHash"],
            },
        }

    return content


def _subscriptions(events: Events, access: Access) -> SubscriptionType:
    subscription = SubscriptionType()

    @subscription.source("contentResolved")
    async def content_resolved(_: Any, info: GraphQLResolveInfo) -> AsyncGenerator[ContentResolved, None]:
        async with aclosing(events.listen(ContentResolved)) as happening:
            async for event in happening:
                if access.may_read(info.context.caller, event.content.entry.name):
                    yield event

    @subscription.source("conservationViolation")
    async def conservation_violation(
        _: Any, info: GraphQLResolveInfo
    ) -> AsyncGenerator[ConservationViolation, None]:
        async with aclosing(events.listen(ConservationViolation)) as happening:
            async for event in happening:
                if access.may_read(info.context.caller, event.name):
                    yield event

    @subscription.field("contentResolved")
    @subscription.field("conservationViolation")
    def itself(event: Any, _: GraphQLResolveInfo) -> Any:
        return event

    return subscription
