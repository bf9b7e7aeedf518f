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
    . '<Endpoint>localhost</Endpoint><Key>a&amp;b</Key><RequestId>R</RequestId></Error>';
our $told_length = length $told;
our $withheld = $declared . '<Error><Code>NoSuchKey</Code><Message>(It names the origin, and is left out.)</Message></Error>';

# Bodies in pieces.
our @after_the_head = ('', $telling =~ /(.{1,100})/gs);
our @long     = (['a', 65536]);
our @too_long = (['a', 65537]);
our @longer   = (['a', 300000]);
our @object   = (['<', 300000]);
our @long_error = ($telling =~ s{</Error>}{}r . '<X>', (['b', 8000], '</X><X>') x 6, '</X></Error>');

# Bodies of answers of success.
my ($rest)  = $telling =~ /(<Error.*)/;
my ($shown) = $told =~ /(<Error.*)/;
our @marked  = ("\xef\xbb\xbf", $rest);
our $marked  = join '', @marked;
our $unread  = '<Error><Code>C</Code><!-- c --></Error>';
our $result  = "$declared<CopyObjectResult><Error>AKIDORIGINA</Error></CopyObjectResult>";
our @late    = ($declared, ' ', "\n", $rest =~ /(.{1,100})/gs);
our @torn    = ($declared, '  <', 'Err', substr $rest, 4);
our @unread  = ($declared, ' ', $unread);
our @spaces  = (' ', " \n", '<CopyObjectResult/>');
our @large   = ('<CopyObjectResult>', ['a', 300001]);
our ($told_late, $told_torn) = ("$declared \n$shown", "$declared  $shown");
our $spaced  = join '', @spaces;
our $declared_pattern = quotemeta $declared;

$ENV{TEST_NGINX_CACHE} = 'proxy_cache_path cache keys_zone=c:1m levels=1;';

prepare();
run_tests();

__DATA__

=== TEST 1: what is the origin's is left out, in body and headers
--- signed: GET /t1/key
--- origin
403 Forbidden body=$telling
    Content-Type: text/xml; charset=utf-16
    ETag: "a"
    Content-MD5: b
    x-amz-checksum-crc32: c
    Accept-Ranges: bytes
    x-amz-id-2: H
    x-amz-request-id: R
    X-Debug: at $TEST_NGINX_A
    x-amz-bucket-region: eu-west-3
    Retry-After: 1
--- answers
403 is $told
    Content-Type: application/xml
    Content-Length: $told_length
    x-amz-request-id: R
    x-amz-bucket-region: eu-west-3
    Retry-After: 1
    !ETag
    !Content-MD5
    !x-amz-checksum-crc32
    !Accept-Ranges
    !x-amz-id-2
    !X-Debug

=== TEST 2: every status, buffered or not, in one piece, in several, in chunks, without a length
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /t2/unbuffered { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; proxy_http_version 1.1; }
--- signed
9x GET /t2/key
8x PUT /t2/unbuffered
GET /t2/unbuffered
--- origin
400 X body=$telling
403 X body=$telling pieces=100
404 X body=@after_the_head length
409 X body=$telling
412 X body=$telling pieces=100
416 X body=@after_the_head length
500 X body=$telling
503 X body=$telling pieces=100
400 X body=$telling chunks=99
400 X body=$telling pieces=100
403 X body=@after_the_head length
404 X body=$telling
409 X body=$telling pieces=100
412 X body=@after_the_head length
416 X body=$telling
500 X body=$telling pieces=100
503 X body=@after_the_head length
400 X body=$telling chunks=99
--- answers
400 is $told
403 is $told
404 is $told
409 is $told
412 is $told
416 is $told
500 is $told
503 is $told
2x 400 is $told
403 is $told
404 is $told
409 is $told
412 is $told
416 is $told
500 is $told
503 is $told
400 is $told

=== TEST 3: a text that names the origin
--- signed: 3x GET /t3/key
--- origin
404 X body="<Error><Code>NoSuchKey</Code><Message>dial tcp $TEST_NGINX_A</Message><Resource>/at/dial tcp $TEST_NGINX_A</Resource></Error>"
404 X body="<Error><Code>NoSuchKey</Code><Message>AKIDORIGINA is unknown</Message><Resource>/at/AKIDORIGINA is unknown</Resource></Error>"
404 X body="<Error><Code>NoSuchKey</Code><Message>oRiGiNa+sEcReT/0123456789abcdefghijklmno</Message><Resource>/at/oRiGiNa+sEcReT/0123456789abcdefghijklmno</Resource></Error>"
--- answers: 3x 404 is $withheld

=== TEST 4: bodies that are not S3's: they pass, but not with the origin's name, or encoded
--- signed: 8x GET /t4/key
--- origin
504 X body="<html>Time-out</html>"
    Content-Type: text/html
    Retry-After: 1
504 X body="<html>at $TEST_NGINX_A</html>"
    Content-Type: text/html
    Retry-After: 1
504 X body="{\"AWSAccessKeyId\": \"a\"}"
    Content-Type: text/html
    Retry-After: 1
504 X body=$unread
    Content-Type: text/html
    Retry-After: 1
504 X body="\xff<Error>"
    Content-Type: text/html
    Retry-After: 1
504 X body="\x1f\x8bzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
    Content-Type: text/html
    Retry-After: 1
    Content-Encoding: gzip
504 X body="<html>Time-out</html>"
    Content-Type: text/html
    Retry-After: 1
    Content-Encoding: identity
504 X body=" "
    Content-Type: text/html
    Retry-After: 1
    ETag: "a"
--- answers
504 is <html>Time-out</html>
    Content-Type: text/html
    Retry-After: 1
    !Content-Encoding
5x 504 error InternalError
    Content-Type: application/xml
    Retry-After: 1
    !Content-Encoding
504 is <html>Time-out</html>
    Content-Type: text/html
    Retry-After: 1
    !Content-Encoding
504 ^ $
    Content-Type: text/html
    Retry-After: 1
    !Content-Encoding

=== TEST 5: a body that is long passes, one that is too long is replaced, and one that breaks off is a 502
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /t5/cut { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; }
--- signed
4x GET /t5/key
GET /t5/cut
--- origin
500 X body=@long length
500 X body=@too_long length
500 X body=@longer length
2x 500 X body=$telling no_length
    Content-Length: 1000
--- answers
500 ^(?:a{32768}){2}$
2x 500 error InternalError
2x 502 error InternalError

=== TEST 6: answers without a body
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; }
--- signed
HEAD /t6/key
GET /t6/key
GET /t6/key
DELETE /t6/key
HEAD /t6/key
--- origin
404 X
    Content-Type: application/xml
    Content-Length: 1234
    x-amz-id-2: H
404 X
    Content-Length: 0
304 X
    ETag: "a"
    x-amz-id-2: H
204 X
    x-amz-id-2: H
200 X
    Content-Length: 1234
    ETag: "a"
--- answers
404 is
    !Content-Length
    !x-amz-id-2
404 is
    Content-Length: 0
304 is
    ETag: "a"
    x-amz-id-2: H
204 is
    x-amz-id-2: H
200 is
    Content-Length: 1234
    ETag: "a"

=== TEST 7: objects pass untouched, whatever they look like
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /t7/unbuffered { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; }
--- signed
GET /t7/key
GET /t7/unbuffered
GET /t7/key
GET /t7/unbuffered
GET /t7/key
GET /t7/unbuffered
GET /t7/key
GET /t7/unbuffered
--- origin
2x 200 OK body=$telling
    ETag: "a"
2x 206 X body=$telling
    Content-Range: bytes 0-1/9
    ETag: "a"
2x 200 OK body=@object length
    ETag: "a"
2x 200 OK body=$telling
    Content-Encoding: gzip
    ETag: "a"
--- answers
2x 200 is $telling
    ETag: "a"
2x 206 is $telling
    ETag: "a"
2x 200 ^(?:<{30000}){10}$
    ETag: "a"
2x 200 is $telling
    ETag: "a"

=== TEST 8: an answer of success that is an error
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; proxy_buffering off; }
--- signed
POST /t8/key?uploadId=i
PUT /t8/key?uploadId=i
4x POST /t8/key?uploadId=i
--- origin
2x 200 OK body=$telling
    Content-Type: application/xml
    ETag: "a"
200 OK body=@late
    Content-Type: application/xml
    ETag: "a"
200 OK body=@torn
    Content-Type: application/xml
    ETag: "a"
200 OK body=$unread
    Content-Type: application/xml
    ETag: "a"
200 OK body=@unread
    Content-Type: application/xml
    ETag: "a"
--- answers
2x 200 is $told
    Content-Type: application/xml
    !ETag
    Content-Length: $told_length
200 is $told_late
    Content-Type: application/xml
    !Content-Length
200 is $told_torn
    Content-Type: application/xml
    !Content-Length
502 error InternalError
    Content-Type: application/xml
200 ^$declared_pattern <Error><Code>InternalError</Code>[^!]*</Error>$
    !Content-Length

=== TEST 9: an answer of success that is one
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; }
    location /t9/own { s3_resign on; proxy_pass http://origin_a; proxy_buffering off; }
--- signed
POST /t9/key?restore
PUT /t9/own
POST /t9/key?restore
PUT /t9/own
POST /t9/key?restore
PUT /t9/own
POST /t9/key?restore
PUT /t9/own
POST /t9/key?restore
PUT /t9/own
POST /t9/key?restore
PUT /t9/own
--- origin
2x 200 OK body=$result
    Content-Type: application/xml
    ETag: "a"
2x 200 OK body=$result pieces=20
    Content-Type: application/xml
    ETag: "a"
2x 200 OK body=@spaces
    Content-Type: application/xml
    ETag: "a"
2x 200 OK body=""
    Content-Type: application/xml
    ETag: "a"
2x 200 OK body="\0\0<Error>"
    Content-Type: application/xml
    ETag: "a"
2x 200 OK body=@large length
    Content-Type: application/xml
    ETag: "a"
--- answers
4x 200 is $result
    ETag: "a"
2x 200 is $spaced
    ETag: "a"
2x 200 is
    ETag: "a"
2x 200 ^\0\0<Error>$
    ETag: "a"
2x 200 ^<CopyObjectResult>(?:a{30000}){10}a$
    ETag: "a"

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
--- signed
2x GET /t10/key
2x GET /t10/long
GET /t10/file
GET /t10/own
2x GET /t10/json
--- origin
2x 403 X body=$telling
3x 403 X body=@long_error
2x 403 X body=$telling
403 X body="<Error/>"
--- answers
403 is $told
    X-Cache: MISS
403 is $told
    X-Cache: HIT
403 is $told
    X-Cache: MISS
403 is $told
    X-Cache: HIT
403 is $told
403 is page
403 is $told
403 ^\{"error": "[^"]+"\}$
    Content-Type: application/json

=== TEST 11: a redirect that an object was given keeps its Location, but not a body that tells
--- signed: 2x GET /t11/key
--- origin
301 X body="<html>Moved</html>"
    Location: https://www.example.org/
301 X body="<html>$TEST_NGINX_A</html>"
    Location: https://www.example.org/
--- answers
301 is <html>Moved</html>
    Location: https://www.example.org/
301 error InternalError
    Location: https://www.example.org/

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
--- signed
GET /t12/key mock=A=brief
GET /later mock=A=delay:2.1
GET /t12/key
GET /t12/slices
unsigned GET /_log/t12/key
--- origin
2x -
2x 404 X body=$telling
--- wait: 0.1
--- answers
3x 200 ^origin A
404 is $told
200 ^A 200 [^\n]*\nA raw [^\n]*\n$

=== TEST 13: the log says what has been replaced, and what the origin's error was
--- log_level: info
--- signed: 2x GET /t13/key
--- origin
403 X body=$telling
403 X body="<Error>"
--- answers: 2x 403
--- error_log
s3_resign: the origin answered 403 with the error SignatureDoesNotMatch
s3_resign: the origin answered 403 with an error that cannot be read, or names the origin: replaced
--- no_error_log
StringToSign
AKIDORIGINA

=== TEST 14: an "if" in the location
--- location: if ($request_method = GET) { set $is_read 1; }
--- signed: 2x GET /t14/key
--- origin
403 Forbidden body=$telling
    X-Debug: at $TEST_NGINX_A
307 X body=""
    Location: http://$TEST_NGINX_A/t14/other
--- answers
403 is $told
    !X-Debug
502 error InternalError

=== TEST 15: a byte order mark
--- signed: 2x PUT /t15/key body=x
--- origin
200 OK body=$marked
200 OK body=@marked
--- answers
2x 200 \A(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>\n)?<Error><Code>SignatureDoesNotMatch<(?!.*(?:AKIDORIGINA|StringToSign))
