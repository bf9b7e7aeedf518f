# Adds the module to nginx's Makefile: cargo compiles it for that very source and build folder.

s3_resign_root=`cd $ngx_addon_dir/.. && pwd`
s3_resign_object=$NGX_OBJS/ngx_http_s3_resign_module.so

# `make install`, as root, finds it made, and needs no cargo.
s3_resign_sources=`cd $s3_resign_root && find Cargo.toml Cargo.lock build.rs src -type f \
    ! -path '*/tests/*' ! -path '*/benches/*' ! -path '*/fuzz/*' ! -name '*.md' | sed "s,^,$s3_resign_root/,"`

cat <<END >>$NGX_MAKEFILE

modules:	$s3_resign_object

$s3_resign_object:	\$(CORE_DEPS) \\
	`echo $s3_resign_sources`
	source=\`pwd\` && build=\`cd $NGX_OBJS && pwd\` && cd $s3_resign_root \\
	&& NGINX_SOURCE_DIR="\$\$source" NGINX_BUILD_DIR="\$\$build" \\
	   CARGO_TARGET_DIR="\$\$build/addon/ngx_http_s3_resign_module" \\
	   cargo build --release --locked -p ngx_http_s3_resign_module
	cp $NGX_OBJS/addon/ngx_http_s3_resign_module/release/libngx_http_s3_resign_module.so $s3_resign_object

install:	install-s3-resign

install-s3-resign:	$s3_resign_object
	test -d '\$(DESTDIR)$NGX_MODULES_PATH' || mkdir -p '\$(DESTDIR)$NGX_MODULES_PATH'
	test ! -f '\$(DESTDIR)$NGX_MODULES_PATH/ngx_http_s3_resign_module.so' \\
	|| mv '\$(DESTDIR)$NGX_MODULES_PATH/ngx_http_s3_resign_module.so' '\$(DESTDIR)$NGX_MODULES_PATH/ngx_http_s3_resign_module.so.old'
	cp $s3_resign_object '\$(DESTDIR)$NGX_MODULES_PATH/ngx_http_s3_resign_module.so'

END
