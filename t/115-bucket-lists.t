# ListBuckets for a client with buckets=: it sees those buckets only, or nothing at all.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

sub bucket { "<Bucket><Name>$_[0]</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>" }

# S3's list of these buckets.
sub list {
    return qq{<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">}
        . '<Owner><ID>o</ID></Owner><Buckets>' . join('', map { bucket($_) } @_) . '</Buckets></ListAllMyBucketsResult>';
}

our @all   = map { ("mine-$_", "other-$_", "&#109;ine-$_", "&#x6f;ther-$_") } 1 .. 5;
our $all   = list(@all);
our $shown = list(grep {/ine/} @all);
our $shown_length = length $shown;

# What no list of buckets looks like.
our $cut_off       = $all =~ s{</ListAll.*}{}r;
our $with_comment  = $all =~ s/<Buckets>/$&<!-- c -->/r;
our $with_text     = $all =~ s/<Owner>/$&other/r;
our $with_cdata    = $all =~ s/<Name>/$&<![CDATA[a]]>/r;
our $two_names     = $all =~ s{<Name>}{$&a</Name>$&}r;
our $in_utf_16     = $all =~ s/UTF-8/UTF-16/r;
our $with_doctype  = '<!DOCTYPE a>' . $all;
our $strange_names = list('mine-' . 'a' x 300, "mine-\xff");

# Long ones, in pieces.
my ($start, $end) = split /(?<=<Buckets>)/, list();
my $bucket = '<Bucket><Name>mine-1</Name><A>';
our @nine_large = ($start, map({ ($bucket, ['a', 8000], '</A></Bucket>') } 1 .. 9), $end);
our @endless    = ($start, [' ', 5_000_000]);
our @too_large  = ($start, $bucket, ['a', 8000], '</A><B>', ['b', 500], '</B></Bucket>', $end);

$ENV{TEST_NGINX_CACHE} = 'proxy_cache_path cache keys_zone=c:1m levels=1;';
$ENV{TEST_NGINX_SOME}  = $ENV{TEST_NGINX_CLIENT} =~ s/;$/ allow=list buckets=mine-*;/r;
$ENV{TEST_NGINX_READ}  = "s3_client AKID/READER secret_key=" . {reader()}->{secret} . ';';

prepare();
run_tests();

__DATA__

=== TEST 1: the client's buckets, and nothing in the head of what has been left out
--- config
    $TEST_NGINX_SOME
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; }
--- signed: GET /
--- origin
200 OK body=$all
    Content-Type: application/xml; charset=utf-16
    ETag: "a"
    Content-MD5: b
    Accept-Ranges: bytes
    Last-Modified: Sat, 28 Nov 2026 00:00:00 GMT
    x-amz-checksum-crc32: c
    x-amz-request-id: R
    X-Other: d
--- answers
200 is $shown
    Content-Type: application/xml
    Content-Length: $shown_length
    x-amz-request-id: R
    X-Other: d
    !ETag
    !Content-MD5
    !Accept-Ranges
    !Last-Modified
    !x-amz-checksum-crc32

=== TEST 2: in pieces, in chunks, without a length, buffered or not
--- config
    $TEST_NGINX_SOME
    location / {
        s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1;
        proxy_buffering off; if ($arg_prefix) { proxy_pass http://origin_a; }
    }
--- signed
GET /
GET /?prefix=a
GET /
GET /?x-id=ListBuckets
--- origin
200 OK body=$all pieces=200
200 OK body=$all pieces=170
200 OK body=$all chunks=150
200 OK body=$all
--- answers: 4x 200 is $shown

=== TEST 3: who may see all buckets gets the answer as it is
--- signed: GET /
--- origin
200 OK body=$all
    ETag: "a"
    Content-Type: text/plain
--- answers
200 is $all
    ETag: "a"
    Content-Type: text/plain

=== TEST 4: what cannot be understood is not passed on
--- config
    $TEST_NGINX_SOME
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; }
--- signed: 15x GET /
--- origin
200 OK body=""
200 OK body=" "
200 OK body=$cut_off
200 OK body=$with_comment
200 OK body=$with_text
200 OK body=$with_cdata
200 OK body=$two_names
200 OK body=$in_utf_16
200 OK body=$with_doctype
200 OK body="<Error><Code>AccessDenied</Code></Error>"
200 OK body="{\"Buckets\": [\"other-1\"]}"
200 OK body=$strange_names
200 OK body=$all
    Content-Encoding: br
206 X body=$all
    Content-Range: bytes 0-9/1000
200 OK body=$all no_length
    Content-Length: 5000
--- answers: 15x 502 error InternalError
--- grep_error_log eval: qr/s3_resign: the origin answered \d+ with a (?:list of buckets|body) that (?:cannot be read|is encoded, or a part|breaks off)/
--- grep_error_log_out eval
join '', map {"s3_resign: the origin answered $_\n"}
    ('200 with a list of buckets that cannot be read') x 12,
    '200 with a list of buckets that is encoded, or a part', '206 with a list of buckets that is encoded, or a part', '200 with a body that breaks off'

=== TEST 5: errors come through
--- config
    $TEST_NGINX_SOME
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; }
--- signed: GET /
--- origin: 403 X body="<Error><Code>AccessDenied</Code><HostId>h</HostId></Error>"
--- answers: 403 ^<\?xml [^>]+>\n<Error><Code>AccessDenied</Code></Error>$

=== TEST 6: a cache keeps no lists, and each client gets its own
--- http_config
    $TEST_NGINX_CACHE
--- config
    $TEST_NGINX_SOME
    $TEST_NGINX_READ
    location / { s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid 200 1m; proxy_cache_key $uri; add_header X-Cache $upstream_cache_status; }
--- signed
GET /
GET / as=reader
GET /
--- origin: 3x 200 OK body=$all
--- answers
200 is $shown
    !X-Cache
200 is $all
    !X-Cache
200 is $shown
    !X-Cache

=== TEST 7: a path that was rewritten to the list of buckets, as one from it, shows no more
--- config
    $TEST_NGINX_SOME
    location / { s3_resign on; rewrite ^/mine-list$ / break; proxy_pass http://origin_a; }
--- signed
GET /mine-list
GET /
--- origin: 2x 200 OK body=$all
--- error_code_like eval: ['^(?:200|403|500)$', '^200$']
--- response_body_unlike eval: [('ther-1') x 2]

=== TEST 8: a long list, more than is ever held of one, and one bucket that is too long
--- config
    $TEST_NGINX_SOME
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; }
--- signed: 3x GET /
--- origin
200 OK body=@nine_large
200 OK body=@endless
200 OK body=@too_large
--- answers
200 (?:<Bucket><Name>mine-1</Name><A>a{8000}</A></Bucket>){9}</Buckets></ListAllMyBucketsResult>$
2x 502 InternalError
