"""A headless browser for tests of pages: whichever Chromium the machine has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["browser", "opened"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def browser() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on PATH ({', '.join(NAMES)}); for Debian: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def opened(
    browser: Any, path: Path, width: int = 1280, *, dark: bool = False, **context: Any
) -> Iterator[Any]:
    """A page that must neither complain nor ask for anything else than itself."""
    scheme = "dark" if dark else "light"
    view = {"width": width, "height": 900}
    made = browser.new_context(viewport=view, color_scheme=scheme, offline=True, **context)
    page = made.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    yield page
    asked = [text for text in said if text != path.as_uri() and not text.startswith("data:")]
    made.close()
    assert asked == []
