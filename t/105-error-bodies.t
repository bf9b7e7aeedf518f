# The bodies of an origin's errors: the client gets what is its business, and nothing that
# is between nginx and the origin. Objects pass untouched.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $declared = qq{<?xml version="1.0" encoding="UTF-8"?>\n};
our $telling  = $declared . '<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>'
    . '<AWSAccessKeyId>AKIDORIGINA</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 x</StringToSign>'
    . '<SignatureProvided>5e</SignatureProvided><CanonicalRequest>GET /b host:127.0.0.1</CanonicalRequest>'
    . '<Endpoint>s3.example.com</Endpoint><Key>a&amp;b</Key><RequestId>R</RequestId><HostId>H</HostId></Error>';
our $told = $declared . '<Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>'
    . '<Key>a&amp;b</Key><RequestId>R</RequestId></Error>';
our $location = "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a;";
$ENV{TEST_NGINX_CACHE} = 'proxy_cache_path cache keys_zone=c:1m levels=1;';

prepare();
run_tests();

__DATA__

=== TEST 1: what is the origin's is left out, in body and headers
--- config eval: "$location }"
--- request
GET /t1/key
--- more_headers eval
h4(path => '/t1/key') . whole("HTTP/1.1 403 Forbidden\nContent-Type: text/xml; charset=utf-16\nETag: \"a\"\nContent-MD5: b\n"
    . "x-amz-checksum-crc32: c\nAccept-Ranges: bytes\nx-amz-id-2: H\nx-amz-request-id: R\nX-Debug: at $ENV{TEST_NGINX_A}\n"
    . "x-amz-bucket-region: eu-west-3\nRetry-After: 1", $telling)
--- error_code: 403
--- response_headers eval
"Content-Type: application/xml\nContent-Length: " . length($told) . "\nx-amz-request-id: R\nx-amz-bucket-region: eu-west-3\n"
    . "Retry-After: 1\n!ETag\n!Content-MD5\n!x-amz-checksum-crc32\n!Accept-Ranges\n!x-amz-id-2\n!X-Debug"
--- response_body eval: $told

=== TEST 2: every status, buffered or not, in one piece, in several, in chunks, without a length
--- config eval
"$location } location /t2/unbuffered { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; proxy_http_version 1.1; }"
--- request eval: [map({ ("GET /t2/key", "PUT /t2/unbuffered") } 400, 403, 404, 409, 412, 416, 500, 503), 'GET /t2/key', 'GET /t2/unbuffered']
--- more_headers eval
my @ways = (sub { whole("HTTP/1.1 $_[0] X", $telling) }, sub { says("HTTP/1.1 $_[0] X", $telling =~ /(.{1,100})/gs) },
    sub { says("HTTP/1.1 $_[0] X\nContent-Length: " . length $telling, '', $telling =~ /(.{1,100})/gs) });
my $chunked = says("HTTP/1.1 400 X\nTransfer-Encoding: chunked", map({ sprintf "%x\r\n%s\r\n", length, $_ } $telling =~ /(.{1,99})/gs), "0\r\n\r\n");
my $n = 0;
[map({ my $status = $_; (h4(path => '/t2/key') . $ways[$n++ % 3]->($status), h4(path => '/t2/unbuffered', method => 'PUT') . $ways[$n % 3]->($status)) }
    400, 403, 404, 409, 412, 416, 500, 503), h4(path => '/t2/key') . $chunked, h4(path => '/t2/unbuffered') . $chunked]
--- error_code eval: [map({ ($_, $_) } 400, 403, 404, 409, 412, 416, 500, 503), 400, 400]
--- response_body eval: [($told) x 18]

=== TEST 3: a text that names the origin
--- config eval: "$location }"
--- request eval: [('GET /t3/key') x 3]
--- more_headers eval
[map { h4(path => '/t3/key') . whole('HTTP/1.1 404 X', "<Error><Code>NoSuchKey</Code><Message>$_</Message><Resource>/at/$_</Resource></Error>") }
    "dial tcp $ENV{TEST_NGINX_A}", 'AKIDORIGINA is unknown', 'oRiGiNa+sEcReT/0123456789abcdefghijklmno']
--- error_code eval: [404, 404, 404]
--- response_body eval
[($declared . '<Error><Code>NoSuchKey</Code><Message>(It names the origin, and is left out.)</Message></Error>') x 3]

=== TEST 4: bodies that are not S3's: they pass, but not with the origin's name, or encoded
--- config eval: "$location }"
--- request eval: [('GET /t4/key') x 8]
--- more_headers eval
my $head = "HTTP/1.1 504 X\nContent-Type: text/html\nRetry-After: 1";
[map { h4(path => '/t4/key') . $_ } map({ whole($head, $_) } '<html>Time-out</html>', "<html>at $ENV{TEST_NGINX_A}</html>",
        '{"AWSAccessKeyId": "a"}', '<Error><Code>C</Code><!-- c --></Error>', "\xff<Error>"),
    whole("$head\nContent-Encoding: gzip", "\x1f\x8b" . 'z' x 30), whole("$head\nContent-Encoding: identity", '<html>Time-out</html>'),
    whole("$head\nETag: \"a\"", ' ')]
--- error_code eval: [(504) x 8]
--- response_headers eval
[map({ "Content-Type: $_\nRetry-After: 1\n!Content-Encoding" } 'text/html', ('application/xml') x 5, 'text/html', 'text/html')]
--- response_body_like eval
['^<html>Time-out</html>$', (s3_error('InternalError')) x 5, '^<html>Time-out</html>$', '^ $']

=== TEST 5: a body that is long passes, one that is too long is replaced, and one that breaks off is a 502
--- config eval: "$location } location /t5/cut { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; }"
--- request eval: [('GET /t5/key') x 4, 'GET /t5/cut']
--- more_headers eval
[map({ h4(path => '/t5/key') . says("HTTP/1.1 500 X\nContent-Length: $_", ['a', $_]) } 65536, 65537, 300000),
 map({ h4(path => "/t5/$_") . says("HTTP/1.1 500 X\nContent-Length: 1000", $telling) } 'key', 'cut')]
--- error_code eval: [500, 500, 500, 502, 502]
--- response_body_like eval: ['^(?:a{32768}){2}$', (s3_error('InternalError')) x 4]

=== TEST 6: answers without a body
--- config eval: "$location proxy_http_version 1.1; }"
--- request eval: ['HEAD /t6/key', 'GET /t6/key', 'GET /t6/key', 'DELETE /t6/key', 'HEAD /t6/key']
--- more_headers eval
[h4(path => '/t6/key', method => 'HEAD') . says("HTTP/1.1 404 X\nContent-Type: application/xml\nContent-Length: 1234\nx-amz-id-2: H"),
 h4(path => '/t6/key') . says("HTTP/1.1 404 X\nContent-Length: 0"),
 h4(path => '/t6/key') . says("HTTP/1.1 304 X\nETag: \"a\"\nx-amz-id-2: H"),
 h4(path => '/t6/key', method => 'DELETE') . says("HTTP/1.1 204 X\nx-amz-id-2: H"),
 h4(path => '/t6/key', method => 'HEAD') . says("HTTP/1.1 200 X\nContent-Length: 1234\nETag: \"a\"")]
--- error_code eval: [404, 404, 304, 204, 200]
--- response_headers eval
["!Content-Length\n!x-amz-id-2", 'Content-Length: 0', "ETag: \"a\"\nx-amz-id-2: H", 'x-amz-id-2: H', "Content-Length: 1234\nETag: \"a\""]
--- response_body eval: [('') x 5]

=== TEST 7: objects pass untouched, whatever they look like
--- config eval: "$location } location /t7/unbuffered { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; }"
--- request eval: [map({ ('GET /t7/key', 'GET /t7/unbuffered') } 1 .. 4)]
--- more_headers eval
[map({ my $says = $_; map { h4(path => "/t7/$_") . $says } 'key', 'unbuffered' }
    whole("HTTP/1.1 200 OK\nETag: \"a\"", $telling), whole("HTTP/1.1 206 X\nContent-Range: bytes 0-1/9\nETag: \"a\"", $telling),
    says("HTTP/1.1 200 OK\nContent-Length: 300000\nETag: \"a\"", ['<', 300000]), whole("HTTP/1.1 200 OK\nContent-Encoding: gzip\nETag: \"a\"", $telling))]
--- error_code eval: [map { ($_, $_) } 200, 206, 200, 200]
--- response_headers eval: [('ETag: "a"') x 8]
--- response_body_like eval: [map { ($_, $_) } "^\Q$telling\E\$", "^\Q$telling\E\$", '^(?:<{30000}){10}$', "^\Q$telling\E\$"]

=== TEST 8: an answer of success that is an error
--- config eval: "$location proxy_http_version 1.1; proxy_buffering off; }"
--- request eval: [map { "$_ /t8/key?uploadId=i" } 'POST', 'PUT', 'POST', 'POST', 'POST', 'POST']
--- more_headers eval
my $head = "HTTP/1.1 200 OK\nContent-Type: application/xml\nETag: \"a\"";
my ($rest) = $telling =~ /(<Error.*)/;
my @says = (whole($head, $telling), whole($head, $telling), says($head, $declared, ' ', "\n", $rest =~ /(.{1,100})/gs), says($head, $declared, '  <', 'Err', substr $rest, 4),
    whole($head, '<Error><Code>C</Code><!-- c --></Error>'), says($head, $declared, ' ', '<Error><Code>C</Code><!-- c --></Error>'));
my $n = 0;
[map({ h4(path => '/t8/key', query => 'uploadId=i', method => $_) . $says[$n++] } 'POST', 'PUT', 'POST', 'POST', 'POST', 'POST')]
--- error_code eval: [200, 200, 200, 200, 502, 200]
--- response_headers eval
[("Content-Type: application/xml\n!ETag\nContent-Length: " . length $told) x 2, ("Content-Type: application/xml\n!Content-Length") x 2, 'Content-Type: application/xml', '!Content-Length']
--- response_body_like eval
my ($rest) = $told =~ /(<Error.*)/;
["^\Q$told\E\$", "^\Q$told\E\$", "^\Q$declared\E \n\Q$rest\E\$", "^\Q$declared\E  \Q$rest\E\$",
 s3_error('InternalError'), "^\Q$declared\E <Error><Code>InternalError</Code>[^!]*</Error>\$"]

=== TEST 9: an answer of success that is one
--- config eval: "$location proxy_http_version 1.1; } location /t9/own { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; }"
--- request eval: [map({ ('POST /t9/key?uploadId=i', 'PUT /t9/own') } 1 .. 6)]
--- more_headers eval
my $head = "HTTP/1.1 200 OK\nContent-Type: application/xml\nETag: \"a\"";
my $result = "$declared<CopyObjectResult><Error>AKIDORIGINA</Error></CopyObjectResult>";
[map({ my $says = $_; (h4(path => '/t9/key', query => 'uploadId=i', method => 'POST') . $says, h4(path => '/t9/own', method => 'PUT') . $says) }
    whole($head, $result), says($head, $result =~ /(.{1,20})/gs), says($head, ' ', " \n", "<CopyObjectResult/>"), whole($head, ''),
    whole($head, "\0\0<Error>"), says("$head\nContent-Length: 300019", '<CopyObjectResult>', ['a', 300001]))]
--- error_code eval: [(200) x 12]
--- response_headers eval: [('ETag: "a"') x 12]
--- response_body_like eval
my $result = "$declared<CopyObjectResult><Error>AKIDORIGINA</Error></CopyObjectResult>";
[map { ($_, $_) } "^\Q$result\E\$", "^\Q$result\E\$", "^  \n<CopyObjectResult/>\$", '^$', "^\0\0<Error>\$", "^<CopyObjectResult>(?:a{30000}){10}a\$"]

=== TEST 10: from a cache, from a file, and where nginx has its own pages
--- http_config
    $TEST_NGINX_CACHE
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1m; proxy_cache_key $uri; add_header X-Cache $upstream_cache_status always; }
    location /t10/file { proxy_pass http://origin_a; proxy_buffers 2 4k; proxy_buffer_size 4k; proxy_busy_buffers_size 4k; limit_rate 1m; }
    location /t10/own { proxy_pass http://origin_a; proxy_intercept_errors on; error_page 403 = @own; }
    location @own { s3_resign off; return 403 page; }
    location /t10/json { s3_errors s3proxy; proxy_pass http://origin_a; }
--- request eval: [map { "GET /t10/$_" } qw(key key long long file own json json)]
--- more_headers eval
my $filler = '<X>' . 'b' x 800 . '</X>';
my $long = says('HTTP/1.1 403 X', $telling =~ s{</Error>}{}r . "<X>", (['b', 8000], '</X><X>') x 6, '</X></Error>');
my %says = (long => $long, file => $long);
my $n = 0;
[map { $n++; h4(path => "/t10/$_") . ($says{$_} // whole('HTTP/1.1 403 X', $n == 8 ? '<Error/>' : $telling)) } qw(key key long long file own json json)]
--- error_code eval: [(403) x 8]
--- response_headers eval: [map({ "X-Cache: $_" } qw(MISS HIT MISS HIT)), '', '', '', 'Content-Type: application/json']
--- response_body_like eval
[("^\Q$told\E\$") x 5, '^page$', "^\Q$told\E\$", '^\{"error": "[^"]+"\}$']

=== TEST 11: a redirect that an object was given keeps its Location, but not a body that tells
--- config eval: "$location }"
--- request eval: ['GET /t11/key', 'GET /t11/key']
--- more_headers eval
[map { h4(path => '/t11/key') . whole("HTTP/1.1 301 X\nLocation: https://www.example.org/", $_) } '<html>Moved</html>', "<html>$ENV{TEST_NGINX_A}</html>"]
--- error_code eval: [301, 301]
--- response_headers eval: [('Location: https://www.example.org/') x 2]
--- response_body_like eval: ['^<html>Moved</html>$', s3_error('InternalError')]

=== TEST 12: a background update that fails, and slices
--- skip_eval: 10: S3Test::lacks('http_slice_module')
--- http_config
    $TEST_NGINX_CACHE
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_key $s3_bucket/$s3_key;
        proxy_cache_use_stale updating; proxy_cache_background_update on;
    }
    location /t12/slices { s3_resign on; proxy_pass http://origin_a; slice 100; proxy_set_header Range $slice_range; }
--- request eval: ['GET /t12/key', 'GET /later', 'GET /t12/key', 'GET /t12/slices', 'GET /_log/t12/key']
--- more_headers eval
[h4(path => '/t12/key') . "X-Mock: A=brief\n", h4(path => '/later') . "X-Mock: A=delay:2.1\n", h4(path => '/t12/key') . whole('HTTP/1.1 404 X', $telling), h4(path => '/t12/slices') . whole('HTTP/1.1 404 X', $telling), '']
--- wait: 0.1
--- error_code eval: [200, 200, 200, 404, 200]
--- response_body_like eval: ['^origin A', '^origin A', '^origin A', "^\Q$told\E\$", "^A 200 [^\n]*\nA raw [^\n]*\n\$"]

=== TEST 13: the log says what has been replaced, and what the origin's error was
--- log_level: info
--- config eval: "$location }"
--- request eval: ['GET /t13/key', 'GET /t13/key']
--- more_headers eval
[map { h4(path => '/t13/key') . whole('HTTP/1.1 403 X', $_) } $telling, '<Error>']
--- error_code eval: [403, 403]
--- error_log
s3_resign: the origin answered 403 with the error SignatureDoesNotMatch
s3_resign: the origin answered 403 with an error that cannot be read, or names the origin: replaced
--- no_error_log
StringToSign
AKIDORIGINA
