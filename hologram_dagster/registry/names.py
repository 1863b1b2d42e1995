"""What a name may look like, and which names are protected."""

import unicodedata

from hologram_dagster.registry.faults import Code, RefusedError

MAX_NAME_LENGTH = 512
PROTECTED_PREFIX = "secure"


def invisible_in(text: str) -> str | None:
    """The first character of `text` that cannot be seen or told apart; None when all can.

    Control, format (zero-width, bidi), surrogate, private and unassigned characters, and
    spaces other than the common one.
    """
    return next((character for character in text if not character.isprintable()), None)


def fault_of(name: str) -> str | None:
    """Why `name` cannot be a name, as the end of a sentence; None when it can."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"is {len(name)} characters long; at most {MAX_NAME_LENGTH} are allowed"
    invisible = invisible_in(name)
    if invisible is not None:
        return f"holds the invisible character U+{ord(invisible):04X}"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode normal form NFC"
    if name != name.strip():
        return "begins or ends with a space"
    if "\\" in name:
        return "holds a backslash; parts are separated by '/'"
    if any(part in {"", ".", ".."} for part in name.split("/")):
        return "has an empty, '.' or '..' part"
    return None


def check_name(name: str) -> None:
    """Refuse a name that cannot be published.

    Raises:
        RefusedError: BAD_REQUEST, saying what is wrong with it.
    """
    fault = fault_of(name)
    if fault is not None:
        raise RefusedError(Code.BAD_REQUEST, f"the name {fault}.")


def is_protected(name: str) -> bool:
    """Whether `name` lies under `secure/`, however its letters are written.

    Case and compatibility forms (full-width letters) are folded, and leading slashes,
    dots and spaces dropped, so that no look-alike of a protected name is open.
    """
    folded = unicodedata.normalize("NFKC", name).casefold().lstrip("/. ")
    return folded.split("/", 1)[0].strip() == PROTECTED_PREFIX
