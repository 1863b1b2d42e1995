"""Keys come from where the user says, leak nowhere, and signatures hold only for what was signed."""

import os
import stat
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import HologramError, SettingsError
from hologram_dagster.processes import start_child
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.signing import (
    Signer,
    key_id_of,
    load_or_create_signer,
    signature_fault,
    verify_signature,
)

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security]

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
# RFC 8032, section 7.1, test 2.
RFC_SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
RFC_PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
RFC_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_rfc_8032_vector() -> None:
    signer = Signer(ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_SECRET)))
    assert signer.public_hex == RFC_PUBLIC
    assert signer.key_id == sha256_hex(bytes.fromhex(RFC_PUBLIC))[:16]
    assert signer.sign(b"\x72") == RFC_SIGNATURE
    assert verify_signature(RFC_PUBLIC, b"\x72", RFC_SIGNATURE)


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_signature_holds_for_its_data_alone(data: bytes, other: bytes) -> None:
    signer = Signer(KEY)
    signature = signer.sign(data)
    assert verify_signature(signer.public_hex, data, signature)
    assert verify_signature(signer.public_hex, other, signature) == (data == other)
    assert not verify_signature(RFC_PUBLIC, data, signature)


@pytest.mark.parametrize(
    ("public_hex", "signature"),
    [
        ("", RFC_SIGNATURE),
        ("zz" * 32, RFC_SIGNATURE),
        (RFC_PUBLIC[:-2], RFC_SIGNATURE),
        (RFC_PUBLIC.upper(), RFC_SIGNATURE),
        (RFC_PUBLIC, RFC_SIGNATURE.upper()),
        (RFC_PUBLIC, ""),
        (RFC_PUBLIC, RFC_SIGNATURE + "\n"),
        (RFC_PUBLIC, f" {RFC_SIGNATURE[1:]}"),
        ("ff" * 32, RFC_SIGNATURE),
    ],
)
def test_malformed_keys_and_signatures_are_false(public_hex: str, signature: str) -> None:
    assert verify_signature(public_hex, b"\x72", signature) is False


def test_trust_is_by_key_id_or_public_key() -> None:
    signer = Signer(KEY)

    def fault(trusted: list[str] | None, key_id: str = signer.key_id) -> str | None:
        return signature_fault(
            key_id=key_id,
            public_hex=signer.public_hex,
            signature_hex=signer.sign(b"x"),
            data=b"x",
            trusted=trusted,
        )

    assert fault(None) is fault([signer.key_id]) is fault([signer.public_hex]) is None
    assert fault([]) == fault([key_id_of(RFC_PUBLIC)]) == f"the key {signer.key_id} is not trusted"
    assert fault(None, key_id_of(RFC_PUBLIC)) == "the key id is not that of the public key"


@pytest.mark.parametrize("text", [PEM, PEM.replace("\n", "\\n")], ids=["lines", "literal \\n"])
def test_given_as_text(tmp_path: Path, text: str) -> None:
    signer = load_or_create_signer(tmp_path / "own.pem", text)
    assert signer.public_hex == Signer(KEY).public_hex
    assert not signer.self_made
    assert not list(tmp_path.iterdir())


def test_given_as_path(tmp_path: Path) -> None:
    (tmp_path / "given.pem").write_text(PEM)
    signer = load_or_create_signer(tmp_path / "own.pem", str(tmp_path / "given.pem"))
    assert signer.public_hex == Signer(KEY).public_hex
    assert not signer.self_made


def test_own_key_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "key.pem"
    first = load_or_create_signer(path, None)
    assert first.self_made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = load_or_create_signer(path, "")
    assert again.self_made
    assert again.public_hex == first.public_hex


def test_processes_starting_at_once_agree_on_one_key(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from hologram_dagster.protocol.signing import load_or_create_signer\n"
        "sys.stdin.read(); print(load_or_create_signer(Path(sys.argv[1]), None).key_id)"
    )
    gate, opener = os.pipe()
    command = [sys.executable, "-c", script, str(tmp_path / "key.pem")]
    children = [start_child(command, stdin=gate, stdout=-1) for _ in range(4)]
    os.close(gate)
    os.close(opener)
    answers = {child.communicate(timeout=60)[0] for child in children}
    assert answers == {f"{load_or_create_signer(tmp_path / 'key.pem', None).key_id}\n".encode()}


def test_own_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    load_or_create_signer(path, None)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_or_create_signer(path, None)


def _encrypted() -> str:
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")).decode()


def _other_kind() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("given_key", "why"),
    [
        (PEM.replace("PRIVATE KEY", "PUBLIC KEY"), "holds no private key"),
        (PEM[:60], "holds no private key"),
        ("sk-" + "0123456789abcdef" * 2, "neither PEM text nor the path"),
        ("a" * 5000, "neither PEM text nor the path"),
        ("nul\0byte", "neither PEM text nor the path"),
        (_encrypted(), "encrypted"),
        (_other_kind(), "not an Ed25519 key"),
    ],
    ids=["public", "cut", "bare secret", "too long for a path", "no path", "encrypted", "other kind"],
)
def test_a_bad_key_is_refused_without_showing_it(tmp_path: Path, given_key: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        load_or_create_signer(tmp_path / "own.pem", given_key)
    assert "HOLOGRAM_SIGNING_KEY" in str(caught.value)
    assert not [
        line
        for line in given_key.splitlines()
        if len(line) > 20 and "-----" not in line and line in str(caught.value)
    ]
    assert not list(tmp_path.iterdir())


def test_a_damaged_own_key_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"key\.pem holds no private key"):
        load_or_create_signer(path, None)
    assert path.read_text() == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HologramError, match=r"file/key\.pem"):
        load_or_create_signer(tmp_path / "file" / "key.pem", None)


def test_repr_shows_no_key() -> None:
    assert repr(Signer(KEY)) == f"Signer(key_id='{Signer(KEY).key_id}', self_made=False)"
