# Pages of other origins: preflights, which browsers never sign, go to the origin or are answered here, and
# answers say which pages may read them.
#
# A long file: each way a preflight can be none is a request in it.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_APP} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_resign on;
    s3_cors origin=https://app.example,https://*.app.example methods=GET,PUT headers=content-type,x-amz-*
            expose=ETag,x-amz-request-id max_age=1h credentials=on;
    location / { proxy_pass http://origin_a; }
END
our $asks = "Host: a\nOrigin: https://app.example\nAccess-Control-Request-Method: PUT\n";

prepare();
run_tests();

__DATA__

=== TEST 1: to a presigned URL: passed on, unsigned, without the signature's parameters
--- server: proxy_http_version 1.0;
--- presigned
OPTIONS /bucket/key?x-id=PutObject&partNumber=1 method=PUT
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
    unsigned Access-Control-Request-Headers: content-type
--- answers
200 header Access-Control-Request-Headers: content-type\n
    X-Origin: A
    X-Verified: no: not signed
    X-Line: OPTIONS /bucket/key?partNumber=1&x-id=PutObject HTTP/1.0

=== TEST 2: nothing in the query is looked at, nor passed on: no signature can be wrong
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
    X-Verified: no: not signed
200 line OPTIONS / HTTP
    X-Verified: no: not signed

=== TEST 3: what is no preflight needs a signature, and no origin hears of it
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
--- raw_request eval: raw('OPTIONS /bucket/key', "${asks}Transfer-Encoding: chunked\n", "5\r\nhello\r\n0\r\n\r\n")
--- refused: 403 AccessDenied

=== TEST 5: a signed OPTIONS is what it was
--- signed
OPTIONS /bucket/key
    unsigned Origin: https://app.example
    unsigned Access-Control-Request-Method: PUT
--- passed: A

=== TEST 6: reserved names, and paths that leave their bucket
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
400 error 400
400 error InvalidURI
--- no_error_log
connect to 127.0.0.1

=== TEST 7: the origin's word reaches the page
--- unsigned
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: PUT
signed GET /bucket/key
    unsigned Origin: https://app.example
--- origin
2x 200 OK body=a
    Access-Control-Allow-Origin: https://evil.example
    Access-Control-Max-Age: 9
    Vary: Accept-Encoding
--- answers
2x 200 ^a$
    Access-Control-Allow-Origin: https://evil.example
    Access-Control-Max-Age: 9
    Vary: Accept-Encoding

=== TEST 8: an error too, where the page is on the origin's host
--- signed
GET /bucket/key
    unsigned Origin: http://127.0.0.1:3000
GET /bucket/key
    unsigned Origin: http://127.0.0.1:3001
--- origin
2x 404 Not Found body=none
    Access-Control-Allow-Origin: http://127.0.0.1:3000
    X-Other: http://127.0.0.1:3000
--- answers
404 ^none$
    Access-Control-Allow-Origin: http://127.0.0.1:3000
    !X-Other
404 ^none$
    !Access-Control-Allow-Origin
    !X-Other

=== TEST 9: without s3_cors, nothing is said of pages here
--- signed
GET /bucket/key tamper
    unsigned Origin: https://app.example
--- answers
403 error SignatureDoesNotMatch
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
--- answers
200
    X-Auth: preflight||bucket|key|
403
    X-Auth: preflight||closed|key|AccessDenied

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
--- answers
204 ^$
    Access-Control-Allow-Origin: https://app.example
    Access-Control-Allow-Credentials: true
    Access-Control-Allow-Methods: GET, PUT
    Access-Control-Allow-Headers: Content-Type, x-amz-acl
    Access-Control-Max-Age: 3600
    !Access-Control-Expose-Headers
    !Content-Length
    !Content-Type
    Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
204 ^$
    Access-Control-Allow-Origin: https://a.b.app.example
    !Access-Control-Allow-Headers
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
    !Access-Control-Allow-Origin
    !Access-Control-Allow-Methods
    Vary: Origin
403 error AccessDenied reserved
    !Access-Control-Allow-Origin
    Vary: Origin
--- no_error_log
connect to 127.0.0.1

=== TEST 13: answers carry what is said here, and nothing of what the origin says
--- config
$TEST_NGINX_APP
--- signed
GET /bucket/key
    unsigned Origin: https://app.example
GET /bucket/key
    unsigned Origin: https://evil.example
GET /bucket/key
GET /bucket/key
    unsigned Origin: https://app.example
    unsigned Origin: https://app.example
--- origin
4x 200 OK body=a
    Access-Control-Allow-Origin: https://evil.example
    access-control-allow-credentials: true
    Access-Control-Max-Age: 9
    Vary: Accept-Encoding
--- answers
200 ^a$
    Access-Control-Allow-Origin: https://app.example
    Access-Control-Allow-Credentials: true
    Access-Control-Expose-Headers: ETag, x-amz-request-id
    !Access-Control-Max-Age
    Vary: Accept-Encoding, Origin
3x 200 ^a$
    !Access-Control-Allow-Origin
    !Access-Control-Allow-Credentials
    !Access-Control-Max-Age
    !Access-Control-Expose-Headers
    Vary: Accept-Encoding, Origin

=== TEST 14: a Vary that says so already
--- config
$TEST_NGINX_APP
--- signed: GET /bucket/key
--- origin
200 OK body=a
    Vary: Accept-Encoding, origin
--- answers
200 ^a$
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
unsigned GET /bucket/key
    Origin: https://app.example
GET /bucket/key mock=A=404:NoSuchKey
    unsigned Origin: https://app.example
GET /bucket/key mock=A=307
    unsigned Origin: https://app.example
GET /dead/key
    unsigned Origin: https://app.example
PUT /small/key body=hello
    unsigned Origin: https://app.example
GET /bucket/key tamper
--- answers
3x 403
    Access-Control-Allow-Origin: https://app.example
    Access-Control-Expose-Headers: ETag, x-amz-request-id
    Vary: Origin
404
    Access-Control-Allow-Origin: https://app.example
    Vary: Origin
2x 502 InternalError
    Access-Control-Allow-Origin: https://app.example
    Vary: Origin
400 EntityTooLarge
    Access-Control-Allow-Origin: https://app.example
    Vary: Origin
403
    !Access-Control-Allow-Origin
    Vary: Origin

=== TEST 16: a body that is rejected while it arrives
--- config
$TEST_NGINX_APP
    s3_verify_payload on;
--- signed
PUT /bucket/key body=hello sent=hallo
    unsigned Origin: https://app.example
--- answers
400 error XAmzContentSHA256Mismatch
    Access-Control-Allow-Origin: https://app.example
    Vary: Origin

=== TEST 17: pages of all origins: the answers are the same for all, and do not vary
--- server: s3_cors origin=*;
--- signed
GET /bucket/key
    unsigned Origin: https://app.example
GET /bucket/key
unsigned OPTIONS /bucket/key
    Origin: null
    Access-Control-Request-Method: DELETE
    Access-Control-Request-Headers: authorization,x-amz-date
--- answers
2x 200
    Access-Control-Allow-Origin: *
    Access-Control-Expose-Headers: *
    !Access-Control-Allow-Credentials
    !Vary
204
    Access-Control-Allow-Origin: *
    Access-Control-Allow-Headers: authorization, x-amz-date
    !Access-Control-Max-Age

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
--- answers
200
    Access-Control-Allow-Origin: https://a.example
    Vary: Origin
200
    Access-Control-Allow-Origin: *
    Vary: Origin
200
    !Access-Control-Allow-Origin
    Vary: Origin
200
    Access-Control-Allow-Origin: https://b.example
    Vary: Origin
200
    !Access-Control-Allow-Origin
    !Vary
200
    X-Origin: A
    !Vary
200
    !Access-Control-Allow-Origin
    !Vary

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
    X-Verified: no: not signed
200 line GET
    X-Cache: MISS
    X-Verified: yes
200 line GET
    X-Cache: HIT
    X-Verified: yes
200 line OPTIONS
    X-Verified: no: not signed
200 line GET
    X-Cache: MISS
    Access-Control-Allow-Origin: https://app.example
200 line GET
    X-Cache: HIT
    Access-Control-Allow-Origin: https://app.example
    Vary: Origin
200 line GET
    !Access-Control-Allow-Origin
    Vary: Origin

=== TEST 20: in the style of s3proxy
--- config
$TEST_NGINX_APP
    s3_errors s3proxy;
--- unsigned
OPTIONS /bucket/key
    Origin: https://evil.example
    Access-Control-Request-Method: PUT
--- answers: 403 ^\{"error": "CORSResponse:

=== TEST 21: pages of nowhere
--- config
    s3_cors methods=GET;
--- does_not_start: "s3_cors" lacks "origin=": add .*"origin=\*"

=== TEST 22: an address for an origin
--- config
    s3_cors origin=https://app.example/;
--- does_not_start: "s3_cors": "https://app.example/" in "origin=" is not an origin: write

=== TEST 23: credentials for all
--- config
    s3_cors origin=* credentials=on;
--- does_not_start: "s3_cors": with "credentials=on", "\*" in "origin=".*: name the origins

=== TEST 24: a rule and off
--- config
    s3_cors origin=*;
    s3_cors off;
--- does_not_start: "s3_cors" is duplicate: keep "off" or the rules

=== TEST 25: off and a rule
--- config
    s3_cors off;
    s3_cors origin=*;
--- does_not_start: "s3_cors" is duplicate: keep "off" or the rules

=== TEST 26: with the bucket in the host, and below a path
--- server: s3_domain s3.test; s3_prefix /s3;
--- unsigned
OPTIONS /s3/key
    Host: bucket.s3.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /s3/bucket/key
    Host: s3.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /s3/admin/v3/info
    Host: minio.s3.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /s3/minio/admin/v3/info
    Host: s3.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /s3/../minio/admin
    Host: s3.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /bucket/key
    Host: s3.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
OPTIONS /s3/key
    Host: elsewhere.test
    Origin: https://app.example
    Access-Control-Request-Method: PUT
--- answers
2x 200 line OPTIONS /bucket/key HTTP
    X-Verified: no: not signed
2x 403 error AccessDenied reserved
2x 400 error InvalidURI
400 error InvalidRequest
