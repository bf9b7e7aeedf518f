# Pages of other origins: preflights, which browsers never sign, go to the origin or are answered here, and
# answers say which pages may read them.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_PASSED} = "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; }";
$ENV{TEST_NGINX_APP} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_resign on;
    s3_cors origin=https://app.example,https://*.app.example methods=GET,PUT headers=content-type,x-amz-*
            expose=ETag,x-amz-request-id max_age=1h credentials=on;
    location / { proxy_pass http://origin_a; }
END
# What an origin says of pages by itself.
our $theirs = join "\n", 'HTTP/1.1 200 OK', 'Access-Control-Allow-Origin: https://evil.example',
    'access-control-allow-credentials: true', 'Access-Control-Max-Age: 9', 'Vary: Accept-Encoding';
our $asks = "Origin: https://app.example\nAccess-Control-Request-Method: PUT\n";

prepare();
run_tests();

__DATA__

=== TEST 1: to a presigned URL: passed on, unsigned, without the signature's parameters
--- config
$TEST_NGINX_PASSED
--- presigned
OPTIONS /bucket/key?x-id=PutObject&partNumber=1 method=PUT
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
    unsigned Access-Control-Request-Headers: content-type
--- error_code: 200
--- response_headers
X-Origin: A
X-Verified: no: not signed
X-Line: OPTIONS /bucket/key?partNumber=1&x-id=PutObject HTTP/1.0
--- response_body_like: header Access-Control-Request-Headers: content-type\n

=== TEST 2: nothing in the query is looked at, nor passed on: no signature can be wrong
--- config
$TEST_NGINX_PASSED
--- presigned
OPTIONS /bucket/key method=PUT tamper
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
OPTIONS /bucket/key method=PUT key=AKIDNOBODY skew=-400m
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
unsigned OPTIONS /bucket/key?X-Amz-Signature=1&x-amz-signature=2&%58-Amz-Date&AWSAccessKeyId=a&Expires=1
    Origin: https://app.example
    Access-Control-Request-Method: PUT
presigned_v2 OPTIONS /bucket/key method=PUT
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
unsigned OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
unsigned OPTIONS /
    Origin: https://app.example
    Access-Control-Request-Method: GET
--- answers
5x 200 line OPTIONS /bucket/key HTTP
200 line OPTIONS / HTTP
--- response_headers eval: [('X-Verified: no: not signed') x 6]

=== TEST 3: what is no preflight needs a signature, and no origin hears of it
--- config
$TEST_NGINX_PASSED
--- unsigned
OPTIONS /bucket/key
OPTIONS /bucket/key
    Origin: https://app.example
OPTIONS /bucket/key
    Access-Control-Request-Method: PUT
OPTIONS /bucket/key
    Origin: https://app.example
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
    Access-Control-Request-Method: GET
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
    x-amz-acl: public-read
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
    X-HTTP-Method-Override: PUT
OPTIONS /bucket/key body=hello
    Origin: https://app.example
    Access-Control-Request-Method: PUT
GET /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: GET
PUT /bucket/key body=hello
    Origin: https://app.example
    Access-Control-Request-Method: PUT
presigned OPTIONS /bucket/key method=PUT
    unsigned Origin: https://app.example
signed OPTIONS /bucket/key tamper
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
--- answers
10x 403 error AccessDenied
2x 403 error SignatureDoesNotMatch
--- no_error_log
connect to 127.0.0.1

=== TEST 4: a preflight with a body in chunks
--- config
$TEST_NGINX_PASSED
--- raw_request eval: raw('OPTIONS /bucket/key', "Host: a\n${asks}Transfer-Encoding: chunked\n", "5\r\nhello\r\n0\r\n\r\n")
--- refused: 403 AccessDenied

=== TEST 5: a signed OPTIONS is what it was
--- config
$TEST_NGINX_PASSED
--- signed
OPTIONS /bucket/key
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
--- passed: A

=== TEST 6: reserved names, and paths that leave their bucket
--- config
$TEST_NGINX_PASSED
--- unsigned
OPTIONS /minio/admin/v3/info
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /%6dinio/admin/v3/info
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /bucket/%2e%2e/other/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /../bucket
    Origin: https://app.example
    Access-Control-Request-Method: PUT
--- answers
2x 403 error AccessDenied reserved
1x 400 error InvalidURI
1x 400
--- no_error_log
connect to 127.0.0.1

=== TEST 7: the origin's word reaches the page
--- config
$TEST_NGINX_PASSED
--- request eval: ['OPTIONS /bucket/key', 'GET /bucket/key']
--- more_headers eval: [$asks . whole($theirs, ''), h4() . "Origin: https://app.example\n" . whole($theirs, '')]
--- error_code eval: [200, 200]
--- response_headers eval
[("Access-Control-Allow-Origin: https://evil.example\nAccess-Control-Max-Age: 9\nVary: Accept-Encoding") x 2]

=== TEST 8: an error too, where the page is on the origin's host
--- config
$TEST_NGINX_PASSED
--- request eval: ['GET /bucket/key', 'GET /bucket/key']
--- more_headers eval
[map { h4() . "Origin: http://127.0.0.1:3000\n"
    . whole("HTTP/1.1 404 Not Found\nAccess-Control-Allow-Origin: $_\nX-Other: http://127.0.0.1:3000", 'none') }
    'http://127.0.0.1:3000', 'http://127.0.0.1:3001']
--- error_code eval: [404, 404]
--- response_headers eval
["Access-Control-Allow-Origin: http://127.0.0.1:3000\n!X-Other", "!Access-Control-Allow-Origin\n!X-Other"]

=== TEST 9: without s3_cors, nothing is said of pages here
--- config
$TEST_NGINX_PASSED
--- signed
GET /bucket/key tamper
    unsigned Origin: https://app.example
--- error_code: 403
--- response_headers
!Access-Control-Allow-Origin
!Vary

=== TEST 10: it counts as what it is, and shows nothing that satisfy any could count
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    add_header X-Auth "$s3_auth|$s3_access_key|$s3_bucket|$s3_key|$s3_error" always;
    location / { proxy_pass http://origin_a; }
    location /closed { satisfy any; deny all; proxy_pass http://origin_a; }
--- presigned
OPTIONS /bucket/key method=PUT
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
OPTIONS /closed/key method=PUT
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
--- error_code eval: [200, 403]
--- response_headers eval: ['X-Auth: preflight||bucket|key|', 'X-Auth: preflight||closed|key|']

=== TEST 11: answered here; the origin hears nothing
--- config
$TEST_NGINX_APP
--- presigned
OPTIONS /bucket/key method=PUT
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
    unsigned Access-Control-Request-Headers: Content-Type, x-amz-acl
unsigned OPTIONS /bucket/key
    Origin: https://a.b.app.example
    Access-Control-Request-Method: GET
--- error_code eval: [204, 204]
--- response_headers eval
["Access-Control-Allow-Origin: https://app.example
Access-Control-Allow-Credentials: true
Access-Control-Allow-Methods: GET, PUT
Access-Control-Allow-Headers: Content-Type, x-amz-acl
Access-Control-Max-Age: 3600
!Access-Control-Expose-Headers
!Content-Length
!Content-Type
Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
"Access-Control-Allow-Origin: https://a.b.app.example
!Access-Control-Allow-Headers"]
--- response_body eval: ['', '']
--- no_error_log
connect to 127.0.0.1

=== TEST 12: what a page may not do
--- config
$TEST_NGINX_APP
--- unsigned
OPTIONS /bucket/key
    Origin: https://evil.example
    Access-Control-Request-Method: PUT
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: DELETE
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
    Access-Control-Request-Headers: authorization
OPTIONS /minio/admin/v3/info
    Origin: https://app.example
    Access-Control-Request-Method: PUT
--- answers
3x 403 error AccessForbidden CORSResponse
403 error AccessDenied reserved
--- response_headers eval: [("!Access-Control-Allow-Origin\n!Access-Control-Allow-Methods\nVary: Origin") x 4]
--- no_error_log
connect to 127.0.0.1

=== TEST 13: answers carry what is said here, and nothing of what the origin says
--- config
$TEST_NGINX_APP
--- request eval: ['GET /bucket/key', 'GET /bucket/key', 'GET /bucket/key', 'GET /bucket/key']
--- more_headers eval
[h4() . "Origin: https://app.example\n" . whole($theirs, 'a'), h4() . "Origin: https://evil.example\n" . whole($theirs, 'a'),
    h4() . whole($theirs, 'a'), h4() . "Origin: https://app.example\nOrigin: https://app.example\n" . whole($theirs, 'a')]
--- error_code eval: [(200) x 4]
--- response_headers eval
["Access-Control-Allow-Origin: https://app.example
Access-Control-Allow-Credentials: true
Access-Control-Expose-Headers: ETag, x-amz-request-id
!Access-Control-Max-Age
Vary: Accept-Encoding, Origin",
("!Access-Control-Allow-Origin
!Access-Control-Allow-Credentials
!Access-Control-Max-Age
!Access-Control-Expose-Headers
Vary: Accept-Encoding, Origin") x 3]

=== TEST 14: a Vary that says so already
--- config
$TEST_NGINX_APP
--- request: GET /bucket/key
--- more_headers eval: h4() . whole("HTTP/1.1 200 OK\nVary: Accept-Encoding, origin", 'a')
--- response_headers
Vary: Accept-Encoding, origin

=== TEST 15: rejections can be read, the origin's errors, those that take their place, and nginx's
--- http_config
    upstream dead { server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; }
--- config
$TEST_NGINX_APP
    location /dead { proxy_pass http://dead; }
    location /small { client_max_body_size 1; proxy_pass http://origin_a; }
--- signed
GET /bucket/key tamper
    unsigned Origin: https://app.example
PUT /bucket/key tamper body=hello
    unsigned Origin: https://app.example
GET /bucket/key mock=A=404:NoSuchKey
    unsigned Origin: https://app.example
GET /bucket/key mock=A=307
    unsigned Origin: https://app.example
GET /dead/key
    unsigned Origin: https://app.example
PUT /small/key body=hello
    unsigned Origin: https://app.example
unsigned GET /bucket/key
    Origin: https://app.example
GET /bucket/key tamper
--- error_code eval: [403, 403, 404, 502, 502, 413, 403, 403]
--- response_headers eval
[("Access-Control-Allow-Origin: https://app.example\nAccess-Control-Expose-Headers: ETag, x-amz-request-id\nVary: Origin") x 7,
    "!Access-Control-Allow-Origin\nVary: Origin"]

=== TEST 16: a body that is rejected while it arrives
--- config
$TEST_NGINX_APP
    s3_verify_payload on;
--- signed
PUT /bucket/key body=hello sent=hallo
    unsigned Origin: https://app.example
--- answers: 400 error XAmzContentSHA256Mismatch
--- response_headers
Access-Control-Allow-Origin: https://app.example
Vary: Origin

=== TEST 17: pages of all origins: the answers are the same for all, and do not vary
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_cors origin=*;
    location / { proxy_pass http://origin_a; }
--- signed
GET /bucket/key
    unsigned Origin: https://app.example
GET /bucket/key
unsigned OPTIONS /bucket/key
    Origin: null
    Access-Control-Request-Method: DELETE
    Access-Control-Request-Headers: authorization,x-amz-date
--- error_code eval: [200, 200, 204]
--- response_headers eval
[("Access-Control-Allow-Origin: *\nAccess-Control-Expose-Headers: *\n!Access-Control-Allow-Credentials\n!Vary") x 2,
    "Access-Control-Allow-Origin: *\nAccess-Control-Allow-Headers: authorization, x-amz-date\n!Access-Control-Max-Age"]

=== TEST 18: several rules, inherited as a whole, replaced, and taken back; and no signing, no rules
--- http_config
    s3_cors origin=https://a.example methods=GET;
    s3_cors origin=* methods=HEAD;
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; }
    location /own { s3_cors origin=https://b.example; proxy_pass http://origin_a; }
    location /off { s3_cors off; proxy_pass http://origin_a; location /off/in { proxy_pass http://origin_a; } }
    location /plain { s3_resign off; return 200 plain; }
--- signed
GET /bucket/key
    unsigned Origin: https://a.example
HEAD /bucket/key
    unsigned Origin: https://a.example
GET /own/key
    unsigned Origin: https://a.example
GET /own/key
    unsigned Origin: https://b.example
GET /off/key
    unsigned Origin: https://a.example
unsigned OPTIONS /off/in/key
    Origin: https://a.example
    Access-Control-Request-Method: PUT
unsigned GET /plain
    Origin: https://a.example
--- error_code eval: [(200) x 7]
--- response_headers eval
["Access-Control-Allow-Origin: https://a.example\nVary: Origin", "Access-Control-Allow-Origin: *\nVary: Origin",
    "!Access-Control-Allow-Origin\nVary: Origin", "Access-Control-Allow-Origin: https://b.example\nVary: Origin",
    "!Access-Control-Allow-Origin\n!Vary", "X-Origin: A\n!Vary", "!Access-Control-Allow-Origin\n!Vary"]

=== TEST 19: a cache keeps no preflight, and tells pages apart
--- http_config
    proxy_cache_path cache keys_zone=c:1m levels=1;
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    proxy_cache c;
    proxy_cache_key $uri;
    proxy_cache_valid any 1m;
    add_header X-Cache $upstream_cache_status always;
    location / { proxy_pass http://origin_a; }
    location /cors { s3_cors origin=https://app.example; proxy_pass http://origin_a; }
--- signed
unsigned OPTIONS /t19/key mock=A=cache
    Origin: https://app.example
    Access-Control-Request-Method: GET
GET /t19/key mock=A=cache
GET /t19/key mock=A=cache
unsigned OPTIONS /t19/key mock=A=cache
    Origin: https://app.example
    Access-Control-Request-Method: GET
GET /cors/key mock=A=cache
    unsigned Origin: https://app.example
GET /cors/key mock=A=cache
    unsigned Origin: https://app.example
GET /cors/key mock=A=cache
--- answers
200 line OPTIONS
2x 200 line GET
200 line OPTIONS
3x 200 line GET
--- response_headers eval
["!X-Cache-Key\nX-Verified: no: not signed", "X-Cache: MISS\nX-Verified: yes", "X-Cache: HIT\nX-Verified: yes", "X-Verified: no: not signed",
    "X-Cache: MISS\nAccess-Control-Allow-Origin: https://app.example", "X-Cache: HIT\nAccess-Control-Allow-Origin: https://app.example\nVary: Origin",
    "!Access-Control-Allow-Origin\nVary: Origin"]

=== TEST 20: in the style of s3proxy
--- config
$TEST_NGINX_APP
    s3_errors s3proxy;
--- unsigned
OPTIONS /bucket/key
    Origin: https://evil.example
    Access-Control-Request-Method: PUT
--- error_code: 403
--- response_body_like: ^\{"error": "CORSResponse:

=== TEST 21: lines that are wrong
--- config
    s3_cors methods=GET;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_cors" lacks "origin=": add .*"origin=\*"/

=== TEST 22: an address for an origin
--- config
    s3_cors origin=https://app.example/;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_cors": "https:\/\/app.example\/" in "origin=" is not an origin: write /

=== TEST 23: credentials for all
--- config
    s3_cors origin=* credentials=on;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_cors": with "credentials=on", "\*" in "origin=".*: name the origins/

=== TEST 24: off and a rule
--- config
    s3_cors origin=*;
    s3_cors off;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_cors" is duplicate: keep "off" or the rules/

=== TEST 25: a rule and off
--- config
    s3_cors off;
    s3_cors origin=*;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_cors" is duplicate: keep "off" or the rules/
