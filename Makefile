# `make help` lists the commands. On Debian each installs what it lacks and nothing twice.

CACHE ?= $(HOME)/.cache/s3-resign
PORT  ?= 8080

# Which nginx: its binary, its source (headers suffice) and, where already configured, its build folder.
NGINX        ?= $(or $(shell PATH="$$PATH:/usr/sbin" command -v nginx),/usr/sbin/nginx)
NGINX_BUILD  ?=
NGINX_SOURCE ?= $(if $(NGINX_BUILD),$(patsubst %/,%,$(dir $(abspath $(NGINX_BUILD)))),/usr/share/nginx/src)
VENDORED     ?=

MODULE := ngx_http_s3_resign_module
TARGET := target$(if $(VENDORED),/vendored)
PACKAGE := libnginx-mod-http-s3-resign
SO     := $(TARGET)/$(MODULE).so
RUST   := 1.88
S3S_FS := 0.14.1

# The Prometheus Operator's Go module, for the schema of its ServiceMonitor.
OPERATOR        := github.com/prometheus-operator/prometheus-operator@v0.85.0
OPERATOR_SUM    := h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=
SERVICEMONITOR  := $(CACHE)/servicemonitor-$(lastword $(subst @, ,$(OPERATOR))).yaml

# Origins of the tests, and the client of one's administrators, from Go's modules: each with its checksum, the Go
# that it needs, and its folder in the module. MinIO's repository is archived: this is its last state.
MINIO_VERSION     := v0.0.0-20260212201848-7aac2a2c5b7c
MC_VERSION        := v0.0.0-20250313080218-cf909e1063a9
VERSITYGW_VERSION := v1.8.0
GO_PROGRAMS := \
    github.com/minio/minio@$(MINIO_VERSION) h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA= 1.24.0 . \
    github.com/minio/mc@$(MC_VERSION) h1:6RyInOHKL6jz8zxcAar/h6rg/aJCxDP/uFuSNvYSuMI= 1.23.0 . \
    github.com/versity/versitygw@$(VERSITYGW_VERSION) h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc= 1.25.0 ./cmd/versitygw
MINIO     := $(CACHE)/minio-$(MINIO_VERSION)/minio
MC        := $(CACHE)/mc-$(MC_VERSION)/mc
VERSITYGW := $(CACHE)/versitygw-$(VERSITYGW_VERSION)/versitygw

# The container image: by which engine, on which nginx, under which name.
ENGINE ?= $(firstword $(foreach name,docker podman buildah,$(shell command -v $(name))))
BASE   ?= debian
IMAGE  ?= s3-resign

PYTHON ?= /usr/bin/python3

# The triple of this machine: with --target, flags are not for what cargo runs while it builds.
host = $$(rustc -vV | sed -n 's/^host: //p')

# The clients of the tests are kept by what they are made of: $(call hash,FILE ...).
hash          = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-12)
REQUIREMENTS := t/clients/requirements.txt
VENV         := $(CACHE)/python-$(call hash,$(REQUIREMENTS))
NODE_MODULES := $(CACHE)/node-$(call hash,t/clients/js/package-lock.json)/node_modules
RUST_CLIENT  := $(CACHE)/rust-$(call hash,$(addprefix t/clients/rust/,Cargo.toml Cargo.lock src/main.rs))/client

FUZZ_SOURCE := src/sigv4/fuzz
FUZZ        := request upload form model
fuzzer       = $(TARGET)/fuzz/*/release/$(1) -artifact_prefix=$(TARGET)/fuzz/ -max_len=4096

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.PHONY: help build install deb image test test-full test-roots check bench fuzz demo clean \
        toolchain nginx-tree s3s-fs go-servers swift ceph python-clients js-client rust-client servicemonitor \
        fuzz-targets fuzz-test cargo-test prove-test prove-vendored deb-test image-test client-test
.DEFAULT_GOAL := help

export CACHE VENV S3S_FS MINIO MC VERSITYGW NODE_MODULES RUST_CLIENT SERVICEMONITOR
unexport NGINX  # to nginx itself this variable is a list of sockets
export CARGO_TARGET_DIR := $(CURDIR)/$(TARGET)

help: ## this list
	echo "make TARGET [NAME=VALUE ...]"
	sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' Makefile | expand -t 13
	sed -nE 's/^#>//p' Makefile

#>
#>  NGINX=PATH         the nginx binary; default: the one on the PATH, or Debian's, installed when missing
#>  NGINX_SOURCE=DIR   the source of that nginx; default: Debian's nginx-dev. It is copied, never written to
#>  NGINX_BUILD=DIR    that source's build folder (objs). Without it the copy is configured: with the
#>                     conf_flags lying in the source (Debian), else with the flags that NGINX -V shows where
#>                     it is of the same version, else with --with-compat and http_ssl, http_v2, threads
#>  PGO=1              build, install: profile-guided optimization (two minutes more, and it runs that nginx);
#>                     deb, image and bench have it anyway, and PGO= keeps it from them
#>  VENDORED=1         nginx 1.28 as published on crates.io, compiled here in target/vendored (minutes), instead
#>                     of all that
#>  ENGINE=PATH        image: docker, podman or buildah; default: the first of them on the PATH
#>  BASE=openresty     image: OpenResty instead of Debian's nginx
#>  IMAGE=NAME:TAG     image: what it is called; default s3-resign
#>  BUILD_FLAGS=...    image: more of the engine's options, as --network=host
#>  CACHE=DIR          configured trees, test servers and clients; default ~/.cache/s3-resign
#>  TIME=SECONDS       fuzz: for each of its targets; default 60
#>  CASES=N            fuzz: at random for each property of requests; default 1000000, five minutes on two cores
#>  PORT=N, KEEP=1     demo: another port than 8080; leave it up until Ctrl-C

build: toolchain nginx-tree ## the module for the nginx found here, in target/, and the presigner sign_s3
	. $(TARGET)/nginx.env
	cargo=(cargo) built=$(TARGET)/release
	$(if $(PGO),$(profiled))
	messages=$$("$${cargo[@]}" build --release --locked -p $(MODULE) $$FEATURES --message-format=json-render-diagnostics)
	if [ -n "$(VENDORED)" ]; then
	    out=$$(sed -nE '/"build-script-executed"/s/.*nginx-sys@.*"out_dir":"([^"]+)".*/\1/p' <<<"$$messages")
	    source=$$(sed -nE 's/^"([^"]+)".*/\1/p' "$$out/objs/last-build-info")
	    echo "NGINX=$$out/objs/nginx; export NGINX_SOURCE_DIR='$$source' NGINX_BUILD_DIR='$$out/objs'" >>$(TARGET)/nginx.env
	fi
	CARGO_TARGET_DIR=target cargo build --release --locked -p sign_s3
	cp $$built/lib$(MODULE).so $(SO).new
	mv $(SO).new $(SO)
	echo "built $(SO)"

# Has $$cargo optimize by a profile of what the bench runs, which is made anew when anything has changed.
define profiled
[ -z "$(VENDORED)" ] || { echo "build: there is no PGO=1 with VENDORED=1: leave out one of them" >&2; exit 1; }
profdata=$$(rustc --print target-libdir)/../bin/llvm-profdata
[ -x "$$profdata" ] || rustup -q component add llvm-tools 2>/dev/null || true
[ -x "$$profdata" ] || { $(call apt,llvm-19); profdata=llvm-profdata-19; }
host=$(host)
key=$$( (rustc -vV; cat $(TARGET)/nginx.state; find src t/bench -type f -print0 | sort -z | xargs -0 cat Cargo.lock Cargo.toml build.rs) |
    sha256sum | cut -c1-12)
profile=$(CURDIR)/$(TARGET)/pgo/$$key.profdata
built=$(TARGET)/$$host/release
profiling() { RUSTFLAGS="$${RUSTFLAGS-} $$1" cargo "$${@:2}" --target $$host; }
if [ ! -e "$$profile" ]; then
    echo "making a profile of the module in use"
    $(bench-tools)
    rm -rf $(TARGET)/pgo
    mkdir -p $(TARGET)/pgo
    profiling -Cprofile-generate build -q --release --locked -p $(MODULE)
    raw=$$(mktemp -d)
    trap 'rm -rf "$$raw"' EXIT
    chmod 1777 "$$raw"  # workers write there, which may be nobody's
    TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$$built/lib$(MODULE).so" \
        LLVM_PROFILE_FILE="$$raw/%m.profraw" ROUNDS=1 DURATION=0.5 MIN_RATE=0 MAX_CPU=1000 MIN_UPLOAD=0 \
        t/bench/run >$(TARGET)/pgo/bench.log 2>&1 || {
            tail -n 5 $(TARGET)/pgo/bench.log >&2
            echo "build: PGO=1 has to run a bench with $$NGINX: say NGINX=PATH, or leave out PGO=1" >&2
            exit 1
        }
    "$$profdata" merge -o "$$profile" "$$raw"
fi
cargo=(profiling "-Cprofile-use=$$profile")
endef

install: build ## copy it to the modules folder of that nginx
	. $(TARGET)/nginx.env
	$(sudo)
	flags=$$("$$NGINX" -V 2>&1)
	folder=$$(sed -nE 's/.*--modules-path=([^ ]+).*/\1/p' <<<"$$flags")
	folder=$${folder:-$$(sed -nE 's/.*--prefix=([^ ]+).*/\1\/modules/p' <<<"$$flags")}
	[ -n "$$folder" ] || { echo "install: $$NGINX -V names no folder: copy $(SO) by hand" >&2; exit 1; }
	as_root install -D -m 644 $(SO) "$(DESTDIR)$$folder/$(MODULE).so"
	echo "load_module $$folder/$(MODULE).so;"

deb: build ## a package of it for Debian's nginx, in target/
	$(call apt,dpkg-dev binutils gzip)
	. $(TARGET)/nginx.env
	owner=$$(dpkg-query -S "$$(realpath "$$NGINX")" 2>/dev/null | cut -d: -f1)
	abi=$$(dpkg-query -Wf '$${Provides}' $${owner:-none} 2>/dev/null | grep -oE 'nginx-abi-[^, ]+') ||
	    { echo "deb: $$NGINX is no nginx of Debian's, so no package can depend on it: make install" >&2; exit 1; }
	root=$(TARGET)/deb doc=$(TARGET)/deb/usr/share/doc/$(PACKAGE)
	rm -rf "$$root"
	mkdir -p "$$root/DEBIAN" "$$doc/examples"
	install -D -m 644 $(SO) "$$root/usr/lib/nginx/modules/$(MODULE).so"
	strip --strip-unneeded "$$root/usr/lib/nginx/modules/$(MODULE).so"
	install -D -m 644 -t "$$root/usr/share/nginx/modules-available" nginx/debian/mod-http-s3-resign.conf
	install -m 644 -t "$$doc" README.md
	install -m 644 LICENSE "$$doc/copyright"
	gzip -9nc CHANGELOG.md >"$$doc/changelog.gz"
	install -m 644 -t "$$doc/examples" nginx/examples/*.conf
	install -m 755 -t "$$root/DEBIAN" nginx/debian/postinst nginx/debian/prerm nginx/debian/postrm
	install -m 644 -t "$$root/DEBIAN" nginx/debian/triggers
	version=$$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml)+nginx$$("$$NGINX" -v 2>&1 | sed 's,.*/,,; s, .*,,')
	libraries=$$(cd nginx; dpkg-shlibdeps -O "$(CURDIR)/$$root/usr/lib/nginx/modules/$(MODULE).so" | sed 's/^shlibs:Depends=//')
	architecture=$$(dpkg --print-architecture)
	sed -e '1,/^$$/d' -e "s/@VERSION@/$$version/; s/@ARCHITECTURE@/$$architecture/" \
	    -e "s/@SIZE@/$$(du -sk "$$root/usr" | cut -f1)/; s/@DEPENDS@/$$abi, $$libraries/" \
	    nginx/debian/control >"$$root/DEBIAN/control"
	(cd "$$root"; find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	rm -f target/$(PACKAGE)_*.deb
	dpkg-deb --root-owner-group -b "$$root" "target/$(PACKAGE)_$${version}_$$architecture.deb" >/dev/null
	echo "built target/$(PACKAGE)_$${version}_$$architecture.deb"

image: ## the container image
	[ -n "$(ENGINE)" ] || { echo "image: there is no docker, podman or buildah here: install one, or say ENGINE=PATH" >&2; exit 1; }
	case "$(ENGINE)" in
	    *docker) ;;
	    *) format="--format=docker";;  # the other one has no HEALTHCHECK
	esac
	$(ENGINE) build $${format-} $(BUILD_FLAGS) -t $(IMAGE) -f docker/Dockerfile$(if $(filter debian,$(BASE)),.debian) \
	    --build-arg PGO=$(PGO) \
	    --build-arg VERSION="$$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml)" \
	    --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || true)" .

# What docker/compose*.yaml read, with keys that nobody knows, for the S3 servers that are in them.
docker/.env:
	random() { od -An -tx1 -N20 /dev/urandom | tr -d ' \n'; }
	umask 077
	for name in CLIENT SERVERA SERVERB; do
	    printf '%s_ACCESS_KEY=%s\n%s_SECRET_KEY=%s\n' $$name "$$(random)" $$name "$$(random)"
	done >$@.new
	for name in a b; do
	    printf 'SERVER%s_ENDPOINT=origin-%s:9000\nSERVER%s_SCHEME=http\n' $${name^^} $$name $${name^^}
	done >>$@.new
	echo SERVERB_BACKUP=on >>$@.new
	mv $@.new $@

check: toolchain nginx-tree ## formatting and lints
	. $(TARGET)/nginx.env
	cargo fmt --all --check
	cargo fmt --manifest-path $(FUZZ_SOURCE)/Cargo.toml --check
	if dpkg-query -Wf '$${Status}' cargo-web 2>/dev/null | grep -q 'ok installed'; then $(call apt,rust-web-clippy); fi
	if cargo clippy --version >/dev/null 2>&1; then
	    cargo clippy --locked --workspace --all-targets $$FEATURES -- -D warnings
	else
	    echo "check: this cargo has no clippy: compiler warnings only"
	    RUSTFLAGS="-D warnings" cargo check --locked --workspace --all-targets $$FEATURES
	fi

test: ## everything: unit tests, t/*.t under prove, real clients against real origins
	failed=
	for suite in cargo-test fuzz-test prove-test $(if $(VENDORED),,prove-vendored) $(if $(VENDORED)$(NGINX_BUILD),,deb-test image-test) client-test; do
	    echo "== $$suite"
	    $(MAKE) --no-print-directory $$suite || failed="$$failed $$suite"
	done
	[ -z "$$failed" ] || { echo "make test: FAILED:$$failed"; exit 1; }
	echo "make test: all passed"

test-full: build s3s-fs python-clients ## what takes minutes: 1,000 reloads; uploads of 5 GiB, on 10 GiB of disk
	. $(TARGET)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)" UPLOAD_BYTES=$$((5 << 30))
	"$(VENV)/bin/python" -m pytest -q -p no:cacheprovider t/clients/test_large.py
	RELOAD_SECONDS=30 RELOADS=1000 "$(VENV)/bin/python" -m pytest -q -p no:cacheprovider \
	    t/clients/test_resilience.py -k reloads

test-roots: ## the first two commands of README.md in a bare Debian 12 and a bare 13, as root: an hour for each
	$(call apt,debootstrap git mount util-linux)
	for suite in bookworm trixie; do
	    t/roots/run $$suite
	done

# The module itself has no unit tests: nginx's symbols are there only inside nginx.
cargo-test: toolchain
	cargo test --locked --workspace --exclude $(MODULE)

prove-test: build
	$(call apt,perl openssl curl ca-certificates util-linux mount prometheus $(if $(VENDORED)$(NGINX_BUILD),,libnginx-mod-http-lua))
	. $(TARGET)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	$(mismatched)
	prove -j4 -It/lib $(SLOW) $(filter-out $(SLOW),$(sort $(wildcard t/*.t)))

# Those that take longest start first. They wait more than they compute, so four at a time are not too many for two cores.
SLOW := $(addprefix t/,240-entrypoint.t 200-health.t 190-forms.t)

# The same with the nginx that crates.io has, which is some years younger than Debian's.
prove-vendored:
	$(MAKE) --no-print-directory prove-test VENDORED=1

deb-test: deb
	$(call apt,perl util-linux mount iproute2)
	prove -It/lib t/deb/

# It is skipped where it cannot have what it needs. Debian's engine would replace another one.
image-test: python-clients
	if [ "$$(id -u)" = 0 ]; then
	    (   $(call apt,docker-compose debootstrap iptables)
	        command -v dockerd >/dev/null || { $(call apt,docker.io); }
	        [ -e /usr/bin/docker ] || { $(call apt,docker-cli); }  # Debian 12 has it in docker.io
	    ) || true
	fi
	"$(VENV)/bin/python" -m pytest -q -rs -p no:cacheprovider t/image

# The module for headers that a patch has changed as OpenResty's do: it must refuse this nginx. Cargo
# looks at the times of nginx's files, so the copy of them is made only when they are others.
define mismatched
if [ -z "$(VENDORED)" ]; then
    tree=$(TARGET)/mismatched/nginx
    if ! cmp -s $(TARGET)/nginx.state $$tree/state; then
        rm -rf $$tree
        mkdir -p $$tree
        cp -a "$$NGINX_SOURCE_DIR/src" $$tree/src
        cp -a "$$NGINX_BUILD_DIR" $$tree/objs
        sed -i '/^    ngx_http_upstream_headers_in_t  *headers_in;/i void *inserted[3];' $$tree/src/http/ngx_http_upstream.h
        cp $(TARGET)/nginx.state $$tree/state
    fi
    NGINX_SOURCE_DIR="$(CURDIR)/$$tree" NGINX_BUILD_DIR="$(CURDIR)/$$tree/objs" CARGO_TARGET_DIR=$(TARGET)/mismatched \
        cargo build -q --locked -p $(MODULE)
    export TEST_NGINX_S3_MISMATCHED="$(CURDIR)/$(TARGET)/mismatched/debug/lib$(MODULE).so"
fi
endef

client-test: build s3s-fs go-servers swift ceph python-clients js-client rust-client servicemonitor
	$(call apt,chromium curl haproxy openssl restic)
	. $(TARGET)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	if [ -z "$(NGINX_BUILD)" ]; then
	    $(MAKE) --no-print-directory build VENDORED=1
	    . target/vendored/nginx.env
	    export YOUNGER_NGINX_BINARY="$$NGINX" YOUNGER_NGINX_S3_MODULE="$(CURDIR)/target/vendored/$(MODULE).so"
	fi
	"$(VENV)/bin/python" -m pytest -q -rs -n 2 --dist loadfile -p no:cacheprovider t/clients

# What is measured is what package and image have.
deb image bench: PGO ?= $(if $(VENDORED),,1)

bench: build ## requests/s, CPU per request and uploads' MB/s beside plain proxy_pass
	$(bench-tools)
	. $(TARGET)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	t/bench/run

define bench-tools
$(call apt,perl gcc libc6-dev util-linux)
cargo build -q --release --locked -p sigv4 --example sha256
export SHA256="$(CURDIR)/$(TARGET)/release/examples/sha256"
endef

fuzz: fuzz-targets ## hostile requests, uploads and forms, guided by the code that they reach
	for name in $(FUZZ); do
	    mkdir -p "$(CACHE)/fuzz/$$name"
	    $(call fuzzer,$$name) -max_total_time=$(or $(TIME),60) "$(CACHE)/fuzz/$$name" $(FUZZ_SOURCE)/seeds/$$name
	done
	PROPTEST_CASES=$(or $(CASES),1000000) cargo test --locked --profile fuzz -p sigv4 --test model

# A few seconds of that, the same ones each time.
fuzz-test: fuzz-targets
	for name in $(FUZZ); do
	    found=$$(mktemp -d)
	    $(call fuzzer,$$name) -runs=20000 -seed=1 "$$found" $(FUZZ_SOURCE)/seeds/$$name 2>$(TARGET)/fuzz/$$name.log ||
	        { tail -n 40 $(TARGET)/fuzz/$$name.log >&2; exit 1; }
	    rm -rf "$$found"
	    tail -n 1 $(TARGET)/fuzz/$$name.log
	done

# What `cargo fuzz` does, which needs an unstable compiler. With --target the flags are for these crates
# only, and not for what cargo runs while it builds.
fuzz-targets: toolchain
	$(call apt,g++)
	flags="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module"
	for flag in level=4 inline-8bit-counters pc-table trace-compares; do
	    flags="$$flags -Cllvm-args=-sanitizer-coverage-$$flag"
	done
	RUSTFLAGS="$$flags" CARGO_TARGET_DIR=$(TARGET)/fuzz cargo build -q --release --locked \
	    --target $(host) --manifest-path $(FUZZ_SOURCE)/Cargo.toml

demo: build s3s-fs python-clients ## two S3 servers, nginx on :8080, a tour that kills one of them
	$(call apt,curl)
	. $(TARGET)/nginx.env
	export TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$(SO)"
	export PORT="$(PORT)" KEEP="$(KEEP)"
	exec "$(VENV)/bin/python" t/demo/tour.py

clean: ## remove what was built here (not the cache)
	rm -rf target t/servroot*

# ---- what the targets above stand on ----

define sudo
as_root() { if [ "$$(id -u)" = 0 ]; then "$$@"; else sudo "$$@"; fi; }
endef

# $(call apt,PACKAGE ...) installs those missing, and starts none of their services.
define apt
missing=
for package in $(1); do
    dpkg-query -Wf '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"
done
if [ -n "$$missing" ] && ! command -v apt-get >/dev/null; then
    echo "not Debian: going on without looking for the equivalents of$$missing" >&2
elif [ -n "$$missing" ]; then
    (   $(sudo)
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $$policy ]; then
            trap "as_root rm -f $$policy" EXIT
            printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin $$policy
        fi
        echo "installing$$missing"
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null
    )
fi
endef

# A cargo on the PATH is taken as it is. Else Debian's cargo where it is new enough, or cargo-web, which Debian's
# stable releases have for their browsers, or its rustup. A bare Debian has no CAs for cargo to fetch with.
toolchain:
	$(call apt,ca-certificates gcc libc6-dev)
	is_enough() { [ "$$(printf '%s\n' $(RUST) "$$1" | sort -V | head -n 1)" = $(RUST) ]; }
	if ! command -v cargo >/dev/null && command -v apt-get >/dev/null; then
	    ( $(sudo); as_root apt-get update -qq )
	    candidate() { apt-cache policy $$1 | sed -nE 's/^  Candidate: ([0-9].*)/\1/p'; }
	    if is_enough "$$(candidate cargo)"; then
	        $(call apt,cargo rustc rustfmt)
	    elif is_enough "$$(candidate cargo-web)"; then
	        $(call apt,cargo-web rustc-web rustfmt-web)
	    elif [ -n "$$(candidate rustup)" ]; then
	        $(call apt,rustup)
	    fi
	fi
	if command -v rustup >/dev/null && ! rustc --version >/dev/null 2>&1; then
	    echo "rustup has no toolchain yet: installing Rust $(RUST)"
	    rustup -q toolchain install --profile minimal -c rustfmt -c clippy $(RUST) && rustup -q default $(RUST) || true
	fi
	version=$$(rustc --version 2>/dev/null | cut -d' ' -f2 || true)
	if ! is_enough "$$version"; then
	    echo "$${version:+rustc $$version is too old: }Rust $(RUST) is needed, from https://rustup.rs or as Debian's cargo-web" \
	        "and rustc-web, on the PATH" >&2
	    exit 1
	fi

# Writes $(TARGET)/nginx.env: what cargo builds against and which binary the tests run.
nginx-tree: toolchain
	$(call apt,gcc libc6-dev make libclang-dev)
	mkdir -p $(TARGET)
	if [ -n "$(VENDORED)" ]; then
	    $(call apt,perl libpcre2-dev libssl-dev zlib1g-dev)
	    env='FEATURES="--features vendored"; unset NGINX_SOURCE_DIR NGINX_BUILD_DIR'
	    state=vendored
	else
	    if [ "$(NGINX_SOURCE)" = /usr/share/nginx/src ] && [ -z "$(NGINX_BUILD)" ]; then
	        $(call apt,nginx nginx-dev)
	    fi
	    source=$$(realpath "$(NGINX_SOURCE)")
	    header=$$source/src/core/nginx.h
	    [ -f "$$header" ] || { echo "NGINX_SOURCE=$(NGINX_SOURCE) has no src/core/nginx.h" >&2; exit 1; }
	    version=$$(cc -E -P -include "$$header" - <<<NGINX_VER | tr -d '" ')  # nginx/1.28.0, openresty/1.31.1.1
	    nginx=$(NGINX)
	    is_of_it() { [[ "$$("$$nginx" -v 2>&1) " == "nginx version: $$version "* ]]; }
	    if [ -n "$(NGINX_BUILD)" ]; then
	        build=$$(realpath "$(NGINX_BUILD)")
	        [ -f "$$build/ngx_auto_config.h" ] ||
	            { echo "NGINX_BUILD=$(NGINX_BUILD) has no ngx_auto_config.h: leave it out, and it is made" >&2; exit 1; }
	        [ ! -x "$$build/nginx" ] || nginx=$$build/nginx
	    else
	        $(configure)
	    fi
	    is_of_it || echo "note: this is for $$version, and $$nginx is not: to test and install, say NGINX=PATH" >&2
	    env="FEATURES=; export NGINX_SOURCE_DIR='$$source' NGINX_BUILD_DIR='$$build'; NGINX='$$nginx'"
	    state=$$(cat "$$build/Makefile" "$$build/ngx_auto_config.h" "$$build/ngx_auto_headers.h" "$$header" | sha256sum)
	fi
	# Cargo looks at the times of two files; another nginx under the same path must not leave old bindings behind.
	state="$$state $$env"
	if [ "$$state" != "$$(cat $(TARGET)/nginx.state 2>/dev/null)" ]; then
	    for package in nginx-sys ngx $(MODULE); do
	        cargo clean -q --release -p $$package 2>/dev/null || true
	        cargo clean -q --release -p $$package --target $(host) 2>/dev/null || true
	        cargo clean -q -p $$package 2>/dev/null || true
	    done
	    rm -rf $(SO) $(TARGET)/pgo
	fi
	echo "$$state" >$(TARGET)/nginx.state
	echo "$$env" >$(TARGET)/nginx.env

# Configures a copy of $$source in the cache (seconds, compiles nothing); sets $$source and $$build to it.
define configure
flags=(--with-compat --with-http_ssl_module --with-http_v2_module --with-threads)
if [ -f "$$source/conf_flags" ]; then
    . "$$source/conf_flags"
    flags=("$${NGX_CONF_FLAGS[@]}")
elif is_of_it; then
    eval "flags=($$("$$nginx" -V 2>&1 | sed -n 's/^configure arguments: //p'))"
    for i in "$${!flags[@]}"; do
        case $${flags[i]} in --add-*|*=dynamic|--with-mail*|--with-stream*) unset "flags[i]";; esac
    done
    flags+=(--with-compat)
fi
key=$$( (cd "$$source"; find . -path ./objs -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; printf '%s\n' "$${flags[@]}") |
    sha256sum | cut -c1-12)
tree=$(CACHE)/$${version/\//-}-$$key
if [ ! -d "$$tree" ]; then
    echo "configuring $$version in $$tree"
    mkdir -p "$(CACHE)"
    new=$$(mktemp -d "$$tree.XXXXXX")
    cp -RL "$$source/." "$$new"
    rm -rf "$$new/objs"
    script=./configure
    [ -f "$$new/configure" ] || script=auto/configure  # in a checkout of its repository
    if ! (cd "$$new" && bash $$script --builddir=objs "$${flags[@]}") >"$$new/configure.log" 2>&1; then
        tail -n 5 "$$new/configure.log" >&2
        rm -rf "$$new"
        exit 1
    fi
    mv -T "$$new" "$$tree" 2>/dev/null || rm -rf "$$new"
fi
source=$$tree build=$$tree/objs
endef

# The servers that the client tests and the demo proxy to.
swift:
	$(call apt,python3-swift)

ceph:
	$(call apt,radosgw ceph-mon ceph-osd ceph-common)

s3s-fs: toolchain
	$(call apt,gcc libc6-dev)
	if [ ! -x "$(CACHE)/s3s-fs-$(S3S_FS)/bin/s3s-fs" ]; then
	    echo "building s3s-fs $(S3S_FS) (once, some minutes)"
	    cargo install -q s3s-fs --version $(S3S_FS) --features binary --locked \
	        --root "$(CACHE)/s3s-fs-$(S3S_FS)" --target-dir "$(CACHE)/build"
	    rm -rf "$(CACHE)/build"
	fi

# A program is left out where Go is too old for it and cannot fetch itself a younger one; its tests are skipped.
go-servers:
	PATH="$$PATH:/usr/local/go/bin"
	new=$$(mktemp -d)
	trap 'rm -rf "$$new"' EXIT
	export GOPATH=$$new GOCACHE=$$new/cache GOFLAGS=-modcacherw CGO_ENABLED=0
	while read -r module sum needed part; do
	    name=$${module%@*} name=$${name##*/}
	    program="$(CACHE)/$$name-$${module#*@}/$$name"
	    [ ! -x "$$program" ] || continue
	    command -v go >/dev/null || { $(call apt,golang-go ca-certificates); }
	    command -v go >/dev/null || { echo "there is no Go: tests with $$name are skipped" >&2; continue; }
	    export GOTOOLCHAIN=local
	    version=$$(go env GOVERSION)
	    if [ "$$(printf '%s\n' "go$$needed" "$$version" | sort -V | head -n1)" != "go$$needed" ]; then
	        export GOTOOLCHAIN=go$$needed
	        [[ "$$(go version 2>&1)" == *" go$$needed "* ]] ||
	            { echo "$$version is too old for $$name, which needs $$needed: its tests are skipped" >&2; continue; }
	    fi
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
