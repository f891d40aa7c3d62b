"""Who may ask: a browser on this machine, on a page of this server, with the token of this start."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

#: Nothing but the server's own files: no inline scripts, no frames around the page, no forms elsewhere.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Guard:
    """The token of a start, and the names under which the server is reached.

    Cookies do not tell ports apart, so the port is in the name: two servers do not take each other's.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def cookie(self) -> str:
        """Name of the cookie."""
        return f"iterorder-explore-{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Accepted Host headers, to the letter: another name that leads here is an attack."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def knows(self, token: str | None) -> bool:
        """Whether it is the token, in constant time."""
        return hmac.compare_digest((token or "").encode("utf-8", "replace"), self.token.encode())

    def is_own(self, host: str | None, origin: str | None) -> bool:
        """Whether a WebSocket is asked for by a page of this server, under the name it was asked by."""
        return host in self.hosts and origin == f"http://{host}"
