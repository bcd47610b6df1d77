"""API keys: made once, kept only as a hash, checked in constant time."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa
from pydantic import ValidationError

from aqc.checks import shown
from aqc.errors import InputError
from aqc_service import tables
from aqc_service.database import now, open_engine, reading, writing
from aqc_service.quota import Quota
from aqc_service.settings import ServiceSettings

Scope = Literal["user", "reader", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_KEY = re.compile(r"aqc_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Key:
    """A key without its secret.

    Attributes:
        prefix: Its name.
        owner: Whose jobs it opens.
        scope: user: all; reader: only to look; metrics: only /metrics.
        quota: What differs from the service's quota.
    """

    prefix: str
    owner: str
    scope: Scope
    quota: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create(
    engine: sa.Engine,
    owner: str,
    *,
    scope: str = "user",
    days: float | None = None,
    quota: Mapping[str, Any] | None = None,
) -> tuple[Key, str]:
    """Make a key; its text is told now and never again.

    Args:
        engine: The database.
        owner: Whose jobs it opens: letters, digits and . _ @ -.
        scope: user, reader or metrics.
        days: After which it is of no use.
        quota: Fields of the quota that differ from the service's.

    Returns:
        The key and its text.

    Raises:
        InputError: If one of the arguments is no good.
    """
    if not _OWNER.fullmatch(owner):
        raise InputError(
            f"The owner must be 1 to 64 letters, digits and . _ @ -, but is {shown(owner)}."
        )
    if scope not in SCOPES:
        raise InputError(f"The scope must be one of {', '.join(SCOPES)}, but is {shown(scope)}.")
    if days is not None and not 0 < days <= 36500:
        raise InputError(f"The days must be more than 0 and at most 36500, but are {days:g}.")
    _check_quota(quota or {})
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
    with writing(engine) as connection:
        at = now(connection)
        row = {
            "prefix": prefix,
            "owner": owner,
            "scope": scope,
            "quota": dict(quota or {}),
            "created_at": at,
            "expires_at": None if days is None else at + timedelta(days=days),
            "revoked_at": None,
        }
        connection.execute(sa.insert(tables.api_key).values(hash=_hash(secret), **row))
    return Key(**row), f"aqc_{prefix}_{secret}"  # type: ignore[arg-type]


def _check_quota(changes: Mapping[str, Any]) -> None:
    try:
        Quota().over(dict(changes))
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        raise InputError(
            f"The quota {name} is no good: {fault['msg']}. A quota has the fields "
            f"{', '.join(Quota.model_fields)}."
        ) from None


def find(engine: sa.Engine, text: str) -> Key | None:
    """Return the key of a text, None if it is none that is valid now."""
    parts = _KEY.fullmatch(text)
    prefix, secret = parts.groups() if parts else ("", "")
    table = tables.api_key
    with reading(engine) as connection:
        row = connection.execute(sa.select(table).where(table.c.prefix == prefix)).one_or_none()
        at = now(connection)
    # An unknown prefix takes as long as a wrong secret.
    is_same = hmac.compare_digest(_hash(secret), row.hash if row is not None else _hash(""))
    if row is None or not is_same or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= at:
        return None
    return _to_key(row)


def list_keys(engine: sa.Engine) -> Sequence[Key]:
    """Return all keys, oldest first."""
    table = tables.api_key
    with reading(engine) as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.created_at)).all()
    return [_to_key(row) for row in rows]


def revoke(engine: sa.Engine, prefix: str) -> bool:
    """Make a key of no use from now on; return whether there was one that was."""
    table = tables.api_key
    with writing(engine) as connection:
        found = connection.execute(
            sa.update(table)
            .where(table.c.prefix == prefix, table.c.revoked_at.is_(None))
            .values(revoked_at=now(connection))
        )
    return found.rowcount == 1


def exist(settings: ServiceSettings) -> bool:
    """Whether anybody could use the service with a key; nothing is created to find that out."""
    if settings.database_url is None and not (settings.data_dir / "aqc.db").exists():
        return False
    engine = open_engine(settings.url)
    try:
        with reading(engine) as connection:
            if not sa.inspect(connection).has_table(tables.api_key.name):
                return False
            table = tables.api_key
            valid = table.c.revoked_at.is_(None) & (
                table.c.expires_at.is_(None) | (table.c.expires_at > now(connection))
            )
            return bool(connection.scalar(sa.select(sa.func.count()).where(valid)))
    finally:
        engine.dispose()


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: nobody can try them out.
    return hashlib.sha256(secret.encode()).hexdigest()


def _to_key(row: Any) -> Key:
    values = {name: value for name, value in row._mapping.items() if name != "hash"}
    return Key(**values)


def parse_quota(words: Sequence[str]) -> dict[str, Any]:
    """Return the quota that words such as "queued=100" say.

    Raises:
        InputError: If one is not of this form.

    Example:
        >>> parse_quota(["queued=100", "running=null"])
        {'queued': 100, 'running': None}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        try:
            if not separator:
                raise ValueError
            found[name] = json.loads(value)
        except ValueError:
            raise InputError(
                f"A quota must be given as NAME=NUMBER, but is {shown(word)}."
            ) from None
    return found
