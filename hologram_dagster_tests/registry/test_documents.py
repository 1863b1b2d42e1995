"""A query is bounded before it runs: tokens, nesting, root fields, introspection."""

import pytest
from ariadne import make_executable_schema
from graphql import get_introspection_query

from hologram_dagster.registry.documents import MAX_DEPTH, MAX_ROOT_FIELDS, DocumentError, Documents

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase2_5_hardening]


@pytest.fixture
def documents() -> Documents:
    return Documents(make_executable_schema("type Query { a: Query, b(n: Int): Int }"))


def nested(levels: int) -> str:
    return "{" + "a{" * (levels - 1) + "b" + "}" * levels


def test_a_prepared_query_is_known(documents: Documents) -> None:
    assert documents.known("{ b }") is None
    prepared = documents.prepare("{ b }")
    assert documents.known("{ b }") is prepared


def test_the_deepest_query_is_fine(documents: Documents) -> None:
    documents.prepare(nested(MAX_DEPTH))


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 400, 900])
def test_deeper_ones_are_refused(documents: Documents, levels: int) -> None:
    with pytest.raises(DocumentError, match="deep"):
        documents.prepare(nested(levels))


def test_depth_hidden_in_fragments_is_seen(documents: Documents) -> None:
    chain = " ".join(f"fragment f{i} on Query {{ a {{ ...f{i + 1} }} }}" for i in range(MAX_DEPTH))
    last = f"fragment f{MAX_DEPTH} on Query {{ b }}"
    with pytest.raises(DocumentError, match="deep"):
        documents.prepare(f"{{ ...f0 }} {chain} {last}")


def test_a_fragment_that_holds_itself_is_refused(documents: Documents) -> None:
    with pytest.raises(DocumentError, match="within itself"):
        documents.prepare("{ ...f } fragment f on Query { a { ...f } }")


def fields(count: int) -> str:
    return " ".join(f"x{i}: b(n: {i})" for i in range(count))


def test_the_most_root_fields_are_fine(documents: Documents) -> None:
    documents.prepare(f"{{ {fields(MAX_ROOT_FIELDS)} }}")


@pytest.mark.parametrize(
    "query",
    [
        f"{{ {fields(MAX_ROOT_FIELDS + 1)} }}",
        f"{{ ...f }} fragment f on Query {{ {fields(MAX_ROOT_FIELDS + 1)} }}",
        f"{{ ... {{ {fields(MAX_ROOT_FIELDS + 1)} }} }}",
    ],
)
def test_more_of_them_are_refused(documents: Documents, query: str) -> None:
    with pytest.raises(DocumentError, match="root fields"):
        documents.prepare(query)


def test_endless_queries_are_refused_early(documents: Documents) -> None:
    with pytest.raises(DocumentError, match="token"):
        documents.prepare("{" + "b " * 100_000 + "}")


def test_introspection_of_tools_passes_and_its_abuse_does_not(documents: Documents) -> None:
    documents.prepare(get_introspection_query())
    abuse = "{ __schema { types " + "{ fields { type " * 6 + "{ name }" + "}}" * 6 + " } }"
    with pytest.raises(DocumentError):
        documents.prepare(abuse)


def test_the_cache_is_bounded_and_keeps_what_is_used(documents: Documents) -> None:
    documents.prepare("{ b }")
    for i in range(300):
        documents.prepare(f"{{ b(n: {i}) }}")
        assert documents.known("{ b }") is not None
    assert documents.known("{ b(n: 0) }") is None


def test_large_queries_are_not_kept(documents: Documents) -> None:
    query = "{ b } #" + "x" * 10_000
    documents.prepare(query)
    assert documents.known(query) is None
