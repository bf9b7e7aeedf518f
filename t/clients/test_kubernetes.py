"""docker/kubernetes: what Kubernetes would take, what belongs together, and the image run as a pod would be."""

import contextlib
import http.client
import http.server
import re
import threading
import time

import pytest

from manifests import FILES, FILLED_IN, KUSTOMIZATION, PLAIN, ROOT, VARIABLES, VERSION, VERSIONS
from servers import free_port

DOCKERFILE = ROOT / "docker/Dockerfile"
POD, CONTAINER, PORTS, ENVIRONMENT, SECRET = PLAIN.pod, PLAIN.container, PLAIN.ports, PLAIN.environment, PLAIN.secret
MONITOR, = PLAIN.of("ServiceMonitor")


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas(version):
    PLAIN.check_schemas(version)


def test_kustomization():
    """Each file is listed, but for that which needs an operator; and the image's name is the one replaced."""
    assert sorted([*KUSTOMIZATION["resources"], "servicemonitor.yaml"]) == sorted(FILES)
    image, = KUSTOMIZATION["images"]
    assert image["name"] == CONTAINER["image"]
    assert image["newTag"] == VERSION


def test_names():
    PLAIN.check_names()
    assert len(PLAIN.of("Secret")) == len(PLAIN.of("HorizontalPodAutoscaler")) == len(PLAIN.of("PodDisruptionBudget")) == 1


def test_metrics_do_not_pass_the_service_for_clients():
    assert [one["targetPort"] for one in PLAIN.find("Service", "s3-resign")["spec"]["ports"]] == ["http"]


def test_a_pod_ends_after_its_last_download():
    PLAIN.check_end()


def test_the_pod_has_no_rights():
    PLAIN.check_rights()


def test_the_image():
    text = DOCKERFILE.read_text()
    pod = POD["spec"]["securityContext"]
    assert re.findall(r"^USER (.+)$", text, re.M)[-1] == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert re.findall(r"^EXPOSE (.+)$", text, re.M) == [str(PORTS["http"])]


def test_variables():
    assert {*SECRET, *ENVIRONMENT} <= {*VARIABLES}
    assert ENVIRONMENT["PORT"] == str(PORTS["http"])


# ---- the image's entrypoint, with the environment that the pod has ----

class Refusing(http.server.BaseHTTPRequestHandler):
    """An origin that is up, and lets nobody list its buckets."""

    def do_GET(self):
        body = b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_the_secret_as_it_is_here_has_nothing_else_to_fill_in(tmp_path):
    check = PLAIN.entrypoint(tmp_path, "-t", **FILLED_IN)
    said, _ = check.communicate()
    assert check.returncode == 0, said


@pytest.mark.parametrize("name", FILLED_IN)
def test_a_placeholder_is_refused(tmp_path, name):
    check = PLAIN.entrypoint(tmp_path, "-t", **FILLED_IN | {name: SECRET[name]})
    said, _ = check.communicate()
    assert check.returncode != 0
    assert re.search(rf"{name}\b.* placeholder", said), said


@contextlib.contextmanager
def pod(tmp_path, origin):
    """The ports of clients and metrics of a running one: as in the manifests, but for these two ports."""
    ports = {name: free_port() for name in PORTS}

    def moved(text):
        assert f"listen {PORTS['metrics']};" in text
        return text.replace(f"listen {PORTS['metrics']};", f"listen {ports['metrics']};")

    running = PLAIN.entrypoint(tmp_path, **FILLED_IN | {
        "ORIGIN_DOMAIN": "127.0.0.1:%d" % origin.server_address[1], "PORT": str(ports["http"]), "ORIGIN_SCHEME": "http",
        "S3_RESIGN_TEMPLATE": str(PLAIN.template(tmp_path, moved)),
        "S3_HEALTH_CHECK": "interval=200ms fall=2 expect=2xx,AccessDenied",
    })
    try:
        yield ports
    finally:
        running.terminate()
        said, _ = running.communicate(timeout=20)
        print(said)


def ask(port, path, client="127.0.0.1"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5, source_address=(client, 0))
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def readiness(port, path):
    """As the kubelet sees it."""
    with contextlib.suppress(OSError):
        return 200 <= ask(port, path)[0] < 400
    return False


def until(wanted, port, path):
    end = time.monotonic() + 10
    while readiness(port, path) != wanted:
        assert time.monotonic() < end, f"ready is not {wanted}"
        time.sleep(0.1)


def test_probes_and_metrics(tmp_path, origin):
    """Ready while an origin is up; alive all the while; metrics on their own port, for others too."""
    ready = CONTAINER["readinessProbe"]["httpGet"]
    alive = CONTAINER["livenessProbe"]["tcpSocket"]
    endpoint, = MONITOR["spec"]["endpoints"]
    metrics = endpoint["path"] + "?" + "&".join(f"{k}={v}" for k, [v] in endpoint["params"].items())
    elsewhere = "127.0.0.2"
    with pod(tmp_path, origin) as ports:
        until(True, ports[ready["port"]], ready["path"])
        status, text = ask(ports[endpoint["port"]], metrics, elsewhere)
        assert status == 200 and text.startswith("# HELP s3_")
        assert ask(ports[endpoint["port"]], "/bucket/key", elsewhere)[0] == 404
        assert ask(ports["http"], metrics, elsewhere)[0] == 403

        origin.shutdown()
        origin.server_close()
        until(False, ports[ready["port"]], ready["path"])
        assert ask(ports[alive["port"]], "/bucket/key")[0] == 403
