"""The status page in a real browser, with few and many origins: nothing is cut off, overlaps or leaves the screen, in
light and dark, on a telephone and on a desk. SCREENSHOTS=FOLDER in the environment leaves pictures there."""

import base64
import contextlib
import http.server
import os
import pathlib
import threading

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config
from browser import Browser
from conftest import CLIENT
from servers import Nginx, free_port

SIZES = [(320, 640), (768, 1024), (1280, 800), (1920, 1080)]
LONG = "unix:/nowhere/of-a-name-that-is-much-longer-than-there-is-room-for-in-any-row-{number}.sock"
# What some of every sixteen origins answer; the others have what is asked for.
STATUSES = {2: 403, 3: 503, 4: 404}
GONE, LOST, SPARE = 6, 8, 12


class Answer(http.server.BaseHTTPRequestHandler):
    """What an origin at that address answers to everything."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = int(self.connection.getsockname()[0].rsplit(".")[-1])
        self.send_response(STATUSES.get(number % 16, 200))
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"abc")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """At all addresses of the loopback."""

    daemon_threads = True


@contextlib.contextmanager
def answering():
    with Server(("", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def origin(number, port):
    """Its `server` line: its address and what else it says."""
    match number % 16:
        case 1:
            return f"127.0.0.{number}:{port}", "weight=12"
        case n if n == GONE:
            return f"127.0.0.{number}:1", ""
        case n if n in (LOST, SPARE):
            return LONG.format(number=number), "backup" if n == SPARE else ""
        case _:
            return f"127.0.0.{number}:{port}", ""


def upstreams(count, port):
    """Their names, their blocks, and how many requests reach all of their origins."""
    size = max(4, count // 4)
    for name, first in enumerate(range(1, count + 1, size)):
        group = [origin(number, port) for number in range(first, min(first + size, count + 1))]
        lines = "".join(
            f"server {address} {more}; s3_origin {address} access_key=a secret_key=b host=origin.test;" for address, more in group
        )
        yield f"media_{name}", f"upstream media_{name} {{ {lines} }}", len(group) + 11 * sum("weight" in more for _, more in group)


@contextlib.contextmanager
def site(folder, count, port):
    """nginx in front of so many origins, each of which has been asked for something."""
    found = list(upstreams(count, port))
    door = free_port()
    locations = "".join(f"location /{name}/ {{ s3_resign on; proxy_pass http://{name}; proxy_next_upstream off; }}"
                        for name, _, _ in found)
    block = f"""
        {' '.join(block for _, block, _ in found)}
        server {{
            listen 127.0.0.1:{door};
            s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};
            location = /s3_status {{ s3_status; }}
            {locations}
        }}"""
    with Nginx(folder, block, door, workers=1):
        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{door}", region_name=CLIENT.region, aws_access_key_id=CLIENT.access_key,
            aws_secret_access_key=CLIENT.secret_key, config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        for name, _, requests in found:
            for _ in range(requests):
                with contextlib.suppress(botocore.exceptions.ClientError):
                    client.get_object(Bucket=name, Key="key")["Body"].read()
        yield f"http://127.0.0.1:{door}/s3_status"


@pytest.fixture(scope="module")
def browser(folder):
    (folder / "browser-page").mkdir()
    with Browser(folder / "browser-page") as browser:
        yield browser


@pytest.fixture(scope="module")
def origin_port():
    with answering() as port:
        yield port


@pytest.fixture(scope="module")
def page(request, folder, origin_port):
    with site(folder / f"nginx-page-{request.param}", request.param, origin_port) as url:
        yield request.param, url


# Texts of what is wrong with the page as it is laid out.
FAULTS = """(() => {
  const faults = [], width = innerWidth;
  const name = element => `${element.tagName} ${element.className} ${element.textContent.trim().slice(0, 40)}`;
  const isHidden = element => element.closest(".hidden, .row em") && getComputedStyle(element.closest(".hidden, .row em")).position === "absolute";
  if (document.documentElement.scrollWidth > width) faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const element of document.querySelectorAll("main *")) {
    const box = element.getBoundingClientRect();
    if (!box.width || isHidden(element) || element.closest("svg")) continue;
    if (box.right > width + 0.5 || box.left < -0.5) faults.push(`leaves the screen: ${name(element)}`);
    // A long name is cut off in its place, and whole in the card.
    const mayBeCut = element.closest(".name code, h3") || element.matches(".name");
    if (!mayBeCut && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline")
      faults.push(`has no room: ${name(element)}`);
  }
  for (const row of document.querySelectorAll(".row, .name, dl, .grid, .head")) {
    const boxes = [...row.children].filter(child => !isHidden(child)).map(child => [child, child.getBoundingClientRect()]).filter(([, box]) => box.width);
    for (const [one, a] of boxes) for (const [other, b] of boxes)
      if (one !== other && a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)
        faults.push(`overlap: ${name(one)} and ${name(other)}`);
  }
  return faults;
})()"""

# The contrast of texts with what is behind them, where it is less than WCAG asks for (level AA).
PALE = """(() => {
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(part => part / 255).map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = element => {
    const color = getComputedStyle(element).backgroundColor;
    return /^rgb\\(/.test(color) ? color : behind(element.parentElement);
  };
  const pale = [];
  for (const element of document.querySelectorAll("main *:not(svg *)")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) pale.push(`${contrast.toFixed(1)}: ${element.textContent.trim().slice(0, 40)}`);
  }
  return pale;
})()"""


def look_at(browser, width, height, scheme):
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


def take_picture(browser, name):
    if folder := os.environ.get("SCREENSHOTS"):
        picture = browser.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        pathlib.Path(folder, f"{name}.png").write_bytes(base64.b64decode(picture))


def with_origins(*counts):
    return pytest.mark.parametrize("page", counts, indirect=True)


@with_origins(0, 3, 16, 100)
def test_nothing_is_out_of_place(browser, page):
    count, url = page
    for width, height in SIZES:
        look_at(browser, width, height, "light")
        browser.open(url)
        assert browser.evaluate("document.querySelectorAll('details').length") == count
        for state in ["closed", "open"]:
            take_picture(browser, f"{count}-{width}-{state}")
            assert browser.evaluate(FAULTS) == [], (width, state)
            browser.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")


@with_origins(0, 16)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_can_be_read(browser, page, scheme):
    count, url = page
    look_at(browser, 1280, 800, scheme)
    browser.open(url)
    browser.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    take_picture(browser, f"{count}-{scheme}")
    assert browser.evaluate(PALE) == []


@with_origins(16)
def test_sixteen_origins_are_on_one_screen(browser, page):
    _, url = page
    look_at(browser, 1920, 1080, "light")
    browser.open(url)
    assert browser.evaluate("[...document.querySelectorAll('summary')].pop().getBoundingClientRect().bottom") < 1000


@with_origins(16, 100)
def test_what_is_down_is_first(browser, page):
    _, url = page
    browser.open(url)
    groups = browser.evaluate("""[...document.querySelectorAll('.origins h3')].map(heading => {
        const states = [];
        for (let next = heading.nextElementSibling; next?.tagName === 'DETAILS'; next = next.nextElementSibling)
            states.push(next.querySelector('.state').className.split(' ')[1]);
        return states;
    })""")
    order = ["bad", "warn", "good", "soft"]
    ranks = [[order.index(state) for state in states] for states in groups]
    assert {rank for states in ranks for rank in states} >= {0, 1, 2}
    assert all(states == sorted(states) for states in ranks)
    assert [states[0] for states in ranks] == sorted(states[0] for states in ranks)
    shown = browser.evaluate("[...document.querySelectorAll('.state')].map(state => state.textContent).join()")
    assert "answers 503" in shown and "answers 403" in shown and "no answer" in shown


@with_origins(3)
def test_a_card_opens_on_a_click_and_stays_open(browser, page):
    _, url = page
    look_at(browser, 1280, 800, "light")
    browser.open(url)
    is_open = "[...document.querySelectorAll('details')].map(details => details.open && details.querySelector('article').offsetHeight > 0)"
    assert not any(browser.evaluate(is_open))
    browser.evaluate("document.querySelectorAll('summary')[1].click()")
    assert [at for at, is_it in enumerate(browser.evaluate(is_open)) if is_it] == [1]
    # The page has put a new one in its place.
    browser.wait_for("""new Promise(done => {
        const main = document.querySelector('main');
        new MutationObserver(() => main.isConnected || done(true)).observe(document.body, { childList: true });
    })""")
    assert [at for at, is_it in enumerate(browser.evaluate(is_open)) if is_it] == [1]
