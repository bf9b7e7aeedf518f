# Beside modules that have request body filters of their own: what a buffer says of its memory holds. A filter
# may write to it where the buffer is temporary, and only there.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use Files;
use S3Test;

my ($dir, $module);

BEGIN {
    $dir = tempdir(CLEANUP => 1);
    chmod 0755, $dir;
    $module = $ENV{TEST_NGINX_LOAD_MODULES};
    # each block loads what it needs
    $ENV{TEST_NGINX_LOAD_MODULES} = '';
}
use Test::Nginx::Socket;

my ($source, $build) = map { $_ // '' } @ENV{qw(NGINX_SOURCE_DIR NGINX_BUILD_DIR)};
-e "$build/Makefile" or plan(skip_all => 'NGINX_SOURCE_DIR and NGINX_BUILD_DIR name no configured nginx');
plan('no_plan');

write_file("$dir/filter.c", <<'END');
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <sys/mman.h>

static ngx_http_request_body_filter_pt  next;

/* Hands its bytes over in memory that nobody can write to. */
static ngx_int_t
protect(ngx_buf_t *b)
{
    size_t   size = b->last - b->pos;
    u_char  *p;

    if (size == 0) {
        return NGX_OK;
    }
    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return NGX_ERROR;
    }
    ngx_memcpy(p, b->pos, size);
    mprotect(p, size, PROT_READ);
    b->start = b->pos = p;
    b->end = b->last = p + size;
    b->temporary = 0;
    b->memory = 1;
    return NGX_OK;
}

/* Writes to all that it may write to. */
static ngx_int_t
touch(ngx_buf_t *b)
{
    volatile u_char  *p;

    for (p = b->pos; b->temporary && p < b->last; p++) {
        *p = *p;
    }
    return NGX_OK;
}

static ngx_int_t
filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t  *cl;

    for (cl = in; cl; cl = cl->next) {
        if (ACT(cl->buf) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return next(r, in);
}

static ngx_int_t
postconfiguration(ngx_conf_t *cf)
{
    (void) protect;
    (void) touch;
    next = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = filter;
    return NGX_OK;
}

static ngx_http_module_t  context = { NULL, postconfiguration };

ngx_module_t  ACT_module = {
    NGX_MODULE_V1, &context, NULL, NGX_HTTP_MODULE, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};

ngx_module_t  *ngx_modules[] = { &ACT_module, NULL };
char          *ngx_module_names[] = { NAME, NULL };
char          *ngx_module_order[] = { NULL };
END

my ($incs) = slurp("$build/Makefile") =~ /^ALL_INCS = ((?:.*\\\n)*.*)/m;
my @incs = map {"-I$_"} $incs =~ /-I *(\S+)/g;
for my $act (qw(protect touch)) {
    my @command = (qw(cc -shared -fPIC -O1 -Wall), "-DACT=$act", "-DNAME=\"$act\"", '-o', "$dir/$act.so", @incs, "$dir/filter.c");
    my $pid = fork // die $!;
    if ($pid == 0) {
        chdir $source or die $!;
        exec @command;
        exit 127;
    }
    waitpid $pid, 0;
    BAIL_OUT("$act does not compile") if $?;
}

# The filter of the last one is the first to be called.
$ENV{TEST_NGINX_READ_ONLY_BEFORE} = "load_module $module; load_module $dir/protect.so;";
$ENV{TEST_NGINX_WRITES_AFTER}     = "load_module $dir/touch.so; load_module $module;";

our $large = 'x' x 100_000;
# What is after the file stays here, and as many spaces go out.
our $add_1000 = sub { $_[0] . 'y' x 1000 };

prepare();
run_tests();

__DATA__

=== TEST 1: a body that may not be written to is not verified where it lies, and nothing goes out
--- main_config
$TEST_NGINX_READ_ONLY_BEFORE
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_verify_payload on; proxy_pass http://origin_a; }
--- signed
upload PUT /bucket/key body=$large
PUT /bucket/key body=hello
GET /bucket/key
--- answers
2x 500
200
--- no_error_log
[alert]
--- error_log
another module hands over a body that may not be written to: not verified

=== TEST 2: what is handed on may be written to where it says so
--- main_config
$TEST_NGINX_WRITES_AFTER
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_request_buffering off; proxy_pass http://origin_a; }
--- signed
upload PUT /bucket/key body=$large
form POST /bucket file=$large edit_body=$add_1000
GET /bucket/key
--- answers
200 data 100000[ ]
200 padding 1000\ndata 100000[ ]
200 body 0[ ]
--- no_error_log
[alert]
