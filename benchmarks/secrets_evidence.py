"""Recall and precision of finding secrets, beside detect-secrets: `python benchmarks/secrets_evidence.py`.

Measures over the corpus of the tests and writes the figures into docs/secrets_evidence.md,
between its marks. The corpus is made from a seed, so the figures are the same everywhere.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.secrets.kinds import CONTRACT  # noqa: E402
from hologram_dagster.secrets.redactor import redact  # noqa: E402
from hologram_dagster_tests.secrets.addresses import lines  # noqa: E402
from hologram_dagster_tests.secrets.corpus import PER_KIND, corpus  # noqa: E402
from hologram_dagster_tests.secrets.measuring import detect_secrets, ours, redacted, scores  # noqa: E402

DOCUMENT = ROOT / "docs" / "secrets_evidence.md"
MARKS = "<!-- measured: benchmarks/secrets_evidence.py -->\n", "<!-- end -->\n"
ADDRESSES = 600


def measured() -> Iterator[str]:
    """The lines between the marks."""
    items = corpus()
    own, gone = scores(items, ours), redacted(items)
    with detect_secrets() as finds:
        other = scores(items, finds)
        other_addresses = sum(map(finds, lines(ADDRESSES)))
        other_tree = sum(finds(text) for text in _tree())
    yield "| kind | redacted | found | precision | detect-secrets: found | precision |"
    yield "|---|---|---|---|---|---|"
    for kind in sorted(own, key=lambda kind: (kind not in CONTRACT, kind)):
        mine, theirs = own[kind], other[kind]
        name = f"**{kind}**" if kind in CONTRACT else str(kind)
        redacts = gone[kind] / PER_KIND
        yield f"| {name} | {redacts:.0%} | {mine} | {theirs} |"
    named = [kind for kind in own if kind in CONTRACT]
    for title, kinds in (("the contract's 14", named), ("the rest", [k for k in own if k not in CONTRACT])):
        total = PER_KIND * len(kinds)
        found, false = sum(own[k].found for k in kinds), sum(own[k].false for k in kinds)
        theirs, falsely = sum(other[k].found for k in kinds), sum(other[k].false for k in kinds)
        yield (
            f"| all of {title} | {sum(gone[k] for k in kinds) / total:.1%} | {found / total:.1%} "
            f"| {found / (found + false):.1%} | {theirs / total:.1%} | {theirs / (theirs + falsely):.1%} |"
        )
    addresses = lines(ADDRESSES)
    yield ""
    yield f"| of what is no secret | lines, files | false hits | changed by the redactor | {_OTHER} |"
    yield "|---|---|---|---|---|"
    changed = sum(redact(line) != line for line in addresses)
    yield (
        f"| CIDs, digests, DIDs, nonces, IPNS names, UUIDs | {ADDRESSES} lines | {sum(map(ours, addresses))} "
        f"| {changed} | {other_addresses} |"
    )
    tree = list(_tree())
    hits = sum(map(ours, tree))
    yield f"| this project's own files but its tests | {len(tree)} files | {hits} | | {other_tree} |"


_OTHER = "false hits of detect-secrets"


def _tree() -> Iterator[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if not name.startswith(("hologram_dagster_tests/", ".secrets.baseline")):
            yield (ROOT / name).read_text(errors="replace")


def main() -> None:
    begin, end = MARKS
    text = DOCUMENT.read_text()
    block = begin + "\n" + "\n".join(measured()) + "\n\n" + end
    DOCUMENT.write_text(re.sub(re.escape(begin) + ".*" + re.escape(end), lambda _: block, text, flags=re.S))
    print(block)


if __name__ == "__main__":
    main()
