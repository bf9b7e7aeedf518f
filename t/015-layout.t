# The module refuses an nginx whose structures are not those that it was compiled for, although
# version and signature are the same, and says which field is where. Headers are changed as patches
# of nginx change them: src/ngx_safe/layout.c is compiled with each of them, and the whole module with one.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use Files;
use Test::More;

my $nginx  = $ENV{TEST_NGINX_BINARY}    // 'nginx';
my $module = $ENV{TEST_NGINX_S3_MODULE} // '';
my $source = $ENV{NGINX_SOURCE_DIR}     // '';
my $build  = $ENV{NGINX_BUILD_DIR}      // '';
plan skip_all => 'NGINX_SOURCE_DIR and NGINX_BUILD_DIR name no configured nginx'
    if !-e "$build/Makefile";

my $dir  = tempdir(CLEANUP => 1);
my ($incs) = slurp("$build/Makefile") =~ /^ALL_INCS = ((?:.*\\\n)*.*)/m;
my @incs = map {"-I$_"} $incs =~ /-I *(\S+)/g;
mkdir "$dir/logs";

# Nothing but the check: what the module does first.
write_file("$dir/module.c", <<'END');
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

ngx_uint_t shim_layout_fits(ngx_conf_t *cf);

static ngx_int_t
preconfiguration(ngx_conf_t *cf)
{
    return shim_layout_fits(cf) ? NGX_OK : NGX_ERROR;
}

static ngx_http_module_t  context = { preconfiguration };

ngx_module_t  layout = {
    NGX_MODULE_V1, &context, NULL, NGX_HTTP_MODULE, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};

ngx_module_t  *ngx_modules[] = { &layout, NULL };
char          *ngx_module_names[] = { "layout", NULL };
char          *ngx_module_order[] = { NULL };
END

my $more = 'void *inserted[3];';
my $length = 'ngx_http_upstream_t.headers_in.content_length_n';
my @changes = (
    # The header, the structure, the field that moves and by what, the field that the line names.
    ['http/ngx_http_upstream.h', 'ngx_http_upstream_s', 'headers_in', 24, $length],
    ['http/ngx_http_upstream.h', 'ngx_http_upstream_s', 'caches',     -8, $length],
    ['http/ngx_http_upstream.h', 'ngx_http_upstream_s', 'peer', 24, 'ngx_http_upstream_t.peer.log'],
    ['http/ngx_http_upstream.h', 'ngx_http_upstream_conf_t', 'upstream', 24,
        'ngx_http_upstream_conf_t.buffering'],
    ['http/ngx_http_upstream.h', 'ngx_http_upstream_conf_t', 'local', 24,
        'ngx_http_upstream_conf_t.local'],
    ['http/ngx_http_request.h', 'ngx_http_request_s', 'connection', 24, 'ngx_http_request_t.args'],
    ['http/ngx_http_request.h', 'ngx_http_request_s', 'args', 24, 'ngx_http_request_t.args'],
    ['http/ngx_http_core_module.h', 'ngx_http_core_loc_conf_s', 'handler', 24,
        'ngx_http_core_loc_conf_t.sendfile'],
    ['http/ngx_http_core_module.h', 'ngx_http_core_srv_conf_t', 'server_names', 24,
        'ngx_http_core_srv_conf_t.connection_pool_size'],
    ['http/ngx_http_core_module.h', 'ngx_http_core_main_conf_t', 'variables', 24,
        'ngx_http_core_main_conf_t.variables_hash_max_size'],
    ['core/ngx_connection.h', 'ngx_connection_s', 'read', 24,   'ngx_connection_t.log'],
    ['core/ngx_connection.h', 'ngx_connection_s', 'send', -8,   'ngx_connection_t.log'],
    ['core/ngx_palloc.h', 'ngx_pool_s', 'log',            24,   'the end of ngx_pool_t'],
    ['core/ngx_palloc.h', 'ngx_pool_s', 'cleanup',        -8,   'the end of ngx_pool_t'],
    ['core/ngx_cycle.h', 'ngx_cycle_s', 'modules',        24,   'ngx_cycle_t.old_cycle'],
    ['core/ngx_cycle.h', 'ngx_cycle_s', 'files_n',        -8,   'ngx_cycle_t.old_cycle'],
    ['core/ngx_cycle.h', 'ngx_core_conf_t', 'daemon',     24,   'ngx_core_conf_t.timer_resolution'],
    ['core/ngx_cycle.h', 'ngx_core_conf_t', 'rlimit_core', 24,  'ngx_core_conf_t.working_directory'],
);

# The memory of a debugging pool does not follow its head, so nobody can see there where that ends.
@changes = grep { $_->[4] ne 'the end of ngx_pool_t' } @changes if slurp("$build/Makefile") =~ /NGX_DEBUG_PALLOC/;

my ($status, $log) = try_with(compiled('unchanged'));
is($status, 0, 'the same headers') or diag $log;
refused(@$_) for @changes;

($status, $log) = try_with($module);
is($status, 0, 'the module') or diag $log;

SKIP: {
    my $mismatched = $ENV{TEST_NGINX_S3_MISMATCHED};
    skip 'TEST_NGINX_S3_MISMATCHED is not set', 2 if !$mismatched;
    ($status, $log) = try_with($mismatched);
    is_refusal('the module, compiled with 24 bytes more in ngx_http_upstream_t', $length, 24);
}

# Pools of other kinds, as debuggers like them: each piece of memory is one of malloc()'s, and in the second a
# pool has no memory but its head. The layout is the same, or the end of the head is not where it is here.
SKIP: {
    my $objects = "$build/src/core/ngx_palloc.o";
    skip 'this nginx was not built here', 7 if !-e $objects;
    my @pools = (
        ['a debugging pool', sub { "#define NGX_DEBUG_PALLOC 1\n$_[0]" }],
        ['no pool', sub {
            my $text = "#define NGX_DEBUG_PALLOC 1\n$_[0]";
            $text =~ s/(?=    p = ngx_memalign\(NGX_POOL_ALIGNMENT)/    size = sizeof(ngx_pool_t);\n/ or die;
            $text =~ s/ngx_palloc_small\(pool, (sizeof\(ngx_pool_large_t\)), 1\);/ngx_alloc($1, pool->log);/g or die;
            return $text;
        }],
    );
    my $usual = $nginx;
    for my $pool (@pools) {
        my ($what, $edit) = @$pool;
        write_file("$dir/ngx_palloc.c", $edit->(slurp("$source/src/core/ngx_palloc.c")));
        $nginx = linked();
        ok($nginx, "$what: linked");
        ($status, $log) = try_with(compiled("$what, unchanged"));
        is($status, 0, "$what: the same headers") or diag $log;
    }
    # The head of a pool is longer than the one that this nginx has, which ends with its memory.
    refused('core/ngx_palloc.h', 'ngx_pool_s', 'log', 24, 'the end of ngx_pool_t', 'unknown');
    $nginx = $usual;
}

done_testing();

# nginx with another ngx_palloc.c.
sub linked {
    my $make = slurp("$build/Makefile");
    my ($flags) = $make =~ /^CFLAGS = (.*)/m;
    my ($link)  = $make =~ /^\t\$\(LINK\) -o \S+\/nginx ((?:.*\\\n)*.*)/m;
    $link =~ s/\\\n//g;
    $link =~ s{\S+/ngx_palloc\.o}{$dir/ngx_palloc.o};
    system("cd $source && cc $flags @incs -o $dir/ngx_palloc.o -c $dir/ngx_palloc.c && cc -o $dir/nginx $link") == 0 or return;
    return "$dir/nginx";
}

sub refused {
    my ($header, $struct, $field, $by, $named, $unknown) = @_;
    my $what = ($by > 0 ? 'something ahead of' : 'without') . " $struct.$field";

    my $text = slurp("$source/src/$header");
    my ($body) = grep {/\bstruct $struct \{|\} $struct;\z/}
        $text =~ /^((?:struct \w+|typedef struct) \{\n(?:(?!\}).*\n)*\}[^\n]*;)/mg;
    my $changed = $body // '';
    my $found   = $by > 0
        ? $changed =~ s/^(?= +\w[\w ]*[ *]\(?\**\Q$field\E\b[^\n]*;)/    $more\n/m
        : $changed =~ s/^ +\w[\w ]*[ *]\**\Q$field\E;//m;
    return fail("$what: found in $header") if !$found;
    $text =~ s/\Q$body\E/$changed/;
    mkdir "$dir/include";
    write_file("$dir/include/" . basename($header), $text);

    ($status, $log) = try_with(compiled($what));
    is_refusal($what, $named, $unknown // $by);
    unlink glob "$dir/include/*";
}

# One line, which names the field and both offsets.
sub is_refusal {
    my ($what, $named, $by) = @_;
    is($status, 1, "$what: refused") or diag $log;
    my @lines = $log =~ /\[emerg\].*/g;
    my $line  = @lines == 1 ? $lines[0] : '';
    my ($built, $here) = $line =~ /the offset of \Q$named\E was (\d+) there and is (\w+) here; build it/
        or return fail("$what: one line names $named") || diag $log;
    is($here eq 'unknown' ? $here : $built - $here, $by, "$what: one line names $named and both offsets");
}

sub compiled {
    my $what = shift;
    my $so   = "$dir/layout.so";
    my $pid  = fork // die $!;
    if ($pid == 0) {
        chdir $source or die $!;
        exec qw(cc -shared -fPIC -O1 -Wall -Werror -Wno-unused-function -o), $so, "-I$dir/include", @incs,
            "$dir/module.c", "$FindBin::Bin/../src/ngx_safe/layout.c";
        exit 127;
    }
    waitpid $pid, 0;
    is($?, 0, "$what: compiled");
    return $so;
}

# What nginx -t exits with, or the signal that ended it; and what it says.
sub try_with {
    my $so = shift;
    write_file("$dir/nginx.conf", "load_module $so;\npid $dir/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {}\n");
    my $said = `$nginx -p $dir -c $dir/nginx.conf -t 2>&1`;
    return ($? & 127 ? "signal " . ($? & 127) : $? >> 8, $said);
}
