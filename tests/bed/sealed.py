# SPDX-License-Identifier: ISC
"""The store of mailtokend, read with its own key, without its code."""
import ctypes
import json
from pathlib import Path

_sodium = ctypes.CDLL("libsodium.so.23")
_decrypt = _sodium.crypto_aead_xchacha20poly1305_ietf_decrypt
_OVERHEAD, _NONCE = 16, 24


def _open(header, box, key):
    """What `box` holds; the nonce is at the end of the header."""
    clear = ctypes.create_string_buffer(len(box))
    if _decrypt(clear, None, None, box, ctypes.c_ulonglong(len(box)), header,
                ctypes.c_ulonglong(len(header)), header[-_NONCE:], key):
        raise AssertionError("does not open")
    return clear.raw[:len(box) - _OVERHEAD]


def store_key(state, own):
    """The store key, by the key `own` of the only slot, which must not be a
    passphrase."""
    slots = json.loads((Path(state) / "store.key").read_text())
    [slot] = slots["slots"]
    header = (b"mtkeyslot1\0" + bytes.fromhex(slots["key_id"]) +
              slot["kind"].encode() + b"\0" + slot["name"].encode() + b"\0" +
              bytes(16) + b"0 0\0" + bytes.fromhex(slot["nonce"]))
    return _open(header, bytes.fromhex(slot["wrapped"]), own)


def read_record(state, account, own=None):
    """The record of the account as a dict; `own`: key of the slot, by default
    that in the state directory."""
    key = store_key(state, own or (Path(state) / "key").read_bytes())
    data = (Path(state) / f"{account}.token").read_bytes()
    if data[:9] != b"mtrecord\x01":
        raise AssertionError("not sealed")
    at = 9 + 16 + 8
    for expected in account, None:
        text = data[at + 1:at + 1 + data[at]].decode()
        if expected is not None and text != expected:
            raise AssertionError(f"the record of {text}")
        at += 1 + data[at]
    at += _NONCE
    return json.loads(_open(data[:at], data[at:], key))
