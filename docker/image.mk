# The container image, and the keys that its compose files read.

# By which engine, on which nginx, under which name.
ENGINE ?= $(firstword $(foreach name,docker podman buildah,$(shell command -v $(name))))
BASE   ?= debian
IMAGE  ?= s3-resign

# The images that BASE stands for. The version of OpenResty is in docker/Dockerfile, with its checksum.
OPENRESTY      = $(shell sed -n 's/^ARG OPENRESTY=//p' docker/Dockerfile)
base-debian    = debian:bookworm-slim
base-openresty = docker.io/openresty/openresty:$(OPENRESTY)-bookworm

image:
	[ -n "$(base-$(BASE))" ] || { echo "image: there is no BASE=$(BASE): say debian or openresty" >&2; exit 1; }
	[ -n "$(ENGINE)" ] || { echo "image: there is no docker, podman or buildah here: install one, or say ENGINE=PATH" >&2; exit 1; }
	case "$(ENGINE)" in
	    *docker) ;;
	    *) format="--format=docker";;  # the other one has no HEALTHCHECK
	esac
	$(ENGINE) build $${format-} $(BUILD_FLAGS) -t $(IMAGE) -f docker/Dockerfile \
	    --build-arg BASE=$(base-$(BASE)) --build-arg PGO=$(PGO) \
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
