# What make's commands say when they are told something wrong: one line, before they install or compile anything. And
# an nginx is built for with the flags that it was built with.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Spec;
use File::Temp qw(tempdir);
use Files;
use IO::Socket::INET;
use S3Test;
use Test::More;

chdir "$FindBin::Bin/.." or die;
my $dir   = tempdir(CLEANUP => 1);
my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
my ($source, $build) = @ENV{qw(NGINX_SOURCE_DIR NGINX_BUILD_DIR)};

# What the make that runs this was told is not for those that it runs.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CARGO_TARGET_DIR OUT BASE PORT PGO ASAN TARGET VENDORED),
    qw(NGINX NGINX_BUILD NGINX_SOURCE NGINX_SOURCE_DIR NGINX_BUILD_DIR)};

my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:$ENV{TEST_NGINX_PORT}") or die $!;
mkdir "$dir/empty";
system("mkdir -p '$dir/a space/t' && cp -a Makefile nginx docker '$dir/a space' && cp t/*.mk '$dir/a space/t'") == 0 or die;
for (
    ['install NGINX=/nope',              'NGINX=/nope is no nginx: say the path of the program'],
    ['prove-test NGINX=/bin/true',       'NGINX=/bin/true is no nginx: say the path of the program'],
    ["build NGINX_BUILD=$dir/empty",     "NGINX_BUILD=$dir/empty has no ngx_auto_config.h: leave it out, and it is made"],
    ["demo NGINX_SOURCE=$dir/empty",     "NGINX_SOURCE=$dir/empty has no src/core/nginx.h: say the folder of an unpacked nginx"],
    ['build TARGET=aarch64-unknown-linux-gnu',
        'build: TARGET=aarch64-unknown-linux-gnu needs NGINX_BUILD=DIR of an nginx that was configured for it'],
    ['image BASE=foo',                   'image: there is no BASE=foo: say debian or openresty'],
    ['image BASE=foo ENGINE=/nope',      'image: there is no BASE=foo: say debian or openresty'],
    ['demo PORT=abc',                    'demo: PORT=abc is no port: say a number from 1 to 65535'],
    ['demo PORT=0',                      'demo: PORT=0 is no port: say a number from 1 to 65535'],
    ['demo PORT=65536',                  'demo: PORT=65536 is no port: say a number from 1 to 65535'],
    ["demo PORT=$ENV{TEST_NGINX_PORT}",  "demo: something listens on port $ENV{TEST_NGINX_PORT} already: say PORT=N"],
    ["-C $dir/a\tspace test",
        "make test: the path of this folder has a space in it, which nginx's own build and the tests do not take: move it"],
    ["-C $dir/a\tspace build PGO=1",
        'build: the path of this folder has a space in it, which PGO=1 and VENDORED=1 do not take: move it, or leave them out'],
    ['deb VENDORED=1',                   "deb: VENDORED=1 is no nginx of Debian's: leave it out"],
    ["deb NGINX=$dir/nginx",
        "deb: $dir/nginx is no nginx of Debian's, so no package can depend on it: say make install instead"],
) {
    my ($command, $why) = @$_;
    fake("--prefix=$dir");
    is(said($command), $why, "make $command");
}
close $taken;

SKIP: {
    skip 'NGINX_SOURCE_DIR and NGINX_BUILD_DIR name no configured nginx', 7 if !-e ($build // '') . '/Makefile';
    skip 'no cargo on the PATH', 7 if system('cargo --version >/dev/null 2>&1') != 0;

    # The headers of another nginx, of the same version.
    system("mkdir $dir/tree && cp -RL '$source/.' $dir/tree && rm -rf $dir/tree/objs $dir/tree/conf_flags") == 0 or die;
    system("cp -RL '$build/.' $dir/objs && rm -f $dir/objs/nginx") == 0 or die;
    my @here = ("NGINX_SOURCE=$dir/tree", "NGINX_BUILD=$dir/objs");
    is(said('fits', "NGINX=$nginx", @here), '', 'an nginx fits what it was built of');
    write_file("$dir/objs/ngx_auto_config.h", slurp("$dir/objs/ngx_auto_config.h") . "\n#undef NGX_HTTP_DAV\n"
        . (slurp("$dir/objs/ngx_auto_config.h") =~ /NGX_HTTP_DAV/ ? '' : "#define NGX_HTTP_DAV 1\n"));
    like(said('fits', "NGINX=$nginx", @here), qr/^\Q$nginx was built with other flags than \E\S+: say NGINX=PATH, or NGINX_BUILD=DIR where it was built$/,
        'with other flags it does not, and that is said before it is compiled for');
    fake('--prefix=/', 'nginx/1.2.3');
    like(said('install', "NGINX=$dir/nginx", @here), qr/^this is for \S+, and \Q$dir\E\/nginx is not: say NGINX=PATH$/,
        'nor is it installed for another version');

    # Configured with the flags that nginx -V shows, and no other.
    fake('--prefix=/opt/nginx --with-threads --without-http_rewrite_module --without-http_gzip_module'
        . ' --add-module=/nope --with-http_xslt_module=dynamic --with-openssl=/nope');
    is(said('nginx-tree', "NGINX=$dir/nginx", "NGINX_SOURCE=$dir/tree", "CACHE=$dir/cache"), '', 'an nginx by its flags');
    my ($config) = glob "$dir/cache/*/objs/ngx_auto_config.h";
    ok($config, 'is configured') or skip 'nothing is configured', 2;
    like(slurp($config), qr/NGX_THREADS/, 'with them');
    unlike(slurp($config), qr/NGX_COMPAT|NGX_HTTP_SSL/, 'and no other, be it --with-compat');
}

done_testing();

# The lines that make prints on its standard error, less its own. What it writes, it writes to a folder that is removed.
sub said {
    my @words = map {tr/\t/ /r} map { split / / } @_;
    my $out = File::Spec->abs2rel("$dir/out");
    open my $make, '-|', 'sh', '-c', 'exec make --no-print-directory "$@" 2>&1 >/dev/null', 'make', "OUT=$out", @words or die $!;
    return join "\n", grep { !/^make(?:\[\d+\])?: / } map { chomp; $_ } <$make>;
}

# A program that answers as nginx does; by default it is the one that is tested.
sub fake {
    my ($flags, $version) = @_;
    $version //= (`$nginx -v 2>&1` =~ m{^nginx version: (\S+)})[0];
    write_file("$dir/nginx", "#!/bin/sh\necho 'nginx version: $version' >&2\n"
        . "[ \$1 = -v ] || echo 'configure arguments: $flags' >&2\n");
    chmod 0755, "$dir/nginx";
}
