# `make help` lists the commands. On Debian each installs what it lacks and nothing twice.

CACHE ?= $(HOME)/.cache/s3-resign
PORT  ?= 8080

# Which nginx: its binary, its source (headers suffice) and, where already configured, its build folder.
NGINX        ?= $(or $(shell PATH="$$PATH:/usr/sbin" command -v nginx),/usr/sbin/nginx)
NGINX_BUILD  ?=
NGINX_SOURCE ?= $(if $(NGINX_BUILD),$(NGINX_BUILD)/..,/usr/share/nginx/src)
VENDORED     ?=

# Which machine it is for, as a triple of Rust's; default: this one.
TARGET ?=

MODULE := ngx_http_s3_resign_module
OUT    := target$(if $(ASAN),/asan,$(if $(VENDORED),/vendored))$(if $(TARGET),/cross)
PACKAGE := libnginx-mod-http-s3-resign
SO     := $(OUT)/$(MODULE).so
RUST   := 1.88

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.PHONY: help build install deb release image test test-full test-asan test-roots matrix check bench growth fuzz demo clean
.DEFAULT_GOAL := help

export CACHE
unexport NGINX  # to nginx itself this variable is a list of sockets
export CARGO_TARGET_DIR := $(CURDIR)/$(OUT)

# ---- the commands and what each needs; their recipes are in the included files ----

help: ## this list
build: toolchain nginx-tree ## the module for the nginx found here, in target/, and the presigner sign_s3
install: fits build ## copy it to the modules folder of that nginx
deb: debian-nginx fits build ## a package of it for Debian's nginx, in target/
release: ## an archive of the source with all crates, to be built offline, its SBOM and checksums, in target/dist
image: ## the container image
check: toolchain nginx-tree ## formatting, lints, and what crates may be
test: ## everything: unit tests, t/*.t under prove, real clients against real origins
test-full: build s3s-fs go-servers swift ceph python-clients garage go-client js-client rust-client ## what takes hours: 1,000 reloads; an hour without services that give keys; uploads of 5 GiB, on 10 GiB of disk; test-asan
test-asan: ## all of t/*.t with AddressSanitizer in nginx 1.28, which frees each piece of memory at once, and in the module
test-roots: ## the first two commands of README.md in a bare Debian 13 and a bare 12, as root: an hour for each
matrix: ## all of t/*.t on each nginx that is published where this can get it, or on those of NGINX_SOURCES
bench: fits build ## a table of requests/s, CPU, latency and memory beside plain proxy_pass, also in target/bench.md
growth: fits build ## how that grows with keys, origins, headers, connections: plots in t/bench/plots, for t/README.md
fuzz: fuzz-limits fuzz-targets ## hostile requests, uploads, forms and answers, guided by the code that they reach
demo: free-port fits build s3s-fs python-clients ## two S3 servers, nginx on :8080, a tour that kills one of them
clean: ## remove what was built here (not the cache)

# What is measured is what package and image have.
deb image bench growth: PGO ?= $(if $(VENDORED),,1)

include nginx/build.mk
include $(wildcard nginx/release.mk docker/image.mk t/test.mk)  # not there while the image builds the module

help:
	echo "make COMMAND [NAME=VALUE ...]"
	sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' Makefile | expand -t 13
	sed -nE 's/^#>//p' Makefile

#>
#>  NGINX=PATH         the nginx binary; default: the one on the PATH, or Debian's, installed when missing
#>  NGINX_SOURCE=DIR   the source of that nginx; default: Debian's nginx-dev. It is copied, never written to
#>  NGINX_BUILD=DIR    that source's build folder (objs). Without it the copy is configured: with the
#>                     conf_flags lying in the source (Debian), else with the flags that NGINX -V shows where
#>                     it is of the same version, else with --with-compat and http_ssl, http_v2, threads
#>  PGO=1              build, install: profile-guided optimization (two minutes more, and it runs that nginx);
#>                     deb, image, bench and growth have it anyway, and PGO= keeps it from them
#>  TARGET=TRIPLE      build: for another machine, as aarch64-unknown-linux-gnu, with a C compiler for it and the
#>                     NGINX_BUILD of an nginx that was configured for it
#>  VENDORED=1         nginx 1.28 as published on crates.io, compiled here in target/vendored (minutes), instead
#>                     of all that
#>  ENGINE=PATH        image: docker, podman or buildah; default: the first of them on the PATH
#>  BASE=openresty     image: OpenResty instead of Debian's nginx
#>  IMAGE=NAME:TAG     image: what it is called; default s3-resign
#>  BUILD_FLAGS=...    image: more of the engine's options, as --network=host
#>  NGINX_SOURCES=...  matrix: folders of unpacked nginx or OpenResty, instead of those that are published
#>  ROOTS=DIR          test-roots: the bare Debians and what they keep; default CACHE/roots
#>  CACHE=DIR          configured trees, test servers and clients; default ~/.cache/s3-resign
#>  TIME=SECONDS       fuzz: for each of its targets; default 60
#>  RUNS=N             fuzz: executions of each of its targets, instead of a time; with TIME, what ends first
#>  FAST=1             fuzz: two to three times as many executions, which learn nothing from comparisons: for a
#>                     corpus that is there
#>  CASES=N            fuzz: at random for each property of requests; default 1000000, five minutes on two cores
#>  PORT=N, KEEP=1     demo: another port than 8080; leave it up until Ctrl-C

clean:
	rm -rf target t/servroot*

# ---- what recipes in all files use ----

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
