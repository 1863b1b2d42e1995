"""GraphQL documents: parsed, validated and bounded once, then kept for the next request.

Limits are counted before anything runs: tokens (parsing and validation stay cheap),
nesting, root fields (each is a look-up; aliases would multiply them), and cost: the fields of
the largest answer there can be, a field of a list once for each item.
"""

import threading
from collections import OrderedDict

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    validate,
)

MAX_TOKENS = 2_000
# The introspection query of common tools nests 15 deep.
MAX_DEPTH = 20
MAX_ROOT_FIELDS = 32
# The introspection query of common tools costs about half.
MAX_COST = 100_000
# The most items that each list can have; of introspection about what this schema has.
_ITEMS = {
    "searchApps": 100,
    "searchContent": 100,
    "proofChain": 4,
    "kleinProbes": 10,
    "types": 40,
    "fields": 10,
    "args": 3,
    "inputFields": 3,
    "enumValues": 5,
    "directives": 6,
}
# Of each item, for checking it against the registry's laws.
_CHECKING = {"searchApps": 10, "searchContent": 40}
_LIMIT_DIGITS = 9
_MAX_ERRORS = 10
_CACHED_DOCUMENTS = 256
_CACHED_LENGTH = 8_192


class DocumentError(Exception):
    """A query that will not run: the GraphQL errors to answer with."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class Documents:
    """Prepares the queries of one schema; safe to use from several threads."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._cache: OrderedDict[str, DocumentNode] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, query: str) -> DocumentNode | None:
        """The document of a query prepared before, else None. Never slow."""
        with self._lock:
            document = self._cache.get(query)
            if document is not None:
                self._cache.move_to_end(query)
            return document

    def prepare(self, query: str) -> DocumentNode:
        """Parse, validate and bound `query`.

        Raises:
            DocumentError: it is no valid query of this schema, or beyond a limit.
        """
        try:
            document = parse(query, max_tokens=MAX_TOKENS)
            errors = validate(self._schema, document, max_errors=_MAX_ERRORS) or _beyond_limits(document)
        except GraphQLError as error:
            raise DocumentError([error]) from error
        except RecursionError:
            # The parser descends; so deep a query exhausts it before its depth is counted.
            raise DocumentError([GraphQLError("the query nests too deep.")]) from None
        if errors:
            # Whatever they come from (a number of too many digits), they are about the query.
            raise DocumentError([GraphQLError(error.message, error.nodes) for error in errors])
        if len(query) <= _CACHED_LENGTH:
            with self._lock:
                self._cache[query] = document
                if len(self._cache) > _CACHED_DOCUMENTS:
                    self._cache.popitem(last=False)
        return document


def _beyond_limits(document: DocumentNode) -> list[GraphQLError]:
    # Validation has refused fragment cycles, so following spreads ends.
    measure = _Measure(
        {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    )
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            depth = measure.depth(node.selection_set)
            if depth > MAX_DEPTH:
                return [GraphQLError(f"the query nests {depth} deep; at most {MAX_DEPTH} are allowed.", node)]
            roots = len(measure.root_fields(node.selection_set))
            if roots > MAX_ROOT_FIELDS:
                return [
                    GraphQLError(
                        f"the query asks for {roots} root fields; at most {MAX_ROOT_FIELDS} are allowed.",
                        node,
                    )
                ]
            cost = measure.cost(node.selection_set)
            if cost > MAX_COST:
                return [
                    GraphQLError(
                        f"the query costs {cost} (fields, those of lists for each item); at most {MAX_COST} "
                        "are allowed: ask for less at once, with a literal `limit`.",
                        node,
                    )
                ]
    return []


class _Measure:
    """Depth, root fields and cost of selections, each fragment measured once."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._depths: dict[str, int] = {}
        self._roots: dict[str, frozenset[str]] = {}
        self._costs: dict[str, int] = {}

    def depth(self, selections: SelectionSetNode | None) -> int:
        deepest = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                deepest = max(deepest, 1 + self.depth(node.selection_set))
            elif isinstance(node, InlineFragmentNode):
                deepest = max(deepest, self.depth(node.selection_set))
            elif isinstance(node, FragmentSpreadNode):
                deepest = max(deepest, self._fragment_depth(node.name.value))
        return deepest

    def _fragment_depth(self, name: str) -> int:
        if name not in self._depths:
            self._depths[name] = self.depth(self._fragments[name].selection_set)
        return self._depths[name]

    def root_fields(self, selections: SelectionSetNode) -> frozenset[str]:
        """The answer's keys at the root: equal ones are merged and looked up once."""
        keys: set[str] = set()
        for node in selections.selections:
            if isinstance(node, FieldNode):
                keys.add((node.alias or node.name).value)
            elif isinstance(node, InlineFragmentNode):
                keys |= self.root_fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                keys |= self._fragment_roots(node.name.value)
        return frozenset(keys)

    def _fragment_roots(self, name: str) -> frozenset[str]:
        if name not in self._roots:
            self._roots[name] = self.root_fields(self._fragments[name].selection_set)
        return self._roots[name]

    def cost(self, selections: SelectionSetNode | None) -> int:
        """The fields of the largest answer to `selections`."""
        total = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total += _items(node) * (
                    1 + _CHECKING.get(node.name.value, 0) + self.cost(node.selection_set)
                )
            elif isinstance(node, InlineFragmentNode):
                total += self.cost(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment_cost(node.name.value)
        return total

    def _fragment_cost(self, name: str) -> int:
        if name not in self._costs:
            self._costs[name] = self.cost(self._fragments[name].selection_set)
        return self._costs[name]


def _items(node: FieldNode) -> int:
    most = _ITEMS.get(node.name.value, 1)
    for argument in node.arguments:
        if argument.name.value == "limit" and isinstance(argument.value, IntValueNode):
            digits = argument.value.value
            return min(most, max(1, int(digits))) if len(digits) <= _LIMIT_DIGITS else most
    return most
