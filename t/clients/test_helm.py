"""docker/helm: a chart that makes of its values what docker/kubernetes has, and says what is wrong with them."""

import copy
import os
import re
import shlex
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from manifests import FILLED_IN, KUSTOMIZATION, PLAIN, ROOT, VARIABLES, VERSION, VERSIONS, Manifests, documents

HELM = os.environ.get("HELM", "")
CHART = ROOT / "docker/helm"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
pytestmark = pytest.mark.skipif(not os.path.exists(HELM), reason="there is no Helm: it is built where Go is")

CLIENT = {"accessKey": "AKIDCLIENT", "secretKey": "secret of the client"}
ORIGIN = {"endpoint": "127.0.0.1:9", "accessKey": "AKIDORIGIN", "secretKey": "secret of the origin"}
ONE = {"client": CLIENT, "origins": [ORIGIN | {"region": "eu-central-1"}]}
SEVERAL = {
    "image": {"repository": "registry:5000/s3", "tag": "1.2.3-openresty", "pullPolicy": "Always"},
    "imagePullSecrets": ["registry"],
    "client": {"accessKey": "12345", "secretKey": "a: 'secret' \"of\" {{ the }} #client"},
    "moreClients": [
        {"name": "reader", "accessKey": "AKIDREADER", "secretKey": "secret of the reader",
         "grant": "allow=GetObject,HeadObject buckets=media,logs/*"},
        {"name": "b2", "accessKey": "AKIDB2", "secretKey": "secret of b2"},
    ],
    "scheme": "http",
    "origins": [
        ORIGIN | {"domain": "a.internal", "region": "eu-central-1", "addressing": "virtual", "sessionToken": "token-of-a"},
        ORIGIN | {"endpoint": "127.0.0.1:10", "accessKey": "AKIDB", "framing": "decode", "dialect": "swift"},
        ORIGIN | {"endpoint": "127.0.0.1:11", "accessKey": "AKIDC", "backup": True},
    ],
    "settings": {
        "S3_ANONYMOUS": "sign allow=GetObject buckets=public", "S3_SIGNATURE_V2": True, "S3_HEALTH_CHECK": False,
        "S3_ERRORS": "s3proxy", "S3_STATUS_ALLOW": "10.0.0.0/8",
    },
    "conf": {"more.conf": "# A comment: with a colon\ns3_client AKIDMORE secret_key=env:CLIENT_SECRET_KEY;\n"},
    "workers": 4, "shutdownSeconds": 3600, "tmpSize": "100Gi", "ipv6": True,
    "resources": {"limits": {"memory": "1Gi"}},
    "autoscaling": {"enabled": False}, "replicas": 3, "podDisruptionBudget": {"maxUnavailable": "50%"},
    "podLabels": {"team": "storage"}, "podAnnotations": {"example.com/note": "true"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"}, "tolerations": [{"key": "edge", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}]}},
    "volumes": [{"name": "ca", "configMap": {"name": "our-ca"}}],
    "volumeMounts": [{"name": "ca", "mountPath": "/etc/our-ca", "readOnly": True}],
    "service": {"type": "LoadBalancer", "port": 8000, "annotations": {"example.com/internal": "true"}},
    "ingress": {
        "enabled": True, "className": "nginx", "hosts": ["s3.example.com", "*.s3.example.com"], "tlsSecret": "s3-tls",
        "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "0"},
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "30s"},
}
EXISTING = {"existingSecret": "our-keys", "origins": [{"endpoint": "127.0.0.1:9"}], "podDisruptionBudget": {"enabled": False}}
CASES = {"one": ONE, "several": SEVERAL, "existing": EXISTING}


def helm(*arguments, values):
    """What it prints, or that and what it says of a mistake."""
    return subprocess.run(
        [HELM, *arguments, "-f", "-"], input=yaml.safe_dump(values), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={"PATH": "", "HOME": "/nonexistent"})


def template(values, release="s3-resign", version=VERSIONS[-1]):
    done = helm("template", release, CHART, "--kube-version", version, values=values)
    assert done.returncode == 0, done.stdout
    return done.stdout


def rendered(values, *more):
    return Manifests(documents(template(values, *more)))


def said(values):
    done = helm("template", "s3-resign", CHART, "--kube-version", VERSIONS[0], values=values)
    assert done.returncode != 0, done.stdout
    return done.stdout


# ---- what it makes ----

def test_readme():
    """What docker/README.md has installed takes its keys from that Secret, and has that origin."""
    readme = (ROOT / "docker/README.md").read_text().replace("\\\n", " ")
    [command] = re.findall("^helm install (.*)", readme, re.MULTILINE)
    words = [str(CHART) if word == "docker/helm" else word for word in shlex.split(command)]
    done = helm("template", *words, "--kube-version", VERSIONS[-1], values={})
    assert done.returncode == 0, done.stdout
    made = Manifests(documents(done.stdout))
    assert made.container["image"].startswith("registry.example.com/s3-resign:")
    assert made.container["envFrom"][0]["secretRef"] == {"name": "s3-keys"}
    assert "s3.us-east-1.amazonaws.com" in made.environment.values()

def test_no_drift():
    """With the values of docker/kubernetes it makes docker/kubernetes."""
    image, = KUSTOMIZATION["images"]
    secret = PLAIN.secret
    chart = rendered({
        "client": {"accessKey": secret["CLIENT_ACCESS_KEY"], "secretKey": secret["CLIENT_SECRET_KEY"]},
        "origins": [{
            "accessKey": secret["ORIGIN_ACCESS_KEY"], "secretKey": secret["ORIGIN_SECRET_KEY"],
            "endpoint": secret["ORIGIN_DOMAIN"], "region": secret["AWS_REGION"],
        }],
        "serviceMonitor": {"enabled": True},
    })
    assert chart.container["image"] == f"{image['newName']}:{image['newTag']}"
    chart.container["image"] = image["name"]
    made, plain = comparable(chart), comparable(PLAIN)
    assert made.keys() == plain.keys()
    for name, one in plain.items():
        assert made[name] == one
    assert chart.secret | chart.environment == PLAIN.secret | PLAIN.environment


def comparable(manifests):
    """By kind and name, without what Helm adds; the variables, which the chart has elsewhere, are compared apart."""
    ours = {"app.kubernetes.io/name", "app.kubernetes.io/component"}

    def less(one):
        if isinstance(one, list):
            return [less(item) for item in one]
        if not isinstance(one, dict):
            return one
        one = {name: less(value) for name, value in one.items() if not name.startswith("checksum/")}
        if "app.kubernetes.io/name" in one:
            one = {name: value for name, value in one.items() if name in ours}
        return {name: value for name, value in one.items() if (name, value) != ("annotations", {})}

    found = {(one["kind"], one["metadata"]["name"]): less(one) for one in copy.deepcopy(manifests.documents)}
    for (kind, _), one in found.items():
        if kind == "Secret":
            del one["stringData"]
        if kind == "Deployment":
            del one["spec"]["template"]["spec"]["containers"][0]["env"]
        if kind == "ConfigMap":
            one["data"] = {name: re.sub(r" *#.*\n", "", text) for name, text in one["data"].items()}
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CASES)
def test_what_it_makes(name, version):
    manifests = rendered(CASES[name], "s3-resign", version)
    manifests.check_schemas(version)
    manifests.check_names()
    manifests.check_end()
    manifests.check_rights()


@pytest.mark.parametrize("name", CASES)
def test_lint(name):
    done = helm("lint", "--strict", "--kube-version", VERSIONS[0], CHART, values=CASES[name])
    assert done.returncode == 0 and "0 chart(s) failed" in done.stdout, done.stdout


def secrets(values):
    """All texts that are called a secret or a token, and the access keys."""
    if isinstance(values, list):
        return {text for one in values for text in secrets(one)}
    if not isinstance(values, dict):
        return set()
    own = {text for name, text in values.items() if name in ("accessKey", "secretKey", "sessionToken")}
    return own.union(*map(secrets, values.values()))


def test_keys_are_in_the_secret_and_nowhere_else():
    manifests = rendered(SEVERAL)
    assert {*manifests.secret.values()} == secrets(SEVERAL)
    others = yaml.safe_dump([one for one in manifests.documents if one["kind"] != "Secret"], width=10**6)
    assert not [one for one in secrets(SEVERAL) if one in others]
    assert not rendered(EXISTING).of("Secret")


@pytest.mark.parametrize("values", [ONE, SEVERAL], ids=["one", "several"])
def test_the_entrypoint_takes_it(tmp_path, values):
    """nginx takes what the image makes of the environment, and the image knows each variable of it."""
    manifests = rendered(values)
    check = manifests.entrypoint(tmp_path, "-T", S3_RESIGN_TEMPLATE=str(manifests.template(tmp_path)))
    conf, _ = check.communicate()
    assert check.returncode == 0, conf
    more = {f"CLIENT_{one['name'].upper()}_{what}" for one in values.get("moreClients", []) for what in ("ACCESS_KEY", "SECRET_KEY")}
    known = {re.sub("^SERVER[B-Z]_", "SERVERA_", name) for name in {*manifests.secret, *manifests.environment} - more}
    assert known <= {*VARIABLES}
    if values is ONE:
        assert re.search(r"s3_origin 127\.0\.0\.1:9 access_key=env:ORIGIN_ACCESS_KEY .* region=eu-central-1;", conf)
        return
    for line in (
        "s3_client env:CLIENT_READER_ACCESS_KEY secret_key=env:CLIENT_READER_SECRET_KEY allow=GetObject,HeadObject buckets=media,logs/*;",
        "s3_client env:CLIENT_B2_ACCESS_KEY secret_key=env:CLIENT_B2_SECRET_KEY;",
        "s3_client AKIDMORE secret_key=env:CLIENT_SECRET_KEY;",
        "server 127.0.0.1:11 backup;", "proxy_pass http://s3;", "listen [::]:9090;", "worker_processes        4;",
        "worker_shutdown_timeout 3600s;", "s3_anonymous sign allow=GetObject buckets=public;", "s3_signature_v2 on;",
        "s3_errors s3proxy;", "allow 10.0.0.0/8;",
    ):
        assert line in conf, line
    assert re.search(r"s3_origin 127\.0\.0\.1:9 .* session_token=env:SERVERA_SESSION_TOKEN host=a\.internal "
                     r"region=eu-central-1 addressing=virtual;", conf)
    assert re.search(r"s3_origin 127\.0\.0\.1:10 .* framing=decode dialect=swift;", conf)
    assert "s3_health_check" not in conf


def test_notes(tmp_path):
    """They list what a Secret of the user's has to have. Helm shows them after an installation only, so a template has them."""
    chart = shutil.copytree(CHART, tmp_path / "chart")
    (chart / "templates/notes.yaml").write_text(
        'kind: Notes\ntext: |-\n{{ include (print .Template.BasePath "/NOTES.txt") . | indent 2 }}\n')

    def notes(values):
        done = helm("template", "s3-resign", chart, "-s", "templates/notes.yaml", "--kube-version", VERSIONS[0], values=values)
        assert done.returncode == 0, done.stdout
        return yaml.safe_load(done.stdout)["text"]

    no_keys = copy.deepcopy(SEVERAL) | {"existingSecret": "our-keys", "client": {}}
    for one in [*no_keys["moreClients"], *no_keys["origins"]]:
        for name in ("accessKey", "secretKey", "sessionToken"):
            one.pop(name, None)
    listed = re.search(r"from the Secret our-keys, as\n((?:  \w+\n)+)", notes(no_keys))[1].split()
    assert sorted([*listed, "SERVERA_SESSION_TOKEN"]) == sorted(rendered(SEVERAL).secret)
    assert rendered(no_keys).container["envFrom"] == [{"secretRef": {"name": "our-keys"}}]
    assert "  https://*.s3.example.com\n" in notes(SEVERAL)
    assert notes(ONE).startswith("S3 is at http://s3-resign.default:80 in the cluster")
    assert not [one for one in secrets(ONE) if one in notes(ONE)]


def test_two_releases_share_nothing():
    first, second = rendered(ONE, "a"), rendered(ONE, "b")
    names = [{(one["kind"], one["metadata"]["name"]) for one in manifests.documents} for manifests in (first, second)]
    assert not names[0] & names[1] and ("Deployment", "a-s3-resign") in names[0]
    second_pod = second.pod["metadata"]["labels"]
    for service in first.of("Service"):
        assert not service["spec"]["selector"].items() <= second_pod.items()


def test_pods_with_other_keys_or_files_are_replaced():
    before = rendered(ONE).pod["metadata"]["annotations"]
    for values in (ONE | {"client": CLIENT | {"secretKey": "another"}}, ONE | {"conf": {"a.conf": "# nothing"}}):
        assert rendered(values).pod["metadata"]["annotations"] != before
    assert rendered(ONE | {"replicas": 5}).pod["metadata"]["annotations"] == before


# ---- what it says ----

@pytest.mark.parametrize("values, why", {
    "a name": ({"orgins": []}, "additional properties 'orgins' not allowed"),
    "a name within": ({"ingress": {"hots": []}}, "'/ingress': additional properties 'hots' not allowed"),
    "a variable": ({"settings": {"S3_EROR": "s3"}}, "'/settings': additional properties 'S3_EROR' not allowed"),
    "a variable with a value of its own": ({"settings": {"S3_WORKERS": "2"}}, "'S3_WORKERS' not allowed"),
    "a parameter": ({"origins": [ORIGIN | {"regoin": "a"}]}, "'/origins/0': additional properties 'regoin' not allowed"),
    "a URL": ({"origins": [ORIGIN | {"endpoint": "https://s3.example.com"}]}, "'/origins/0/endpoint': 'https://s3.example.com' does not match"),
    "a word": ({"scheme": "ftp"}, "'/scheme': value must be one of 'https', 'http'"),
    "a text for a number": ({"workers": "many"}, "'/workers': got string, want integer"),
    "a file": ({"conf": {"../a.conf": ""}}, "'../a.conf' does not match"),
    "more than a line": ({"moreClients": [{"name": "a", "grant": "; root /;"}]}, "'/moreClients/0/grant'"),
    "no origin": ({"origins": []}, "origins: there is none: say at least one"),
    "backups": ({"origins": [ORIGIN | {"backup": True}]}, 'origins: all of them have "backup"'),
    "no key": ({"origins": [{"endpoint": "a"}]},
               "origins[0].accessKey: it is missing: say it, or existingSecret with the name of a Secret that has it as ORIGIN_ACCESS_KEY"),
    "no secret": ({"client": CLIENT | {"secretKey": ""}}, "client.secretKey: it is missing"),
    "both": ({"existingSecret": "keys"}, "client.accessKey: existingSecret is there too"),
    "a name twice": ({"moreClients": [{"name": "a"} | CLIENT] * 2}, 'two of them are called "a"'),
    "a file of the chart's": ({"conf": {"metrics.conf": ""}}, "the chart has a file metrics.conf of its own"),
    "a secret in a file": ({"conf": {"a.conf": "s3_client A secret_key=env:B;\ns3_client C secret_key=D;"}}, "conf: a.conf has a secret in it"),
    "an issuer's": ({"conf": {"a.conf": "s3_issuer ci 'secret=D';"}}, "conf: a.conf has a secret in it"),
    "a seal": ({"conf": {"a.conf": "upstream a { s3_seal_key D; }"}}, "conf: a.conf has a secret in it"),
    "fewer than few": ({"autoscaling": {"maxReplicas": 1}}, "autoscaling: minReplicas is more than maxReplicas"),
    "no host": ({"ingress": {"enabled": True}}, "ingress.hosts: there is none"),
}.values())
def test_a_mistake_is_told(values, why):
    text = said(ONE | values)
    assert why in text
    assert CLIENT["secretKey"] not in text and ORIGIN["secretKey"] not in text


def test_a_key_of_another_kind_is_not_shown():
    text = said(ONE | {"client": CLIENT | {"secretKey": ["a secret in a list"]}})
    assert "'/client/secretKey': got array, want string" in text and "in a list" not in text


def test_secrets_by_name_are_taken_in_files():
    conf = 's3_client A "secret_key=env:B" session_token=file:/c;\ns3_issuer ci secret=env:D;\nupstream a { s3_seal_key "env:E"; }\n'
    assert rendered(ONE | {"conf": {"a.conf": conf}}).conf["a.conf"] == conf


# ---- what it is ----

def test_values_and_schema_know_the_same():
    """Each default is in the schema, and each name of the schema has its default, or stands in a comment."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(DEFAULTS, schema)
    assert {*schema["properties"]} - {"global"} == {*DEFAULTS}
    for name, part in schema["properties"].items():
        inside = part.get("properties", {})
        if name not in ("settings", "resources"):
            assert {*inside} == ({*DEFAULTS[name]} if inside else set()), name
    text = (CHART / "values.yaml").read_text()
    for name in ("origins", "moreClients"):
        assert not [one for one in schema["properties"][name]["items"]["properties"] if not re.search(rf"^# [ -] {one}:", text, re.M)]
    ours = {one for one in VARIABLES if one.startswith("S3_")} - {"S3_WORKERS", "S3_SHUTDOWN_TIMEOUT"}
    assert {*schema["properties"]["settings"]["properties"]} == ours


def test_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == VERSION
    assert chart["kubeVersion"] == f">={VERSIONS[0]}.0-0"
