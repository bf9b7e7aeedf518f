# nginx's own way to add a module: ./configure --add-dynamic-module=, make modules, make install. What comes of it is loaded.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use Cwd qw(abs_path);
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use Files;
use S3Test;
use Test::More;

chdir "$FindBin::Bin/.." or die;
my $root  = abs_path('.');
my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
my $so    = 'ngx_http_s3_resign_module.so';
my ($source, $build) = @ENV{qw(NGINX_SOURCE_DIR NGINX_BUILD_DIR)};
plan skip_all => 'NGINX_SOURCE_DIR is no source of nginx' if !-e ($source // '') . '/auto/modules';
plan skip_all => 'no cargo on the PATH' if system('cargo --version >/dev/null 2>&1') != 0;
plan skip_all => 'it was compiled for another nginx already' if $ENV{TEST_NGINX_S3_MODULE} =~ m{/(?:vendored|asan)/};
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CARGO_TARGET_DIR NGINX_SOURCE_DIR NGINX_BUILD_DIR)};

# What cargo compiles stays from one run to the next, and is not optimized. It looks at the times of these files, which are
# new for another nginx, whose other files may be older.
my $dir  = tempdir(CLEANUP => 1);
my $tree = "$root/target/configured";
my @kept = map {"$tree/objs/$_"} qw(Makefile ngx_auto_config.h ngx_auto_headers.h);
my $which   = "$source\n" . slurp("$source/src/core/nginx.h");
my $is_same = -e "$tree/source" && slurp("$tree/source") eq $which;
my %was     = map { $_ => [slurp($_), (stat)[9]] } grep { $is_same && -e } @kept;
@ENV{ map {"CARGO_PROFILE_RELEASE_$_"} qw(LTO CODEGEN_UNITS OPT_LEVEL DEBUG) } = ('false', 16, 0, 'false');
my $clean = $is_same ? ':' : 'find . -mindepth 1 -maxdepth 1 ! -name objs -exec rm -rf {} +';
system("mkdir -p $tree && cd $tree && $clean && cp -RLu '$source/.' . && rm -f objs/$so") == 0 or die;
write_file("$tree/source", $which);

my ($flags) = `$nginx -V 2>&1` =~ /^configure arguments: (.*)/m;
my @flags = grep { !/^--add-|^--with-(?:cc|ld)-opt|_(?:xslt|image|geoip|perl|google)|=dynamic/ } split / (?=--)/, $flags // '';
push @flags, "--modules-path=/modules";
my $script = -e "$tree/configure" ? './configure' : 'auto/configure';
my $log;

is(failed(configure("--add-module=$root/nginx")),
    "$script: error: ngx_http_s3_resign_module is made as a dynamic module only: say --add-dynamic-module=$root/nginx",
    'a static one is rejected');

# The others are told by the same script, which nginx reads after looking at the compiler and the kernel, for seconds.
my $said = '/nginx/config: error: ngx_http_s3_resign_module';
is(failed(config('HTTP=NO')), "$said is for http {}: leave out --without-http", 'and one without http');
mkdir "$dir/bin";
program('cargo', 'exit 0');
program('rustc', 'echo "rustc 1.63.0 (4b91a6ea7 2022-08-08)"');
is(failed(config("PATH=$dir/bin:$ENV{PATH}")), "$said needs Rust 1.88, and rustc is 1.63.0: take one of https://rustup.rs",
    'and an old Rust');
program('rustc', 'exit 1');
is(failed(config("PATH=$dir/bin:$ENV{PATH}")), "$said needs Rust 1.88: install cargo and rustc, or https://rustup.rs", 'and none');

# A relative path is fine.
works('it is configured', configure('--add-dynamic-module=../../nginx')) or finish();
like($log, qr/^ \+ ngx_http_s3_resign_module was configured$/m, 'and says so');
for my $file (grep { $was{$_} } @kept) {
    my ($text, $time) = @{ $was{$file} };
    utime $time, $time, $file if slurp($file) eq $text;
}
works('it is made', 'make -f objs/Makefile modules') or finish();
ok(-e "$tree/objs/$so", "as objs/$so");

# As root, who may have no cargo. The rest of `make install` would compile nginx.
{
    local $ENV{PATH} = '/usr/sbin:/usr/bin:/sbin:/bin';
    works('it is installed', "make -f objs/Makefile install-s3-resign DESTDIR=$dir/image");
    unlike($log, qr/cargo/, 'without being made again');
}
my $installed = "$dir/image/modules/$so";
ok(-e $installed, 'where the flags say,');
like(slurp("$tree/objs/Makefile"), qr/^install:\tinstall-s3-resign$/m, 'by `make install`, too');

write_file("$dir/nginx.conf", <<"END");
load_module $installed;
pid $dir/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:$ENV{TEST_NGINX_PORT};
        location / {
            s3_resign on;
            s3_client AKIDAPP secret_key=a_secret;
            s3_origin access_key=AKIDORIGIN secret_key=another region=us-east-1;
            proxy_pass http://127.0.0.1:9;
        }
    }
}
END
works('nginx loads it', "$nginx -t -p $dir -c nginx.conf") or diag($log);

finish();

sub finish {
    done_testing();
    exit;
}

sub configure {
    return join ' ', 'bash', $script, map({"'$_'"} map { s/'//gr } @flags, @_), '--builddir=objs';
}

sub config {
    return "env ngx_module_link=DYNAMIC HTTP=YES ngx_addon_dir=$root/nginx @_ sh -c '. $root/nginx/config' /nginx/config";
}

sub run {
    my ($command) = @_;
    $log = `cd $tree && ( $command ) 2>&1 </dev/null`;
    return $?;
}

sub works {
    my ($what, $command) = @_;
    my $status = run($command);
    diag(join "\n", reverse grep {defined} (reverse split /\n/, $log)[0 .. 14]) if $status;
    return is($status, 0, $what);
}

# The last line of what fails.
sub failed {
    my ($command) = @_;
    return run($command) ? (split /\n/, $log)[-1] : "no failure of $command";
}

sub program {
    my ($name, $text) = @_;
    write_file("$dir/bin/$name", "#!/bin/sh\n$text\n");
    chmod 0755, "$dir/bin/$name";
}
