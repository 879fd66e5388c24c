"""A real Chromium, as `tools/peers.sh` has unpacked it, and pages in it that tell what goes wrong in them."""

import os

from playwright.sync_api import Browser, Page, Playwright

from . import CHROMIUM

USR = CHROMIUM.parents[2]


def launched(playwright: Playwright) -> Browser:
    """Without its sandbox, which root cannot have."""
    libraries = [path for folder in USR.glob("lib/*-linux-gnu") for path in (folder, folder / "pulseaudio")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env=environment)


class Tab:
    """A tab of a browser that knows nothing of others. `faults` are errors of scripts, and what the page's policy has forbidden."""

    def __init__(self, browser: Browser, address: str, **more):
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | more))
        self.context.set_default_timeout(10_000)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._told)
        self.page.goto(address)

    def _told(self, message):
        # that an answer was 4xx is told there as well, and is no fault
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    def close(self):
        self.context.close()
        assert not self.faults, "\n".join(self.faults)
