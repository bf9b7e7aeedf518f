# The module for an nginx, and the packages of it: what `make build`, `install` and `deb` do.

.PHONY: given toolchain nginx-tree fits debian-nginx entrypoint

# The triple of this machine: with --target, flags are not for what cargo runs while it builds.
host = $$(rustc -vV | sed -n 's/^host: //p')

build:
	. $(OUT)/nginx.env
	[ -z "$$MISFIT" ] || echo "note: $$MISFIT" >&2
	cargo=(cargo) kind=(--release) built=$(OUT)/release
	$(if $(PGO),$(profiled))
	$(if $(TARGET),$(crossed))
	$(if $(ASAN),$(sanitized))
	messages=$$("$${cargo[@]}" build "$${kind[@]}" --locked -p $(MODULE) $$FEATURES --message-format=json-render-diagnostics)
	if [ -n "$(VENDORED)" ]; then
	    out=$$(sed -nE '/"build-script-executed"/s/.*nginx-sys@.*"out_dir":"([^"]+)".*/\1/p' <<<"$$messages")
	    source=$$(sed -nE 's/^"([^"]+)".*/\1/p' "$$out/objs/last-build-info")
	    echo "NGINX='$$out/objs/nginx'; export NGINX_SOURCE_DIR='$$source' NGINX_BUILD_DIR='$$out/objs'" >>$(OUT)/nginx.env
	fi
	CARGO_TARGET_DIR=target $(if $(TARGET),"$${cargo[@]}",cargo) build --release --locked -p sign_s3
	cp $$built/lib$(MODULE).so $(SO).new
	mv $(SO).new $(SO)
	echo "built $(SO)"

# What the image starts.
entrypoint: toolchain
	CARGO_TARGET_DIR=target cargo build --release --locked -p entrypoint

# Has $$cargo optimize by a profile of what the bench runs, which is made again when anything has changed.
define profiled
[ -z "$(VENDORED)" ] || { echo "build: there is no PGO=1 with VENDORED=1: leave out one of them" >&2; exit 1; }
profdata=$$(rustc --print target-libdir)/../bin/llvm-profdata
[ -x "$$profdata" ] || rustup -q component add llvm-tools 2>/dev/null || true
[ -x "$$profdata" ] || { $(call apt,llvm-19); profdata=llvm-profdata-19; }
host=$(host)
key=$$( (rustc -vV; cat $(OUT)/nginx.state; find src t/bench -type f -print0 | sort -z | xargs -0 cat Cargo.lock Cargo.toml build.rs) |
    sha256sum | cut -c1-12)
profile=$(CURDIR)/$(OUT)/pgo/$$key.profdata
built=$(OUT)/$$host/release
profiling() { RUSTFLAGS="$${RUSTFLAGS-} $$1" cargo "$${@:2}" --target $$host; }
if [ ! -e "$$profile" ]; then
    echo "making a profile of the module in use"
    $(bench-tools)
    rm -rf $(OUT)/pgo
    mkdir -p $(OUT)/pgo
    profiling -Cprofile-generate build -q --release --locked -p $(MODULE)
    raw=$$(mktemp -d)
    trap 'rm -rf "$$raw"' EXIT
    chmod 1777 "$$raw"  # workers write there, which may be nobody's
    TEST_NGINX_BINARY="$$NGINX" TEST_NGINX_S3_MODULE="$(CURDIR)/$$built/lib$(MODULE).so" \
        LLVM_PROFILE_FILE="$$raw/%m.profraw" ONLY='requests links uploads' ROUNDS=1 DURATION=0.2 UPLOAD=16 \
        MIN_RATE=0 MIN_LINKS=0 MAX_CPU=1000 MIN_LARGE=0 MIN_UPLOAD=0 \
        t/bench/run >$(OUT)/pgo/bench.log 2>&1 || {
            tail -n 5 $(OUT)/pgo/bench.log >&2
            echo "build: PGO=1 has to run a bench with $$NGINX: say NGINX=PATH, or leave out PGO=1" >&2
            exit 1
        }
    "$$profdata" merge -o "$$profile" "$$raw"
fi
cargo=(profiling "-Cprofile-use=$$profile")
endef

# Has $$cargo compile for $(TARGET), whose compiler links too.
define crossed
command -v rustup >/dev/null && rustup -q target add $(TARGET)
linker=CARGO_TARGET_$$(tr a-z- A-Z_ <<<"$(TARGET)")_LINKER
[ -n "$${!linker-}" ] || export "$$linker=$(subst -unknown-,-,$(TARGET))-gcc"
crossing() { cargo "$$@" --target $(TARGET); }
cargo=(crossing) built=$(OUT)/$(TARGET)/release
endef

# Has $$cargo compile nginx and the module with AddressSanitizer, whose runtime is Rust's and is linked into nginx:
# what configure tries is linked as it is compiled, by a compiler that would add its own. Its options are compiled in,
# since tests clear the environment: reports go to files, Rust's aborts too, and what is in use to the end is for the
# kernel to free. Each piece of memory of nginx's pools is one of malloc()'s. Rust's flag is not stable; the crate cc
# sees it and compiles the C files likewise.
define sanitized
runtime=$$(ls $$(rustc --print target-libdir)/librustc*_rt.asan.a) ||
    { echo "build: ASAN=1 needs a Rust of https://rustup.rs, which has the sanitizer's runtime" >&2; exit 1; }
options=$(CURDIR)/$(OUT)/options.o
cc -c -x c -o "$$options" - <<<'const char *__asan_default_options(void) {
    return "detect_leaks=0:handle_abort=1:log_path=$(CURDIR)/$(OUT)/reports/nginx"; }'
export NGX_CFLAGS="-DNGX_DEBUG_PALLOC=1 -g -fsanitize=address -fno-omit-frame-pointer"
export NGX_LDFLAGS="-fno-sanitize=address $$options -Wl,--whole-archive,$$runtime,--no-whole-archive -lpthread -ldl -lrt -lm"
host=$(host)
sanitizing() {
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="$${RUSTFLAGS-} -Zsanitizer=address -Cforce-frame-pointers" cargo "$$@" --target $$host
}
cargo=(sanitizing) kind=(--profile fuzz) built=$(OUT)/$$host/fuzz
endef

install:
	. $(OUT)/nginx.env
	$(sudo)
	flags=$$("$$NGINX" -V 2>&1)
	folder=$$(sed -nE 's/.*--modules-path=([^ ]+).*/\1/p' <<<"$$flags")
	folder=$${folder:-$$(sed -nE 's/.*--prefix=([^ ]+).*/\1\/modules/p' <<<"$$flags")}
	[ -n "$$folder" ] || { echo "install: $$NGINX -V names no folder: copy $(SO) by hand" >&2; exit 1; }
	as_root install -D -m 644 $(SO) "$(DESTDIR)$$folder/$(MODULE).so"
	echo "load_module $$folder/$(MODULE).so;"

# Sets $$abi to what packages of modules for $$nginx depend on.
define abi-of-debian
owner=$$(dpkg-query -S "$$(realpath "$$nginx")" 2>/dev/null | cut -d: -f1) || true
abi=$$(dpkg-query -Wf '$${Provides}' $${owner:-none} 2>/dev/null | grep -oE 'nginx-abi-[^, ]+') ||
    { echo "deb: $$nginx is no nginx of Debian's, so no package can depend on it: say make install instead" >&2; exit 1; }
endef

# Before anything is installed or compiled. Where there is no nginx yet, it will be Debian's.
debian-nginx:
	[ -z "$(VENDORED)" ] || { echo "deb: VENDORED=1 is no nginx of Debian's: leave it out" >&2; exit 1; }
	nginx="$(NGINX)"
	if [ -e "$$nginx" ]; then $(abi-of-debian); fi

deb:
	$(call apt,dpkg-dev binutils gzip)
	. $(OUT)/nginx.env
	nginx=$$NGINX
	$(abi-of-debian)
	root=$(OUT)/deb doc=$(OUT)/deb/usr/share/doc/$(PACKAGE)
	rm -rf "$$root"
	mkdir -p "$$root/DEBIAN" "$$doc/examples"
	install -D -m 644 $(SO) "$$root/usr/lib/nginx/modules/$(MODULE).so"
	install -D -m 755 -t "$$root/usr/bin" target/$(if $(TARGET),$(TARGET)/)release/sign_s3
	strip --strip-unneeded "$$root/usr/lib/nginx/modules/$(MODULE).so" "$$root/usr/bin/sign_s3"
	install -D -m 644 -t "$$root/usr/share/nginx/modules-available" nginx/debian/mod-http-s3-resign.conf
	install -m 644 -t "$$doc" README.md
	install -D -m 644 -t "$$doc/nginx" nginx/README.md
	install -m 644 LICENSE "$$doc/copyright"
	gzip -9nc CHANGELOG.md >"$$doc/changelog.gz"
	install -m 644 -t "$$doc/examples" nginx/examples/*.conf
	install -m 755 -t "$$root/DEBIAN" nginx/debian/postinst nginx/debian/prerm nginx/debian/postrm
	install -m 644 -t "$$root/DEBIAN" nginx/debian/triggers
	version=$$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml)+nginx$$("$$NGINX" -v 2>&1 | sed 's,.*/,,; s, .*,,')
	libraries=$$(cd nginx; dpkg-shlibdeps -O "$(CURDIR)/$$root/usr/lib/nginx/modules/$(MODULE).so" "$(CURDIR)/$$root/usr/bin/sign_s3" | sed 's/^shlibs:Depends=//')
	architecture=$$(dpkg --print-architecture)
	sed -e '1,/^$$/d' -e "s/@VERSION@/$$version/; s/@ARCHITECTURE@/$$architecture/" \
	    -e "s/@SIZE@/$$(du -sk "$$root/usr" | cut -f1)/; s/@DEPENDS@/$$abi, $$libraries/" \
	    nginx/debian/control >"$$root/DEBIAN/control"
	(cd "$$root"; find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	rm -f target/$(PACKAGE)_*.deb
	dpkg-deb --root-owner-group -b "$$root" "target/$(PACKAGE)_$${version}_$$architecture.deb" >/dev/null
	echo "built target/$(PACKAGE)_$${version}_$$architecture.deb"

define bench-tools
$(call apt,perl gcc libc6-dev util-linux)
cargo build -q --release --locked -p sigv4 --example sha256
export SHA256="$(CURDIR)/$(OUT)/release/examples/sha256"
endef

# What was said by hand, before anything is installed or compiled.
given:
	by_hand() { [[ "$$1" != file && "$$1" != undefined ]]; }
	if by_hand "$(origin NGINX)" && [ -z "$(TARGET)" ]; then
	    [[ "$$("$(NGINX)" -v 2>&1)" == "nginx version: "* ]] ||
	        { echo "NGINX=$(NGINX) is no nginx: say the path of the program" >&2; exit 1; }
	fi
	[[ -z "$(PGO)$(VENDORED)" || "$(CURDIR)" != *[[:space:]]* ]] || {
	    echo "build: the path of this folder has a space in it, which PGO=1 and VENDORED=1 do not take: move it, or leave them out" >&2
	    exit 1
	}
	if [ -n "$(NGINX_BUILD)" ]; then
	    [ -f "$(NGINX_BUILD)/ngx_auto_config.h" ] ||
	        { echo "NGINX_BUILD=$(NGINX_BUILD) has no ngx_auto_config.h: leave it out, and it is made" >&2; exit 1; }
	fi
	if by_hand "$(origin NGINX_SOURCE)"; then
	    [ -f "$(NGINX_SOURCE)/src/core/nginx.h" ] ||
	        { echo "NGINX_SOURCE=$(NGINX_SOURCE) has no src/core/nginx.h: say the folder of an unpacked nginx" >&2; exit 1; }
	fi
	if [ -n "$(TARGET)" ]; then
	    [ -n "$(NGINX_BUILD)" ] ||
	        { echo "build: TARGET=$(TARGET) needs NGINX_BUILD=DIR of an nginx that was configured for it" >&2; exit 1; }
	    [ -z "$(PGO)" ] || { echo "build: PGO=1 runs the module, which TARGET=$(TARGET) keeps from it" >&2; exit 1; }
	fi

# A cargo on the PATH is taken as it is. Else Debian's cargo where it is new enough, or cargo-web, which Debian's
# stable releases have for their browsers, or its rustup. A bare Debian has no CAs for cargo to fetch with.
toolchain: given
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

# More than the crate has of itself: the modules of nginx that tests use.
VENDORED_FLAGS := --with-http_v3_module --with-http_auth_request_module --with-http_secure_link_module \
    --with-http_slice_module --with-http_addition_module

# Writes $(OUT)/nginx.env: what cargo builds against and which binary the tests run.
nginx-tree: toolchain
	$(call apt,gcc libc6-dev make libclang-dev)
	mkdir -p $(OUT)
	misfit=
	if [ -n "$(VENDORED)" ]; then
	    $(call apt,perl libpcre2-dev libssl-dev zlib1g-dev)
	    env='FEATURES="--features vendored" MISFIT=; unset NGINX_SOURCE_DIR NGINX_BUILD_DIR; '
	    env+='export NGX_CONFIGURE_ARGS="$(VENDORED_FLAGS)"'
	    state=vendored
	else
	    if [ "$(NGINX_SOURCE)" = /usr/share/nginx/src ] && [ -z "$(NGINX_BUILD)" ]; then
	        $(call apt,nginx nginx-dev)
	    fi
	    source=$$(realpath "$(NGINX_SOURCE)")
	    header=$$source/src/core/nginx.h
	    [ -f "$$header" ] || { echo "NGINX_SOURCE=$(NGINX_SOURCE) has no src/core/nginx.h: install nginx-dev, or say where nginx's source is" >&2; exit 1; }
	    version=$$(cc -E -P -include "$$header" - <<<NGINX_VER | tr -d '" ')  # nginx/1.28.0, openresty/1.31.1.1
	    nginx=$(NGINX)
	    is_of_it() { [[ "$$("$$nginx" -v 2>&1) " == "nginx version: $$version "* ]]; }
	    if [ -n "$(NGINX_BUILD)" ]; then
	        build=$$(realpath "$(NGINX_BUILD)")
	        [ ! -x "$$build/nginx" ] || nginx=$$build/nginx
	    else
	        $(configure)
	    fi
	    if [ -n "$(TARGET)" ]; then
	        :
	    elif ! is_of_it; then
	        misfit="this is for $$version, and $$nginx is not: say NGINX=PATH"
	    elif ! $(is-of-this-build); then
	        misfit="$$nginx was built with other flags than $$build: say NGINX=PATH, or NGINX_BUILD=DIR where it was built"
	    fi
	    env="FEATURES= MISFIT='$${misfit//\'/}'; export NGINX_SOURCE_DIR='$$source' NGINX_BUILD_DIR='$$build'; NGINX='$$nginx'"
	    state=$$(cat "$$build/Makefile" "$$build/ngx_auto_config.h" "$$build/ngx_auto_headers.h" "$$header" | sha256sum)
	fi
	# Cargo looks at the times of two files; another nginx under the same path must not leave old bindings.
	state="$$state $$env"
	if [ "$$state" != "$$(cat $(OUT)/nginx.state 2>/dev/null)" ]; then
	    for package in nginx-sys ngx ngx_safe $(MODULE); do
	        cargo clean -q --release -p $$package 2>/dev/null || true
	        cargo clean -q --release -p $$package --target $(host) 2>/dev/null || true
	        cargo clean -q -p $$package 2>/dev/null || true
	    done
	    rm -rf $(SO) $(OUT)/pgo
	fi
	echo "$$state" >$(OUT)/nginx.state
	echo "$$env" >$(OUT)/nginx.env

# Whether that nginx takes modules for $$build: what nginx compares is a string that both of them have. True where
# it cannot be told.
define is-of-this-build
{
    includes=$$(sed -n '/^ALL_INCS/,/[^\\]$$/p' "$$build/Makefile" | grep -oE -- '-I *[^ \]+' | sed 's/^-I */-I/')
    signature=$$(cd "$$source" && cc -E -P -I "$$build" $$includes -include ngx_config.h -include ngx_core.h - 2>/dev/null \
        <<<'signature NGX_MODULE_SIGNATURE' | sed -n 's/^signature//p' | tr -d '" ')
    [ -z "$$signature" ] || [ "$$(head -c4 "$$nginx" | tail -c3)" != ELF ] || grep -qaF "$$signature" "$$nginx"
}
endef

# For what runs that nginx or installs for it, before it is compiled.
fits: nginx-tree
	. $(OUT)/nginx.env
	[ -z "$$MISFIT" ] || { echo "$$MISFIT" >&2; exit 1; }

# Configures a copy of $$source in the cache (seconds, compiles nothing); sets $$source and $$build to it.
define configure
flags=(--with-compat --with-http_ssl_module --with-http_v2_module --with-threads)
if [ -f "$$source/conf_flags" ]; then
    . "$$source/conf_flags"
    flags=("$${NGX_CONF_FLAGS[@]}")
elif is_of_it; then
    eval "flags=($$("$$nginx" -V 2>&1 | sed -n 's/^configure arguments: //p'))"
    for i in "$${!flags[@]}"; do
        case $${flags[i]} in
            # what our module sees nothing of, and may need what is not here
            (--add-*|--with-http_xslt_*|--with-http_image_*|--with-*_geoip_*|--with-http_perl_*|--with-google_*) unset "flags[i]";;
            (--with-openssl=*|--with-pcre=*|--with-zlib=*|--with-libatomic=*) [ -d "$${flags[i]#*=}" ] || unset "flags[i]";;
        esac
    done
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
    if ! (cd "$$new" && bash $$script "$${flags[@]}" --builddir=objs) >"$$new/configure.log" 2>&1; then
        tail -n 5 "$$new/configure.log" >&2
        rm -rf "$$new"
        exit 1
    fi
    mv -T "$$new" "$$tree" 2>/dev/null || rm -rf "$$new"
fi
source=$$tree build=$$tree/objs
endef
