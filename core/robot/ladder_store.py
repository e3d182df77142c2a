"""The ladder's file: evidence as sealed JSON. Whatever is wrong with the file, nothing is unlocked by it.

The seal is a keyed digest (the key lies beside the file, readable by its user only). It does not keep out somebody who
means harm and has the user's rights; it makes sure that a file that was edited, copied from elsewhere, half restored or
damaged counts for nothing.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.files import data_folder, write_atomically
from core.robot.ladder_evidence import Evidence

VERSION = 1
LADDER_FILE = "ladder.json"
MAX_BYTES = 8 << 20
MAX_RECORDS = 5000
"""Beyond this the oldest sessions go: they have expired long before."""


class LadderError(ValueError):
    """The ladder's file cannot be believed; the message says why and what to do."""


class LadderStore:
    """Reads and appends. Several processes may use the same file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_folder() / LADDER_FILE
        self._key_path = self.path.with_suffix(".key")

    def read(self) -> tuple[Evidence, ...]:
        """Every record, oldest first; none where there is no file. Raises LadderError."""
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise self._error(f"it is larger than {MAX_BYTES >> 20} MiB")
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise self._error(str(error)) from None
        return self._parse(text)

    def put(self, evidence: Evidence) -> None:
        """Add a record, or replace the one with the same id. Raises OSError when the disk does not take it.

        A file that cannot be believed is set aside under another name, and a new one begins: it unlocks nothing.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            try:
                records = self.read()
            except LadderError:
                self._set_aside()
                records = ()
            kept = [record for record in records if record.id != evidence.id]
            self._write([*kept, evidence][-MAX_RECORDS:])

    def drop(self, identity: str) -> None:
        """Forget a session in which nothing happened. Raises OSError, LadderError."""
        with self._locked():
            self._write([record for record in self.read() if record.id != identity])

    def _parse(self, text: str) -> tuple[Evidence, ...]:
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
            if not isinstance(data, dict) or set(data) != {"version", "records", "seal"}:
                raise ValueError("it is not an object with version, records and seal")
            if data["version"] != VERSION or isinstance(data["version"], bool):
                raise ValueError(f"its version is {data['version']!r}, this program knows {VERSION}")
            if not isinstance(data["records"], list) or not isinstance(data["seal"], str):
                raise ValueError("records must be a list and the seal text")
            if not hmac.compare_digest(data["seal"].encode(), self._seal(data["records"]).encode()):
                raise ValueError("its seal is broken: it was edited, damaged or made elsewhere")
            return tuple(Evidence.from_json(record) for record in data["records"])
        except (ValueError, TypeError, RecursionError, OSError) as error:
            raise self._error(str(error)) from None

    def _write(self, records: list[Evidence]) -> None:
        plain = [record.to_json() for record in records]
        content = {"version": VERSION, "records": plain, "seal": self._seal(plain, make_key=True)}
        write_atomically(self.path, json.dumps(content, indent=1, allow_nan=False) + "\n", 0o600)

    def _seal(self, records: list[Any], make_key: bool = False) -> str:
        text = json.dumps([VERSION, records], sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hmac.new(self._key(make_key), text.encode(), hashlib.sha256).hexdigest()

    def _key(self, make: bool) -> bytes:
        """Raises ValueError where there is none, or it is no key."""
        try:
            key = bytes.fromhex(self._key_path.read_text(encoding="ascii"))
        except FileNotFoundError:
            if not make:
                raise ValueError(f"its key {self._key_path.name} is missing") from None
            key = secrets.token_bytes(32)
            write_atomically(self._key_path, key.hex(), 0o600)
        if len(key) != 32:
            raise ValueError(f"its key {self._key_path.name} is damaged")
        return key

    def _set_aside(self) -> None:
        with contextlib.suppress(OSError):
            self.path.replace(self.path.with_name(f"{self.path.stem}-broken-{time.strftime('%Y%m%d-%H%M%S')}.json"))
        try:
            self._key(make=False)
        except ValueError:
            with contextlib.suppress(OSError):
                self._key_path.unlink()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _error(self, why: str) -> LadderError:
        return LadderError(
            f"the ladder's file {self.path} counts for nothing: {why}; every rung above simulation is locked, "
            "gather the evidence anew (the next session sets the file aside)"
        )


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def new_id(wall: Callable[[], float] = time.time) -> str:
    """Of a session; begins with its time, so that files read well."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(wall()))}-{secrets.token_hex(4)}"
