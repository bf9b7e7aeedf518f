# What is published of a version: its source with all crates, what it is made of, and the sums of both.

DIST := target/dist

.PHONY: release

# The archive has the time of the commit and no names of users, so that who makes it again has the same one. cargo reads
# no network in there, since .cargo/config.toml says where the crates are.
release: toolchain
	$(call apt,git python3 tar xz-utils)
	[ -z "$$(git status --porcelain)" ] || { echo "release: there are changes that are not committed, or files that git does not know" >&2; exit 1; }
	version=$$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml)
	name=$(MODULE)-$$version
	export SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct)
	new=$$(mktemp -d)
	trap 'rm -rf "$$new"' EXIT
	git archive --prefix="$$name/" HEAD | tar -x -C "$$new"
	mkdir -p "$$new/$$name/.cargo"
	(   cd "$$new/$$name"
	    cargo vendor -q --locked --versioned-dirs vendor
	    printf '%s\n' '[source.crates-io]' 'replace-with = "vendored"' '' '[source.vendored]' 'directory = "vendor"' '' \
	        '[net]' 'offline = true' >.cargo/config.toml
	    platforms=$$(sed -nE '/^targets = /s/.*\[(.*)\].*/\1/p' .deny.toml | tr -d '",')
	    cargo metadata --locked --format-version 1 $$(printf -- '--filter-platform %s ' $$platforms) |
	        $(PYTHON) nginx/packaging/sbom.py Cargo.lock
	) >"$$new/$$name.cdx.json"
	rm -rf $(DIST)
	mkdir -p $(DIST)
	mv "$$new/$$name.cdx.json" $(DIST)
	tar --sort=name --format=gnu --mtime="@$$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX \
	    -C "$$new" -c "$$name" | xz -T2 $(or $(COMPRESS),-6) >$(DIST)/"$$name.tar.xz"
	(cd $(DIST) && sha256sum -- * >SHA256SUMS)
	echo "made $(DIST)/$$name.tar.xz, $$name.cdx.json and SHA256SUMS: sign the last"
