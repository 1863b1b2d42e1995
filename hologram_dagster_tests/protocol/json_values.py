"""JSON values for hypothesis, with the keys and texts that JavaScript treats apart."""

from typing import Any

from hypothesis import strategies as st

# Surrogates only paired: how lone ones print is its own test.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
keys = texts | st.integers(0, 30).map(str) | st.sampled_from(["01", "-1", "4294967294", "4294967295"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(keys, values, max_size=4)
