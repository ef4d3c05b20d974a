"""The page of a site: its files and the API, at the address of the page, from entering to leaving.

Made and entered by the main thread; requests run on the thread of the web server.
"""

from __future__ import annotations

from streamer.api.context import ApiContext
from streamer.api.operations import all_operations
from streamer.api.router import routes as api_routes
from streamer.page.files import routes as page_routes
from streamer.serve.health import HealthPages
from streamer.web.address import parse_address
from streamer.web.server import WebPages

SETTING = "web.address"


class SitePage(WebPages):
    """Serves the page.

    Args:
        context: what the page shows and changes; `context.settings.address` is not None.

    Raises:
        ConfigError: the address is invalid, or it is not of this machine alone and there are no users.
        SinkUnavailable: on entering, when it cannot listen there.
    """

    def __init__(self, context: ApiContext) -> None:
        given = context.settings.address or ""
        address = parse_address(given, SETTING)
        site = context.site
        pages = [
            *page_routes(),
            *api_routes(all_operations(context)),
            *HealthPages(site.cameras, site.targets).routes(),
        ]
        end = context.browser_cameras.close
        super().__init__(f"the page at {given} ({SETTING})", address.host, address.port, pages, end)
