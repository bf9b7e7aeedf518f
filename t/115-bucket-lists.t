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
our $head  = 'HTTP/1.1 200 OK';
our $some  = $ENV{TEST_NGINX_CLIENT} =~ s/;$/ allow=list buckets=mine-*;/r;
our $location = "$some location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1;";
$ENV{TEST_NGINX_CACHE} = 'proxy_cache_path cache keys_zone=c:1m levels=1;';
$ENV{TEST_NGINX_SOME}  = $some;
$ENV{TEST_NGINX_READ}  = "s3_client AKID/READER secret_key=" . {reader()}->{secret} . ';';

prepare();
run_tests();

__DATA__

=== TEST 1: the client's buckets, and nothing in the head of what has been left out
--- config eval: "$location }"
--- request: GET /
--- more_headers eval
h4(path => '/') . whole("$head\nContent-Type: application/xml; charset=utf-16\nETag: \"a\"\nContent-MD5: b\nAccept-Ranges: bytes\n"
    . "Last-Modified: Sat, 28 Nov 2026 00:00:00 GMT\nx-amz-checksum-crc32: c\nx-amz-request-id: R\nX-Other: d", $all)
--- error_code: 200
--- response_headers eval
"Content-Type: application/xml\nContent-Length: " . length($shown) . "\nx-amz-request-id: R\nX-Other: d\n!ETag\n!Content-MD5\n!Accept-Ranges\n"
    . "!Last-Modified\n!x-amz-checksum-crc32"
--- response_body eval: $shown

=== TEST 2: in pieces, in chunks, without a length, buffered or not
--- config eval: "$location proxy_buffering off; if (\$arg_prefix) { proxy_pass http://origin_a; } }"
--- request eval: ['GET /', 'GET /?prefix=a', 'GET /', 'GET /?x-id=ListBuckets']
--- more_headers eval
[h4(path => '/') . says($head, $all =~ /(.{1,200})/gs), h4(path => '/', query => 'prefix=a') . says($head, $all =~ /(.{1,170})/gs),
 h4(path => '/') . says("$head\nTransfer-Encoding: chunked", map({ sprintf "%x\r\n%s\r\n", length, $_ } $all =~ /(.{1,150})/gs), "0\r\n\r\n"),
 h4(path => '/', query => 'x-id=ListBuckets') . whole($head, $all)]
--- error_code eval: [(200) x 4]
--- response_body eval: [($shown) x 4]

=== TEST 3: who may see all buckets gets the answer as it is
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; }"
--- request: GET /
--- more_headers eval: h4(path => '/') . whole("$head\nETag: \"a\"\nContent-Type: text/plain", $all)
--- response_headers
ETag: "a"
Content-Type: text/plain
--- response_body eval: $all

=== TEST 4: what cannot be understood is not passed on
--- config eval: "$location }"
--- request eval: [('GET /') x 15]
--- more_headers eval
[map({ h4(path => '/') . $_ } map({ whole($head, $_) } '', ' ', $all =~ s{</ListAll.*}{}r, $all =~ s/<Buckets>/$&<!-- c -->/r, $all =~ s/<Owner>/$&other/r,
        $all =~ s/<Name>/$&<![CDATA[a]]>/r, $all =~ s{<Name>}{$&a</Name>$&}r, $all =~ s/UTF-8/UTF-16/r, '<!DOCTYPE a>' . $all,
        '<Error><Code>AccessDenied</Code></Error>', '{"Buckets": ["other-1"]}', list('mine-' . 'a' x 300, "mine-\xff")),
    whole("$head\nContent-Encoding: gzip", $all), whole("HTTP/1.1 206 X\nContent-Range: bytes 0-9/1000", $all),
    says("$head\nContent-Length: 5000", $all))]
--- error_code eval: [(502) x 15]
--- response_body_like eval: [(s3_error('InternalError')) x 15]
--- grep_error_log eval: qr/s3_resign: the origin answered \d+ with a (?:list of buckets|body) that (?:cannot be read|is encoded, or a part|breaks off)/
--- grep_error_log_out eval
join '', map {"s3_resign: the origin answered $_\n"}
    ('200 with a list of buckets that cannot be read') x 12,
    '200 with a list of buckets that is encoded, or a part', '206 with a list of buckets that is encoded, or a part', '200 with a body that breaks off'

=== TEST 5: errors come through
--- config eval: "$location }"
--- request: GET /
--- more_headers eval: h4(path => '/') . whole('HTTP/1.1 403 X', '<Error><Code>AccessDenied</Code><HostId>h</HostId></Error>')
--- error_code: 403
--- response_body_like: ^<\?xml [^>]+>\n<Error><Code>AccessDenied</Code></Error>$

=== TEST 6: a cache keeps no lists, and each client gets its own
--- http_config
    $TEST_NGINX_CACHE
--- config
    $TEST_NGINX_SOME
    $TEST_NGINX_READ
    location / { s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid 200 1m; proxy_cache_key $uri; add_header X-Cache $upstream_cache_status; }
--- request eval: ['GET /', 'GET /', 'GET /']
--- more_headers eval: [map({ h4(path => '/', @$_) . whole($head, $all) } [], [reader()], [])]
--- response_headers eval: [('!X-Cache') x 3]
--- response_body eval: [$shown, $all, $shown]

=== TEST 7: a path that was rewritten to the list of buckets, as one from it, shows no more
--- config eval: "$some location / { s3_resign on; rewrite ^/mine-list\$ / break; proxy_pass http://origin_a; }"
--- request eval: ['GET /mine-list', 'GET /']
--- more_headers eval: [map { h4(path => $_) . whole($head, $all) } '/mine-list', '/']
--- error_code_like eval: ['^(?:200|403|500)$', '^200$']
--- response_body_unlike eval: [('ther-1') x 2]

=== TEST 8: a long list, more than is ever held of one, and one bucket that is too long
--- config eval: "$location }"
--- request eval: ['GET /', 'GET /', 'GET /']
--- more_headers eval
my ($start, $end) = split /(?<=<Buckets>)/, list();
my $bucket = '<Bucket><Name>mine-1</Name><A>';
[h4(path => '/') . says($head, $start, map({ ($bucket, ['a', 8000], '</A></Bucket>') } 1 .. 9), $end),
 h4(path => '/') . says($head, $start, [' ', 5_000_000]), h4(path => '/') . says($head, $start, $bucket, ['a', 8000], '</A><B>', ['b', 500], '</B></Bucket>', $end)]
--- error_code eval: [200, 502, 502]
--- response_body_like eval: ['(?:<Bucket><Name>mine-1</Name><A>a{8000}</A></Bucket>){9}</Buckets></ListAllMyBucketsResult>$', ('InternalError') x 2]
