# The answers of rejections: S3's XML, s3proxy's JSON, what s3_debug_errors adds,
# what may stand in them, and what happens to the connection.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $large = 'x' x 3_000_000;
our $start = S3Sign::timestamp($^T);
our ($right_at_start) = h4(date => $start) =~ /Signature=(\w+)/;

prepare();
run_tests();

__DATA__

=== TEST 1: the whole of it
--- unsigned: GET /bucket/key?a=b
--- response_headers_like
Content-Type: application/xml
x-amz-request-id: \w+
Content-Length: \d+
--- answers: 403 ^<\?xml version="1\.0" encoding="UTF-8"\?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/bucket/key</Resource><RequestId>\w+</RequestId><HostId>[0-9a-f]{64}</HostId></Error>\n?$

=== TEST 2: the path is escaped
--- raw_request eval: raw('GET /<a>&"b', "Host: x\n")
--- error_code: 403
--- response_body_like: <Resource>/&lt;a&gt;&amp;(?:"|&quot;)b</Resource>

=== TEST 3: a path that is no UTF-8 and no XML
--- raw_request eval: raw("GET /a\xff\x01b", "Host: x\n")
--- error_code_like: ^40[03]$
--- response_body_like: ^[^\xff\x01]*$

=== TEST 4: no hint at the right signature unless asked for
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch
--- response_body_like: ^(?!.*CanonicalRequest)(?!.*StringToSign)

=== TEST 5: s3_debug_errors: the canonical request and the string to sign
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_debug_errors on; proxy_pass http://origin_a; }
--- signed: GET /bucket/a%20b?x=1&acl tamper
--- answers: 403 <StringToSign>AWS4-HMAC-SHA256\n\d{8}T\d{6}Z\n\d{8}/us-east-1/s3/aws4_request\n[0-9a-f]{64}</StringToSign>.*<CanonicalRequest>GET\n/bucket/a%20b\nacl=&amp;x=1\nhost:localhost\nx-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nx-amz-date:\d{8}T\d{6}Z\n\nhost;x-amz-content-sha256;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855</CanonicalRequest>|<CanonicalRequest>.*<StringToSign>

=== TEST 6: s3_debug_errors tells nothing to those without a known key
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_debug_errors on; proxy_pass http://origin_a; }
--- signed: GET /bucket/key key=AKIDNOBODY
--- answers: 403 ^(?!.*[0-9a-f]{64}</Sig)

=== TEST 7: neither the sent nor the computed signature is in the answer or the log
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_debug_errors on; proxy_pass http://origin_a; }
--- signed: GET /bucket/key date=$start tamper
--- answers: 403 ^(?!.*$right_at_start)
--- no_error_log eval: $right_at_start

=== TEST 8: s3_errors s3proxy: a wrong signature
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_errors s3proxy; proxy_pass http://origin_a; }
--- signed: GET /bucket/key tamper
--- answers
403 ^\{"error": "[^"]+"\}\n?$
    Content-Type: application/json

=== TEST 9: s3_errors s3proxy: an unknown key, a malformed signature and an invalid path are 400
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_errors s3proxy; proxy_pass http://origin_a; }
--- signed
GET /bucket/key key=AKIDNOBODY
GET /bucket/key omit=authorization
    unsigned Authorization: AWS4-HMAC-SHA256 nonsense
presigned GET /bucket/key expires=none
GET /bucket/key?%zz
--- answers: 4x 400 ^\{"error": ".+"\}\n?$

=== TEST 10: error_page has no say in rejections
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; error_page 403 400 =200 /page; }
    location = /page { return 200 "let in"; }
--- unsigned: GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 11: proxy_intercept_errors with error_page has its say in the origin's answers
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 403 /page; }
    location = /page { internal; return 200 "page"; }
--- signed: GET /bucket/key mock=A=403
--- answers: 403 is page

=== TEST 12: satisfy any does not let an unsigned request through
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; satisfy any; allow all; proxy_pass http://origin_a; }
--- unsigned: GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 13: satisfy any with a wrong signature
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; satisfy any; allow all; deny all; proxy_pass http://origin_a; }
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 14: satisfy any with a right signature
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; satisfy any; allow all; proxy_pass http://origin_a; }
--- signed: GET /bucket/key
--- passed: A

=== TEST 15: deny keeps out those with a right signature
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; deny all; proxy_pass http://origin_a; }
--- signed: GET /bucket/key
--- refused: 403

=== TEST 16: satisfy any and auth_basic: neither a password replaces the signature
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on; s3_anonymous off; satisfy any;
        auth_basic x; auth_basic_user_file html/passwd;
        proxy_pass http://origin_a;
    }
--- user_files
>>> passwd
u:{PLAIN}p
--- unsigned
GET /bucket/key
    Authorization: Basic dTpw
--- error_code_like: ^40[013]$
--- no_error_log
connect to 127.0.0.1

=== TEST 17: keepalive goes on after a rejection
--- pipelined_requests eval: ['GET /bucket/key', 'GET /bucket/key', 'GET /bucket/key']
--- more_headers eval: ['', h4(), h4(tamper => 1)]
--- answers
403 AccessDenied
200 verified yes
403 SignatureDoesNotMatch

=== TEST 18: a rejected PUT's body is not taken for the next request
--- pipelined_requests eval
["PUT /bucket/key\nGET /bucket/smuggled HTTP/1.1\r\nHost: x\r\n\r", 'GET /bucket/key']
--- more_headers eval: [h4(method => 'PUT', tamper => 1), h4()]
--- answers
403 SignatureDoesNotMatch
200 line GET /bucket/key HTTP

=== TEST 19: a rejected PUT in chunks likewise
--- pipelined_requests eval
["PUT /bucket/key\n5\r\nhello\r\n0\r\n\r\n", 'GET /bucket/key']
--- more_headers eval: [h4(method => 'PUT', tamper => 1) . "Transfer-Encoding: chunked\n", h4()]
--- answers
403 SignatureDoesNotMatch
200 line GET /bucket/key HTTP

=== TEST 20: Expect: 100-continue is not answered with 100 before a rejection
--- signed
PUT /bucket/key sent=hello tamper pieces=head
    unsigned Expect: 100-continue
--- raw_request_middle_delay: 0.1
--- refused: 403 SignatureDoesNotMatch

=== TEST 21: Expect: 100-continue is answered once the request is verified
--- signed
PUT /bucket/key body=hello pieces=head
    expect: 100-continue
--- raw_request_middle_delay: 0.05
--- answers: 100 HTTP/1\.1 200 .*verified yes

=== TEST 22: a client in the middle of a large PUT reads the rejection
--- signed: PUT /bucket/key sent=$large tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 23: the reason is in the log, at info
--- log_level: info
--- signed: GET /bucket/key tamper
--- answers: 403
--- error_log eval: qr/\[info\].*s3_resign.*SignatureDoesNotMatch/

=== TEST 24: an origin's error comes through
--- signed: GET /bucket/key mock=A=404:NoSuchKey
--- answers
404 <Error><Code>NoSuchKey</Code></Error>
    x-amz-request-id: origin-A
