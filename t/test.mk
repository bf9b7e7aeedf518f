# The tests, the bench, the demo, and the servers and clients that they need.

S3S_FS := 0.14.1

# The Prometheus Operator's Go module, for the schema of its ServiceMonitor.
OPERATOR        := github.com/prometheus-operator/prometheus-operator@v0.85.0
OPERATOR_SUM    := h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=
SERVICEMONITOR  := $(CACHE)/servicemonitor-$(lastword $(subst @, ,$(OPERATOR))).yaml

# Origins of the tests, the client of one's administrators, programs that keep their data in S3, and Helm, from Go's modules:
# each with its checksum, the Go that it needs, and its folder in the module. MinIO's repository is archived: this is its last state.
MINIO_VERSION     := v0.0.0-20260212201848-7aac2a2c5b7c
MC_VERSION        := v0.0.0-20250313080218-cf909e1063a9
VERSITYGW_VERSION := v1.8.0
KOPIA_VERSION     := v0.21.1
REGISTRY_VERSION  := v3.1.0
HELM_VERSION      := v3.19.5
GO_PROGRAMS := \
    github.com/minio/minio@$(MINIO_VERSION) h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA= 1.24.0 . \
    github.com/minio/mc@$(MC_VERSION) h1:6RyInOHKL6jz8zxcAar/h6rg/aJCxDP/uFuSNvYSuMI= 1.23.0 . \
    github.com/versity/versitygw@$(VERSITYGW_VERSION) h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc= 1.25.0 ./cmd/versitygw \
    github.com/kopia/kopia@$(KOPIA_VERSION) h1:e7UU9CqxKtc8DH9zS8KU0h8lV4HM7PA1QWXf5ytiglY= 1.24.4 . \
    github.com/distribution/distribution/v3@$(REGISTRY_VERSION) h1:u1v788HreKTLGdNY6s7px8Exgrs9mZ9UrCDjSrpCM8g= 1.25.0 ./cmd/registry \
    helm.sh/helm/v3@$(HELM_VERSION) h1:l8zDGBhPaF2z5pTR5ASku/yZwi0qZrWthWMzvf1ZruE= 1.24.0 ./cmd/helm
MINIO     := $(CACHE)/minio-$(MINIO_VERSION)/minio
MC        := $(CACHE)/mc-$(MC_VERSION)/mc
VERSITYGW := $(CACHE)/versitygw-$(VERSITYGW_VERSION)/versitygw
KOPIA     := $(CACHE)/kopia-$(KOPIA_VERSION)/kopia
REGISTRY  := $(CACHE)/registry-$(REGISTRY_VERSION)/registry
HELM      := $(CACHE)/helm-$(HELM_VERSION)/helm
# What is not built has its tests skipped: that it was forgotten is said here.
$(foreach program,MINIO MC VERSITYGW KOPIA REGISTRY HELM,$(if $(findstring @$($(program)_VERSION) ,$(GO_PROGRAMS)),,\
    $(error $(program) is not in GO_PROGRAMS)))

# Another origin, from crates.io.
GARAGE_VERSION := 2.5.0
GARAGE         := $(CACHE)/garage-$(GARAGE_VERSION)/bin/garage

PYTHON ?= /usr/bin/python3

# The clients of the tests are kept by what they are made of: $(call hash,FILE ...).
hash          = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-12)
REQUIREMENTS := t/clients/requirements.txt
VENV         := $(CACHE)/python-$(call hash,$(REQUIREMENTS))
NODE_MODULES := $(CACHE)/node-$(call hash,t/clients/js/package-lock.json)/node_modules
RUST_CLIENT  := $(CACHE)/rust-$(call hash,$(addprefix t/clients/rust/,Cargo.toml Cargo.lock src/main.rs src/sign.rs))/client
GO_CLIENT    := $(CACHE)/go-$(call hash,$(addprefix t/clients/go/,go.mod go.sum main.go))/client
JAVA_CLIENT  := $(CACHE)/java-$(call hash,$(addprefix t/clients/java/,pom.xml jars.sha256 Client.java))

FUZZ_SOURCE := src/sigv4/fuzz
FUZZ        := request upload form model minted client_file directive token call answer
# Freed memory is kept: to map it again for each input would take up to a third of the time.
kept_memory := glibc.malloc.mmap_threshold=268435456:glibc.malloc.trim_threshold=268435456:glibc.malloc.top_pad=4194304
fuzzer       = GLIBC_TUNABLES=$(kept_memory) $(OUT)/fuzz/*/release/$(1) -artifact_prefix=$(OUT)/fuzz/ -max_len=4096

.PHONY: s3s-fs go-servers swift ceph python-clients js-client rust-client go-client java-client servicemonitor garage \
        free-port spaceless fuzz-limits fuzz-targets fuzz-test cargo-test prove-test prove-vendored deb-test image-test client-test

export VENV S3S_FS MINIO MC VERSITYGW KOPIA REGISTRY HELM GARAGE NODE_MODULES RUST_CLIENT GO_CLIENT JAVA_CLIENT SERVICEMONITOR

check:
	. $(OUT)/nginx.env
	cargo fmt --all --check
	cargo fmt --manifest-path $(FUZZ_SOURCE)/Cargo.toml --check
	if dpkg-query -Wf '$${Status}' cargo-web 2>/dev/null | grep -q 'ok installed'; then $(call apt,rust-web-clippy); fi
	if cargo clippy --version >/dev/null 2>&1; then
	    cargo clippy --locked --workspace --all-targets $$FEATURES -- -D warnings
	else
	    echo "check: this cargo has no clippy: compiler warnings only"
	    RUSTFLAGS="-D warnings" cargo check --locked --workspace --all-targets $$FEATURES
	fi
	$(call apt,python3)
	$(PYTHON) t/circles.py --self-test
	$(PYTHON) t/circles.py
	$(PYTHON) t/dependencies.py --self-test
	cargo metadata --locked --offline --format-version 1 --filter-platform $(host) | $(PYTHON) t/dependencies.py
	$(MAKE) --no-print-directory coverage

# Of the packages that read what people write, and of what lies in shared memory.
COVERED := client_files directives metrics providers secrets shm
MIN_COVERAGE := 90

coverage: toolchain
	bin=$$(rustc --print target-libdir)/../bin
	[ -x "$$bin/llvm-cov" ] || rustup -q component add llvm-tools 2>/dev/null || true
	[ -x "$$bin/llvm-cov" ] || { echo "coverage: not measured, since this compiler has no llvm-cov (rustup's llvm-tools)"; exit 0; }
	$(call apt,python3)
	folder=$(CURDIR)/$(OUT)/coverage
	mkdir -p "$$folder"
	rm -f "$$folder"/*.profraw
	export RUSTFLAGS="$${RUSTFLAGS-} -Cinstrument-coverage" CARGO_TARGET_DIR="$$folder" LLVM_PROFILE_FILE="$$folder/%p-%m.profraw"
	tests() { cargo test -q --locked $(COVERED:%=-p %) --lib --tests "$$@"; }
	tests >"$$folder/log" 2>&1 || { cat "$$folder/log"; exit 1; }
	"$$bin/llvm-profdata" merge -sparse -o "$$folder/profdata" "$$folder"/*.profraw
	mapfile -t binaries < <(tests --no-run --message-format json 2>/dev/null | sed -nE 's/.*"executable":"([^"]+)".*/\1/p')
	others=("$${binaries[@]:1}")
	for package in $(COVERED); do
	    "$$bin/llvm-cov" export --summary-only --instr-profile="$$folder/profdata" --ignore-filename-regex='/tests(/|\.rs)' \
	        "$${binaries[0]}" "$${others[@]/#/--object=}" "$(CURDIR)/src/$$package" | $(PYTHON) -c '
	import json, sys
	lines = json.load(sys.stdin)["data"][0]["totals"]["lines"]
	print("coverage: %-10s %5.1f %% of %d lines" % ("'$$package'", lines["percent"], lines["count"]))
	sys.exit(lines["percent"] < $(MIN_COVERAGE))'
	done

# nginx's configure and the tests' tools take no space in a path.
spaceless:
	[[ "$(CURDIR)" != *[[:space:]]* ]] ||
	    { echo "make test: the path of this folder has a space in it, which nginx's own build and the tests do not take: move it" >&2; exit 1; }

test: spaceless
	failed=
	for suite in cargo-test fuzz-test prove-test $(if $(VENDORED),,prove-vendored) $(if $(VENDORED)$(NGINX_BUILD),,deb-test image-test) client-test; do
	    echo "== $$suite"
	    $(MAKE) --no-print-directory $$suite || failed="$$failed $$suite"
	done
	[ -z "$$failed" ] || { echo "make test: FAILED:$$failed"; exit 1; }
	echo "make test: all passed"

test-full:
	. $(OUT)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)" UPLOAD_BYTES=$$((5 << 30))
	"$(VENV)/bin/python" -m pytest -q -p no:cacheprovider t/clients/test_large.py
	RELOAD_SECONDS=30 RELOADS=1000 "$(VENV)/bin/python" -m pytest -q -p no:cacheprovider \
	    t/clients/test_resilience.py -k reloads
	KEY_ROTATIONS=10000 KEY_ORIGINS=120 "$(VENV)/bin/python" -m pytest -q -p no:cacheprovider \
	    t/clients/test_providers.py -k again_and_again
	PROVIDER_DOWN=3600 "$(VENV)/bin/python" -m pytest -q -s -p no:cacheprovider t/clients/test_providers.py -k are_gone
	WHOLE_SUITE=1 "$(VENV)/bin/python" -m pytest -q -p no:cacheprovider t/clients/test_versitygw_suite.py
	"$(VENV)/bin/python" -m pytest -q -p no:cacheprovider t/clients/test_garage.py
	DIFFERENTIAL_REQUESTS=100000 DIFFERENTIAL_CHANGED=60 DIFFERENTIAL_WAYS=6 REAL_OBJECTS=100 "$(VENV)/bin/python" -m pytest -q \
	    -p no:cacheprovider t/clients/test_differential.py t/clients/test_real_servers.py
	ABUSE_ROUNDS=125 "$(VENV)/bin/python" -m pytest -q -p no:cacheprovider t/clients/test_abuse.py -k reset
	$(call apt,busybox perl rpm tar util-linux xz-utils)
	prove -It/lib t/release/
	UPLOADS=10240 "$(VENV)/bin/python" -m pytest -q -n 2 -p no:cacheprovider t/clients/test_write_once.py
	$(MAKE) --no-print-directory test-asan

test-roots:
	$(call apt,debootstrap git mount slirp4netns tar util-linux)
	failed=
	for suite in $(or $(SUITES),trixie bookworm); do
	    t/roots/run $$suite || failed="$$failed $$suite"
	done
	[ -z "$$failed" ] || { echo "test-roots: FAILED:$$failed"; exit 1; }

matrix: toolchain entrypoint
	$(call apt,libpcre2-dev libssl-dev perl zlib1g-dev $(if $(NGINX_SOURCES),,dpkg-dev))
	MAKE="$(MAKE)" t/matrix/run $(NGINX_SOURCES)

# The module itself has no unit tests: nginx's symbols are there only inside nginx.
cargo-test: toolchain nginx-tree
	. $(OUT)/nginx.env
	cargo test --locked --workspace --exclude $(MODULE) $(if $(VENDORED),--exclude ngx_safe)

prove-test: spaceless fits build entrypoint
	$(call apt,perl openssl curl ca-certificates util-linux mount prometheus $(if $(VENDORED)$(NGINX_BUILD),,libnginx-mod-http-lua))
	. $(OUT)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	$(mismatched)
	$(if $(ASAN),$(reported))
	prove -j4 -It/lib $(SLOW) $(filter-out $(SLOW),$(sort $(wildcard t/*.t)))

test-asan:
	$(MAKE) --no-print-directory prove-test VENDORED=1 ASAN=1

# Ends in an error if AddressSanitizer has reported anything, whatever the tests have noticed.
define reported
reports=$(CURDIR)/$(OUT)/reports
rm -rf "$$reports"
mkdir -p -m 1777 "$$reports"  # for workers that are nobody's, too
trap 'if [ -n "$$(ls "$$reports")" ]; then cat "$$reports"/*; echo "test-asan: FAILED: reports in $$reports"; exit 1; fi' EXIT
endef

# Those that take longest start first. They wait more than they compute, so four at a time are not too many for two cores.
SLOW := $(addprefix t/,907-configure.t 905-make.t 240-entrypoint.t 200-health.t 190-forms.t)

# The same with the nginx that crates.io has, which is some years younger than Debian's.
prove-vendored:
	$(MAKE) --no-print-directory prove-test VENDORED=1

deb-test: deb
	$(call apt,perl util-linux mount iproute2)
	prove -It/lib t/deb/

# It is skipped where it cannot have what it needs. Debian's engine would replace another one.
image-test: python-clients
	if [ "$$(id -u)" = 0 ]; then
	    (   $(call apt,docker-compose debootstrap iptables procps)
	        command -v dockerd >/dev/null || { $(call apt,docker.io); }
	        [ -e /usr/bin/docker ] || { $(call apt,docker-cli); }  # Debian 12 has it in docker.io
	    ) || true
	fi
	"$(VENV)/bin/python" -m pytest -q -rs -p no:cacheprovider t/image

# The module for headers that a patch has changed as OpenResty's do: it must refuse this nginx. Cargo
# looks at the times of nginx's files, so the copy of them is made only when they are others, and with the time of now.
define mismatched
if [ -z "$(VENDORED)" ]; then
    tree=$(OUT)/mismatched/nginx
    if ! cmp -s $(OUT)/nginx.state $$tree/state; then
        rm -rf $$tree
        mkdir -p $$tree
        cp -R "$$NGINX_SOURCE_DIR/src" $$tree/src
        cp -R "$$NGINX_BUILD_DIR" $$tree/objs
        sed -i '/^    ngx_http_upstream_headers_in_t  *headers_in;/i void *inserted[3];' $$tree/src/http/ngx_http_upstream.h
        cp $(OUT)/nginx.state $$tree/state
    fi
    NGINX_SOURCE_DIR="$(CURDIR)/$$tree" NGINX_BUILD_DIR="$(CURDIR)/$$tree/objs" CARGO_TARGET_DIR=$(OUT)/mismatched \
        cargo build -q --locked -p $(MODULE)
    export TEST_NGINX_S3_MISMATCHED="$(CURDIR)/$(OUT)/mismatched/debug/lib$(MODULE).so"
fi
endef

client-test: spaceless fits build entrypoint s3s-fs go-servers swift ceph servicemonitor
client-test: python-clients js-client rust-client go-client java-client
	$(call apt,chromium curl haproxy openssl restic s3fs)
	. $(OUT)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	if [ -z "$(NGINX_BUILD)" ]; then
	    $(MAKE) --no-print-directory build VENDORED=1
	    . target/vendored/nginx.env
	    export YOUNGER_NGINX_BINARY="$$NGINX" YOUNGER_NGINX_S3_MODULE="$(CURDIR)/target/vendored/$(MODULE).so"
	fi
	# A test that hangs fails, and says where, before whoever waits for all of them gives up.
	"$(VENV)/bin/python" -m pytest -q -rs -n 2 --dist loadfile --timeout 600 -p no:cacheprovider t/clients

bench:
	$(bench-tools)
	. $(OUT)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	export TABLE="$(OUT)/bench.md" MODULE_BUILD="$(if $(PGO),with,without) PGO=1"
	missed=0
	t/bench/run || missed=$$?
	echo "written to $$TABLE"
	# Without nginx, whose noise is more than what a minted key costs.
	cargo bench -q --locked -p sigv4 --bench request -- header
	exit $$missed

growth:
	$(bench-tools)
	$(call apt,gnuplot-nox)
	. $(OUT)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	export TABLE="$(OUT)/growth.md" MODULE_BUILD="$(if $(PGO),with,without) PGO=1"
	ulimit -n "$$(ulimit -Hn)"  # there are 10,000 connections
	PLOTS="$(CURDIR)/t/bench/plots" t/bench/growth

fuzz:
	limits="$(if $(RUNS),-runs=$(RUNS)) $(if $(or $(TIME),$(if $(RUNS),,60)),-max_total_time=$(or $(TIME),60))"
	for name in $(FUZZ); do
	    mkdir -p "$(CACHE)/fuzz/$$name"
	    $(call fuzzer,$$name) $(if $(FAST),-entropic=0) $$limits "$(CACHE)/fuzz/$$name" $(FUZZ_SOURCE)/seeds/$$name
	done
	PROPTEST_CASES=$(or $(CASES),1000000) cargo test --locked --profile fuzz -p sigv4 --test model

# Before minutes of building. More would not fit a number of libFuzzer's, to which 0 is no limit.
fuzz-limits:
	is_number() { [[ "$$1" =~ ^[0-9]{1,10}$$ ]] && (( 10#$$1 > 0 && 10#$$1 < 1 << 31 )); }
	[ -z "$(TIME)" ] || is_number "$(TIME)" ||
	    { echo "fuzz: TIME=$(TIME) is no time: say a number of seconds, as 60" >&2; exit 1; }
	[ -z "$(RUNS)" ] || is_number "$(RUNS)" ||
	    { echo "fuzz: RUNS=$(RUNS) is no count: say a number of executions, as 1000000" >&2; exit 1; }

# A few seconds of that, the same ones each time.
fuzz-test: fuzz-targets
	for name in $(FUZZ); do
	    found=$$(mktemp -d)
	    $(call fuzzer,$$name) -runs=20000 -seed=1 "$$found" $(FUZZ_SOURCE)/seeds/$$name 2>$(OUT)/fuzz/$$name.log ||
	        { tail -n 40 $(OUT)/fuzz/$$name.log >&2; exit 1; }
	    rm -rf "$$found"
	    tail -n 1 $(OUT)/fuzz/$$name.log
	done

# What `cargo fuzz` does, which needs an unstable compiler. With --target the flags are for these crates
# only, and not for what cargo runs while it builds.
fuzz-targets: toolchain
	$(call apt,g++)
	flags="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module"
	for flag in level=4 inline-8bit-counters pc-table $(if $(FAST),,trace-compares); do
	    flags="$$flags -Cllvm-args=-sanitizer-coverage-$$flag"
	done
	RUSTFLAGS="$$flags" CARGO_TARGET_DIR=$(OUT)/fuzz cargo build -q --release --locked \
	    --target $(host) --manifest-path $(FUZZ_SOURCE)/Cargo.toml

# Before minutes of building, too.
free-port:
	[[ "$(PORT)" =~ ^[0-9]{1,5}$$ ]] && (( 10#$(PORT) > 0 && 10#$(PORT) < 65536 )) ||
	    { echo "demo: PORT=$(PORT) is no port: say a number from 1 to 65535" >&2; exit 1; }
	if (exec 3<>/dev/tcp/127.0.0.1/$(PORT)) 2>/dev/null; then
	    echo "demo: something listens on port $(PORT) already: say PORT=N" >&2
	    exit 1
	fi

demo:
	$(call apt,curl)
	. $(OUT)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	export PORT="$(PORT)" KEEP="$(KEEP)"
	exec "$(VENV)/bin/python" t/demo/tour.py

# The servers that the client tests and the demo proxy to.
swift:
	$(call apt,python3-swift)

ceph:
	$(call apt,radosgw ceph-mon ceph-osd ceph-common)

# Optimised a little only, as docker/Dockerfile.origin does.
s3s-fs: toolchain
	$(call apt,gcc libc6-dev)
	if [ ! -x "$(CACHE)/s3s-fs-$(S3S_FS)/bin/s3s-fs" ]; then
	    echo "building s3s-fs $(S3S_FS) (once, some minutes)"
	    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo install -q s3s-fs --version $(S3S_FS) --features binary --locked \
	        --root "$(CACHE)/s3s-fs-$(S3S_FS)" --target-dir "$(CACHE)/build"
	    rm -rf "$(CACHE)/build"
	fi

# Some ten minutes, so that only test-full waits for it.
garage: toolchain
	$(call apt,gcc libc6-dev make)
	if [ ! -x "$(GARAGE)" ]; then
	    echo "building Garage $(GARAGE_VERSION) (once, ten minutes)"
	    nice cargo install -q garage --version $(GARAGE_VERSION) --no-default-features --features bundled-libs,sqlite \
	        --locked --root "$(CACHE)/garage-$(GARAGE_VERSION)" --target-dir "$(CACHE)/build-garage"
	    rm -rf "$(CACHE)/build-garage"
	fi

# Go's files in a folder that is removed at the end. `find-go NAME VERSION` fails where there is no Go for that
# program, nor a way to get it. A Go that is too old fetches a younger one: before 1.21, as Debian 12's, it does so as
# with any module, whose files it does not let anyone run.
define with-go
PATH="$$PATH:/usr/local/go/bin"
new=$$(mktemp -d)
trap 'rm -rf "$$new"' EXIT
export GOPATH=$$new GOCACHE=$$new/cache GOFLAGS=-modcacherw CGO_ENABLED=0
find-go() {
    command -v go >/dev/null || { $(call apt,golang-go ca-certificates); }
    command -v go >/dev/null || { echo "there is no Go: tests with $$1 are skipped" >&2; return 1; }
    export GOTOOLCHAIN=local
    version=$$(go env GOVERSION)
    if [ "$$(printf '%s\n' "go$$2" "$$version" | sort -V | head -n1)" != "go$$2" ]; then
        export GOTOOLCHAIN=go$$2
        [[ "$$(go version 2>&1)" == *" go$$2 "* ]] || fetch-go $$2 ||
            { echo "$$version is too old for $$1, which needs $$2: its tests are skipped" >&2; return 1; }
    fi
}
fetch-go() {
    local folder module=golang.org/toolchain@v0.0.1-go$$1.$$(go env GOHOSTOS)-$$(go env GOHOSTARCH)
    folder=$$(go mod download -json $$module | sed -nE 's/^\t"Dir": "(.*)".*/\1/p')
    [ -n "$$folder" ] && chmod -R +x "$$folder/bin" "$$folder/pkg/tool" && PATH="$$folder/bin:$$PATH"
}
endef

# A program that cannot be built here is left out, and its tests are skipped.
go-servers:
	$(with-go)
	while read -r module sum needed part; do
	    [ "$$part" != . ] && name=$$part || name=$${module%@*}
	    name=$${name##*/}
	    program="$(CACHE)/$$name-$${module#*@}/$$name"
	    [ ! -x "$$program" ] || continue
	    find-go $$name $$needed || continue
	    echo "building $$name $${module#*@} (once, some minutes)"
	    download=$$(go mod download -json $$module) || true
	    grep -qF "\"Sum\": \"$$sum\"" <<<"$$download" ||
	        { echo "go-servers: $$module is not what it was: $$download" >&2; exit 1; }
	    folder=$$(sed -nE 's/^\t"Dir": "(.*)".*/\1/p' <<<"$$download")
	    (cd "$$folder" && nice go build -trimpath -ldflags='-s -w' -o "$$new/$$name" $$part) 2>"$$new/log" ||
	        { tail -n 20 "$$new/log" >&2; exit 1; }
	    install -D "$$new/$$name" "$$program"
	done < <(printf '%s %s %s %s\n' $(GO_PROGRAMS))

servicemonitor:
	if [ ! -e "$(SERVICEMONITOR)" ]; then
	    PATH="$$PATH:/usr/local/go/bin"
	    command -v go >/dev/null || { $(call apt,golang-go); }
	    mkdir -p "$(CACHE)"
	    new=$$(mktemp -d)
	    trap 'rm -rf "$$new"' EXIT
	    module=$$(GOPATH=$$new GOFLAGS=-modcacherw go mod download -json $(OPERATOR))
	    grep -qF '"Sum": "$(OPERATOR_SUM)"' <<<"$$module" ||
	        { echo "servicemonitor: $(OPERATOR) is not what it was: $$module" >&2; exit 1; }
	    folder=$$(sed -nE 's/.*"Dir": "(.*)".*/\1/p' <<<"$$module")
	    cp "$$folder/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml" "$$new/crd"
	    mv "$$new/crd" "$(SERVICEMONITOR)"
	fi

python-clients:
	$(call apt,python3 python3-venv)
	if [ ! -e "$(VENV)/complete" ]; then
	    echo "installing the Python clients in $(VENV)"
	    rm -rf "$(VENV)"
	    $(PYTHON) -m venv "$(VENV)"
	    "$(VENV)/bin/pip" install -q --disable-pip-version-check -r $(REQUIREMENTS)
	    touch "$(VENV)/complete"
	fi

# node and npm are among the Python packages. They trust a list of CAs of their own: here also this machine's.
js-client: python-clients
	if [ ! -d "$(NODE_MODULES)" ]; then
	    echo "installing the AWS SDK for JavaScript in $(NODE_MODULES)"
	    new=$$(mktemp -d "$(CACHE)/node.XXXXXX")
	    trap 'rm -rf "$$new"' EXIT
	    cp t/clients/js/package.json t/clients/js/package-lock.json "$$new"
	    export NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS-/etc/ssl/certs/ca-certificates.crt}"
	    PATH="$(VENV)/bin:$$PATH" npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$$new"
	    mv -T "$$new" "$(dir $(NODE_MODULES))"
	fi

# The SDK's packages ask for Rust 1.91. Those that Cargo.lock pins compile with the one that the module needs.
rust-client: toolchain
	$(call apt,gcc libc6-dev)
	if [ ! -x "$(RUST_CLIENT)" ]; then
	    echo "building a client with the AWS SDK for Rust (once, one or two minutes)"
	    cargo build -q --locked --ignore-rust-version --manifest-path t/clients/rust/Cargo.toml \
	        --target-dir "$(CACHE)/build-rust"
	    install -D "$(CACHE)/build-rust/debug/client" "$(RUST_CLIENT)"
	    rm -rf "$(CACHE)/build-rust"
	fi

go-client:
	if [ ! -x "$(GO_CLIENT)" ]; then
	    $(with-go)
	    needed=$$(sed -n 's/^go //p' t/clients/go/go.mod)
	    find-go "the AWS SDK for Go and minio-go" $$needed || exit 0
	    echo "building a client with the AWS SDK for Go and with minio-go (once, one or two minutes)"
	    (cd t/clients/go && nice go build -mod=readonly -trimpath -o "$$new/client" .) 2>"$$new/log" ||
	        { tail -n 20 "$$new/log" >&2; exit 1; }
	    install -D "$$new/client" "$(GO_CLIENT)"
	fi

# Maven has no lock: the sums of what it has fetched are compared with those of jars.sha256.
java-client:
	if [ ! -d "$(JAVA_CLIENT)" ]; then
	    command -v mvn >/dev/null && command -v javac >/dev/null || { $(call apt,default-jdk-headless maven); }
	    version=$$(javac -version 2>/dev/null | sed -nE 's/^javac ([0-9]+).*/\1/p') || true
	    if ! command -v mvn >/dev/null || [ "$${version:-0}" -lt 17 ]; then
	        echo "there is no Maven or no JDK 17: tests with the AWS SDK for Java are skipped" >&2
	        exit 0
	    fi
	    echo "building a client with the AWS SDK for Java in $(JAVA_CLIENT)"
	    mkdir -p "$(CACHE)"
	    new=$$(mktemp -d "$(CACHE)/java.XXXXXX")
	    trap 'rm -rf "$$new"' EXIT
	    mvn -B -q -C -f t/clients/java/pom.xml -Dmaven.repo.local="$$new/repository" -DoutputDirectory="$$new/client" \
	        dependency:copy-dependencies >"$$new/log" 2>&1 || { tail -n 20 "$$new/log" >&2; exit 1; }
	    (cd "$$new/client" && sha256sum --quiet --strict -c "$(CURDIR)/t/clients/java/jars.sha256")
	    javac --release 17 -cp "$$new/client/*" -d "$$new/client" t/clients/java/Client.java
	    mv -T "$$new/client" "$(JAVA_CLIENT)"
	elif ! command -v java >/dev/null; then
	    $(call apt,default-jre-headless)
	fi
