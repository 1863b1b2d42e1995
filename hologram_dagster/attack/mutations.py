"""Every mutation of both dialects (contract sections 3.4 and 3.5), as what may be refused to somebody.

Each takes of the same variables what it needs: `n` a name, `c` a CID, `i` the id of a content.
"""

from collections.abc import Mapping
from typing import Final


def _of(field: str, arguments: str, selection: str) -> str:
    types = {"$n": "$n: String!", "$c": "$c: String!", "$i": "$i: String!"}
    needed = ", ".join(declared for variable, declared in types.items() if variable in arguments)
    return f"mutation({needed}) {{ {field}({arguments}) {selection} }}"


MUTATIONS: Final[Mapping[str, str]] = {
    "storeContent": _of("storeContent", 'name: $n, data: "stored"', "{ id }"),
    "updateContent": _of("updateContent", 'id: $i, data: "updated"', "{ id }"),
    "deleteContent": _of("deleteContent", "id: $i", ""),
    "upsertObject": _of("upsertObject", 'name: $n, content: "upserted"', "{ id }"),
    **{
        field: _of(field, "name: $n, cid: $c", "{ id }")
        for field in ("publishApp", "marketplacePublish", "upsertService")
    },
    **{
        field: _of(field, "name: $n", "{ name }")
        for field in ("installApp", "appsInstall", "uninstallApp", "appsUninstall", "unpublishApp")
    },
    "installByCid": _of("installByCid", "cid: $c", "{ name }"),
}
