"""The schema holds the types of contract section 3.5, name for name."""

from pathlib import Path

import pytest
from graphql import GraphQLObjectType, build_schema

from hologram_dagster import registry

pytestmark = pytest.mark.phase5_graphql

# Type: field or `field(argument: type = default)`, and the field's type.
CONTRACT = {
    "Content": {
        "id": "String!",
        "name": "String!",
        "encoding": "String!",
        "data": "String!",
        "witness": "Witness!",
        "metadata": "ContentMetadata!",
    },
    "ContentMetadata": {
        "createdAt": "String!",
        "updatedAt": "String!",
        "size": "Int!",
        "mimeType": "String",
        "checksum": "String!",
        "atlas12288": "Atlas12288Metadata!",
    },
    "Atlas12288Metadata": {
        "page": "Int!",
        "cycle": "Int!",
        "r96Class": "Int!",
        "kleinWindow": "Int!",
        "conservationHash": "String!",
    },
    "Witness": {
        "id": "String!",
        "proof": "String!",
        "verificationTime": "String!",
        "isValid": "Boolean!",
        "conservationProof": "ConservationProof!",
    },
    "ConservationProof": {
        "pageConservation": "Boolean!",
        "cycleConservation": "Boolean!",
        "kleinProbes": "[KleinProbe!]!",
        "r96Classification": "R96Proof!",
    },
    "KleinProbe": {"windowId": "Int!", "result": "Boolean!", "value": "Int!"},
    "R96Proof": {
        "inputClass": "Int!",
        "outputClass": "Int!",
        "compressionRatio": "Float!",
        "isValid": "Boolean!",
    },
    "ResolutionStats": {
        "totalContent": "Int!",
        "totalResolutions": "Int!",
        "averageResolutionTime": "Float!",
        "conservationViolations": "Int!",
        "bijectionIntegrity": "Float!",
    },
    "ContentResolutionEvent": {"content": "Content!", "resolutionTime": "Float!", "method": "String!"},
    "ConservationViolationEvent": {
        "contentId": "String!",
        "violationType": "String!",
        "details": "String!",
        "timestamp": "String!",
    },
    "Query": {
        "resolveContent(name: String!)": "Content",
        "resolveByUORID(uorId: String!)": "Content",
        "resolveByCoordinates(page: Int!, cycle: Int!)": "Content",
        "searchContent(mimeType: String, r96Class: Int, page: Int, cycle: Int, limit: Int = 10, "
        "offset: Int = 0)": "[Content!]!",
        "resolutionStats": "ResolutionStats!",
    },
    "Mutation": {
        "storeContent(name: String!, data: String!, mimeType: String)": "Content!",
        "updateContent(id: String!, data: String!)": "Content!",
        "deleteContent(id: String!)": "Boolean!",
    },
    "Subscription": {
        "contentResolved": "ContentResolutionEvent!",
        "conservationViolation": "ConservationViolationEvent!",
    },
}
# These hold the first dialect's fields, too.
SHARED = {"Query", "Mutation"}


def _fields(of: GraphQLObjectType) -> dict[str, str]:
    fields = {}
    for name, field in of.fields.items():
        arguments = []
        for argument, defined in field.args.items():
            default = defined.ast_node.default_value if defined.ast_node else None
            value = f" = {getattr(default, 'value', None)}" if default is not None else ""
            arguments.append(f"{argument}: {defined.type}{value}")
        fields[f"{name}({', '.join(arguments)})" if arguments else name] = str(field.type)
    return fields


@pytest.mark.parametrize("name", list(CONTRACT))
def test_a_type_is_the_contracts(name: str) -> None:
    schema = build_schema(Path(registry.__path__[0], "schema.graphql").read_text())
    found = schema.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    fields = _fields(found)
    if name in SHARED:
        fields = {field: kind for field, kind in fields.items() if field in CONTRACT[name]}
    assert fields == CONTRACT[name]
