"""The page of a site: its files and the API, at the address of the page, from entering to leaving.

Made and entered by the main thread; requests run on the thread of the web server.
"""

from __future__ import annotations

from aiohttp import web

from streamer.accounts.errors import Refused
from streamer.accounts.guard import Guard
from streamer.accounts.site_access import SETTING, page_address
from streamer.api.context import ApiContext
from streamer.api.operations import all_operations
from streamer.api.router import routes as api_routes
from streamer.page.files import routes as page_routes
from streamer.serve.health import HealthPages
from streamer.web.headers import SAME_SITE
from streamer.web.server import WebPages
from streamer.web.tls import Tls


class SitePage(WebPages):
    """Serves the page.

    Args:
        context: what the page shows and changes; `context.settings.address` is not None.
        tls: for HTTPS.

    Raises:
        ConfigError: the address is invalid; on entering, when the port serves the outputs of a camera without HTTPS.
        SinkUnavailable: on entering, when it cannot listen there.
    """

    def __init__(self, context: ApiContext, tls: Tls | None = None) -> None:
        address, site, guard = page_address(context.settings), context.site, context.guard
        pages = [
            *(_under_known_names(route, guard) for route in page_routes()),
            *api_routes(all_operations(context), guard),
            *HealthPages(site.cameras, site.targets, lambda: site.settings.awaits_cameras).routes(),
        ]
        shown = f"the page at {context.settings.address} ({SETTING})"
        secure = None if tls is None else tls.context
        end = context.browser_cameras.close
        super().__init__(shown, address.host, address.port, pages, end, headers=SAME_SITE, tls=secure)


def _under_known_names(route: web.RouteDef, guard: Guard) -> web.RouteDef:
    """A file of the page, which needs no login: it has the login form."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            guard.check_host(request)
        except Refused as refused:
            return web.Response(text=f"{refused.detail}\n", status=refused.status)
        return await route.handler(request)

    return web.get(route.path, answer)
