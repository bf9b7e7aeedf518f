# `make release`: the same archive each time, with sums that are true, of which rpmbuild makes a package by nginx's own
# build, without the network, and what is done in abuild's place the files of another. It takes minutes: part of
# `make test-full`.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use Files;
use Test::More;

chdir "$FindBin::Bin/../.." or die;
my $so = 'ngx_http_s3_resign_module.so';
my ($nginx, $source) = @ENV{qw(TEST_NGINX_BINARY NGINX_SOURCE_DIR)};
plan skip_all => 'there are changes that are not committed' if `git status --porcelain` ne '';
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CARGO_TARGET_DIR NGINX_SOURCE_DIR NGINX_BUILD_DIR)};
@ENV{ map {"CARGO_PROFILE_RELEASE_$_"} qw(LTO CODEGEN_UNITS OPT_LEVEL DEBUG) } = ('false', 16, 0, 'false');

my $dir = tempdir(CLEANUP => 1);
works('it is made', 'make release COMPRESS=-1');
my ($archive) = glob 'target/dist/*.tar.xz';
my ($name) = ($archive // '') =~ m{([^/]+)\.tar\.xz$} or finish();
my $sums = slurp('target/dist/SHA256SUMS');
like($sums, qr/^[0-9a-f]{64}  \Q$name.cdx.json\E\n[0-9a-f]{64}  \Q$name.tar.xz\E\n\z/, 'with sums of both files');
works('which are true', 'cd target/dist && sha256sum --strict -c SHA256SUMS');
works('it is made again', 'make release COMPRESS=-1');
is(slurp('target/dist/SHA256SUMS'), $sums, 'and is the same');

works('it is unpacked', "tar -xf $archive -C $dir");
is(`tar -tvf $archive | awk '{print \$2}' | sort -u`, "0/0\n", 'without names of users');
my @missing = grep { !-e "$dir/$name/$_" } split /\n/, `git ls-files`;
is("@missing", '', 'with all files');

# The macros of nginx-mod-devel, which Debian has not. What cargo has fetched for others is out of reach.
my $flags = -e "$source/conf_flags" ? '"${NGX_CONF_FLAGS[@]}"' : '--with-compat --with-http_ssl_module --with-http_v2_module';
my $conf  = -e "$source/conf_flags" ? '. ./conf_flags' : '';
write_file("$dir/configure", <<"END");
cp -RL $source nginx-src
cd nginx-src
rm -rf objs
$conf
./configure $flags --builddir="\$PWD/../build" --add-dynamic-module="\$PWD/.."
END
my %macro = (
    _topdir => "$dir/rpm", _vpath_builddir => 'build', nginx_moddir => '/usr/lib/nginx/modules',
    nginx_modconfdir => '/usr/share/nginx/modules', nginx_modrequires => 'Requires: nginx(abi) = 1',
    nginx_modconfigure => "bash -e $dir/configure", nginx_modbuild => 'make -C nginx-src -f ../build/Makefile modules',
);
my $macros = join ' ', map {"--define '$_ $macro{$_}'"} sort keys %macro;
works('rpmbuild makes a package', "CARGO_HOME=$dir/cargo unshare -n rpmbuild -tb --nodeps $macros $archive");
my ($rpm) = glob "$dir/rpm/RPMS/*/*.rpm";
ok($rpm, 'which is there') or finish();
my @files = split /\n/, `rpm -qlp $rpm`;
for my $file ("/usr/lib/nginx/modules/$so", '/usr/share/nginx/modules/mod-http-s3-resign.conf', '/usr/bin/sign_s3') {
    ok((grep { $_ eq $file } @files), "with $file");
}
like(`rpm -qp --requires $rpm`, qr/^nginx\(abi\) = 1$/m, 'for that nginx');
works('its files are unpacked', "mkdir $dir/root && rpm2archive - <$rpm | tar -xz -C $dir/root");
write_file("$dir/nginx.conf", slurp("$dir/root/usr/share/nginx/modules/mod-http-s3-resign.conf") =~ s/"/"$dir\/root/r . <<'END');
events {}
http { server { location / { s3_resign on; s3_client A secret_key=b; s3_origin access_key=c secret_key=d region=e; proxy_pass http://127.0.0.1:9; } } }
END
works('and nginx loads it', "$nginx -t -p $dir -c nginx.conf -g 'pid nginx.pid; error_log stderr;'");

# What abuild of Alpine does with the recipe, in the same shell, with the same programs and the same settings; the package
# nginx-mod-dev is a copy of this nginx's source.
my ($version) = `$nginx -v 2>&1` =~ m{/([0-9.]+)};
my $applets = "$dir/applets";
works('there is a busybox', "mkdir -p $applets $dir/src && busybox --install -s $applets && rm $applets/ar");
works('and a source of nginx', "ln -s $nginx $applets/nginx && mkdir -p $dir/usr/src && cp -RL $source $dir/usr/src/nginx-$version"
    . " && rm -rf $dir/usr/src/nginx-$version/objs && tar -xf $archive -C $dir/src");
write_file("$dir/APKBUILD", slurp('nginx/packaging/APKBUILD') =~ s{"/usr/src/}{"$dir/usr/src/}r);
write_file("$dir/abuild", <<"END");
export PATH=$applets:\$PATH CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_OPT_LEVEL=s
srcdir=$dir/src pkgdir=$dir/pkg
. $dir/APKBUILD
for part in build check package; do
    cd "\$builddir"
    \$part
done
echo "\$pkgname \$pkgver: \$depends" >$dir/depends
END
works('abuild could make another', "CARGO_HOME=$dir/cargo unshare -n busybox ash -e $dir/abuild") or finish();
my $docs = 'usr/share/doc/nginx-mod-http-s3-resign';
my @examples = map {"644 $docs/$_"} sort glob 'nginx/examples/*.conf';
is(`cd $dir/pkg && find * -type f -printf '%m %p\n' | LC_ALL=C sort -k 2`, join("\n",
    '644 etc/nginx/modules/10_http_s3_resign.conf', '755 usr/bin/sign_s3', "755 usr/lib/nginx/modules/$so",
    "644 $docs/CHANGELOG.md", "644 $docs/README.md", "644 $docs/nginx/README.md", @examples,
    '644 usr/share/licenses/nginx-mod-http-s3-resign/LICENSE', ''), 'with its files');
my ($release) = $name =~ /-([0-9.]+)$/;
is(slurp("$dir/depends"), "nginx-mod-http-s3-resign $release: nginx~$version\n", 'for that nginx');
is(slurp("$dir/pkg/etc/nginx/modules/10_http_s3_resign.conf"), qq{load_module "modules/$so";\n}, 'which loads it');
like(slurp("$dir/pkg/usr/lib/nginx/modules/$so"), qr/_Unwind_RaiseException/, 'and survives a panic in it');

finish();

sub finish {
    done_testing();
    exit;
}

sub works {
    my ($what, $command) = @_;
    my $log = `( $command ) 2>&1 </dev/null`;
    my $status = $?;
    diag(join "\n", reverse grep {defined} (reverse split /\n/, $log)[0 .. 29]) if $status;
    return is($status, 0, $what);
}
