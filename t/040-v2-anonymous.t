# Legacy signature version 2 behind s3_signature_v2, unsigned requests behind
# s3_anonymous: both refused unless switched on.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_V2} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_signature_v2 on;
    location / { s3_resign on; proxy_pass http://origin_a; }
END
$ENV{TEST_NGINX_ANONYMOUS} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_anonymous on;
    location / { s3_resign on; proxy_pass http://origin_a; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: V2 header, off: V4 is asked for
--- signed_v2: GET /bucket/key
--- refused: 400 InvalidRequest AWS4-HMAC-SHA256

=== TEST 2: V2 query, off
--- presigned_v2: GET /bucket/key
--- refused: 400 InvalidRequest AWS4-HMAC-SHA256

=== TEST 3: V2 header becomes V4
--- config
$TEST_NGINX_V2
--- signed_v2: GET /bucket/key
--- passed: A
--- response_body_like: ^(?!.*AWS AKIDCLIENT)

=== TEST 4: V2 query becomes V4, and nothing of it goes on
--- config
$TEST_NGINX_V2
--- presigned_v2: GET /bucket/key?versionId=3
--- passed: A
--- response_body_like eval: qr{^(?!.*AWSAccessKeyId)(?!.*[?&]Signature=)(?!.*[?&]Expires=).*versionId=3}s

=== TEST 5: V2 header with x-amz headers, content-type, content-md5 and a sub-resource
--- config
$TEST_NGINX_V2
--- signed_v2
PUT /bucket/key?acl sent=hello
    content-type: text/plain
    content-md5: XUFAKrxLKna5cZ2REBfFkg==
    x-amz-acl: private
    x-amz-meta-a: b c
--- passed: A
--- response_body_like: signed content-md5;content-type;host;.*x-amz-acl;.*x-amz-meta-a\n.*body 5 2cf24dba

=== TEST 6: V2 header with x-amz-date
--- config
$TEST_NGINX_V2
--- request
GET /bucket/key
--- more_headers eval
h2(headers => ['x-amz-date', POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime)])
--- passed: A

=== TEST 7: V2 query with an encoded path
--- config
$TEST_NGINX_V2
--- presigned_v2: GET /bucket/a%20b%2Bc
--- passed: A
--- response_body_like: line GET /bucket/a%20b%2Bc

=== TEST 8: V2 header, wrong signature
--- config
$TEST_NGINX_V2
--- signed_v2: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 9: V2 query, wrong signature
--- config
$TEST_NGINX_V2
--- presigned_v2: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 10: V2, unknown key
--- config
$TEST_NGINX_V2
--- signed_v2: GET /bucket/key key=AKIDNOBODY
--- refused: 403 InvalidAccessKeyId

=== TEST 11: V2 header, another method
--- config
$TEST_NGINX_V2
--- signed_v2: DELETE /bucket/key method=GET
--- refused: 403 SignatureDoesNotMatch

=== TEST 12: V2 query, another path
--- config
$TEST_NGINX_V2
--- request eval: 'GET ' . q2(edit => sub { $_[0] =~ s/key/kex/r })
--- refused: 403 SignatureDoesNotMatch

=== TEST 13: V2 query, a sub-resource added
--- config
$TEST_NGINX_V2
--- request eval: 'GET ' . q2(edit => sub { "$_[0]&acl" })
--- error_code: 403
--- response_body_like: <Code>(SignatureDoesNotMatch|AccessDenied)</Code>
--- no_error_log
connect to 127.0.0.1

=== TEST 14: V2 header, an x-amz header added is in the signature by itself
--- config
$TEST_NGINX_V2
--- signed_v2
PUT /bucket/key
    unsigned x-amz-copy-source: /secret/object
--- refused: 403 SignatureDoesNotMatch

=== TEST 15: V2 query, an x-amz header added
--- config
$TEST_NGINX_V2
--- presigned_v2
PUT /bucket/key
    unsigned x-amz-copy-source: /secret/object
--- error_code: 403
--- response_body_like: <Code>(SignatureDoesNotMatch|AccessDenied)</Code>
--- no_error_log
connect to 127.0.0.1

=== TEST 16: V2 header, 16 minutes late
--- config
$TEST_NGINX_V2
--- signed_v2: GET /bucket/key skew=-16m
--- refused: 403 RequestTimeTooSkewed

=== TEST 17: V2 header without a date
--- config
$TEST_NGINX_V2
--- request
GET /bucket/key
--- more_headers eval: h2() =~ s/^date: .*\n//mr
--- refused: 403 AccessDenied

=== TEST 18: V2 query, expired
--- config
$TEST_NGINX_V2
--- presigned_v2: GET /bucket/key expires=-1
--- refused: 403 AccessDenied Request has expired

=== TEST 18a: V2 query, good for longer than links of the location are
--- config
    $TEST_NGINX_CLIENT
    s3_signature_v2 on;
    s3_max_age 2m;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- presigned_v2
GET /bucket/key expires=110                                => 200 verified
GET /bucket/key expires=130                                => 403 error AccessDenied not valid yet

=== TEST 19: V2 query, unreadable expiry
--- config
$TEST_NGINX_V2
--- presigned_v2: GET /bucket/key date=never
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>
--- no_error_log
connect to 127.0.0.1

=== TEST 20: V2 query without its expiry
--- config
$TEST_NGINX_V2
--- request eval: 'GET ' . q2(edit => sub { $_[0] =~ s/Expires=\d+&//r })
--- error_code: 403
--- no_error_log
connect to 127.0.0.1

=== TEST 21: V2 header, malformed
--- config
$TEST_NGINX_V2
--- request eval: [('GET /bucket/key') x 4]
--- more_headers eval
[map { "Date: Tue, 27 Mar 2007 19:36:42 +0000\nAuthorization: $_" } 'AWS', 'AWS AKIDCLIENT', 'AWS :', 'AWS AKIDCLIENT:']
--- error_code_like eval: [('^40[03]$') x 4]
--- no_error_log
connect to 127.0.0.1

=== TEST 22: V4 is as strict where V2 is on
--- config
$TEST_NGINX_V2
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 23: unsigned where V2 is on
--- config
$TEST_NGINX_V2
--- request
GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 24: anonymous goes on unsigned
--- config
$TEST_NGINX_ANONYMOUS
--- request
GET /bucket/key?prefix=a
--- response_headers
X-Origin: A
X-Verified: no: not signed
--- response_body_like: line GET /bucket/key\?prefix=a HTTP

=== TEST 25: a signed request is signed again where anonymous ones pass
--- config
$TEST_NGINX_ANONYMOUS
--- signed: GET /bucket/key
--- passed: A

=== TEST 26: a wrong signature is not taken for an anonymous request
--- config
$TEST_NGINX_ANONYMOUS
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 27: an incomplete presigned query is not anonymous
--- config
$TEST_NGINX_ANONYMOUS
--- request eval: 'GET ' . q4(expires => undef)
--- refused: 400 AuthorizationQueryParametersError

=== TEST 28: V2 is not anonymous either
--- config
$TEST_NGINX_ANONYMOUS
--- presigned_v2
GET /bucket/key
signed_v2 GET /bucket/key
--- answers: 2x 400
--- no_error_log
connect to 127.0.0.1

=== TEST 29: part of a V2 query is not anonymous
--- config
$TEST_NGINX_ANONYMOUS
--- request eval: 'GET ' . q2(edit => sub { $_[0] =~ s/Expires=\d+&//r })
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 30: a malformed V4 header is not anonymous
--- config
$TEST_NGINX_ANONYMOUS
--- request
GET /bucket/key
--- more_headers
Authorization: AWS4-HMAC-SHA256 Credential=
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 31: an anonymous path is made canonical as others are
--- config
$TEST_NGINX_ANONYMOUS
--- request
GET /bucket/a%2fb%20c//d
--- response_headers
X-Origin: A
--- response_body_like: line GET /bucket/a/b%20c//d HTTP

=== TEST 32: anonymous without any s3_client
--- config
    location / { s3_resign on; s3_anonymous on; proxy_pass http://origin_a; }
--- request
GET /bucket/key
--- response_headers
X-Origin: A

=== TEST 33: a form without a signature is not anonymous
--- config
    location / { s3_resign on; s3_anonymous on; proxy_pass http://origin_a; }
--- raw_request eval: my ($headers, $body) = S3Sign::v4_form(path => '/bucket', edit_fields => sub { $_[0] }); raw('POST /bucket', $headers, $body)
--- refused: 403 AccessDenied

=== TEST 34: V2: a parameter that V2 does not sign and that would change the operation
--- config
$TEST_NGINX_V2
--- request eval: 'PUT ' . q2(method => 'PUT', edit => sub { "$_[0]&renameObject" }) . "\nhello"
--- refused: 403 AccessDenied query parameters present in the request which were not signed

=== TEST 35: V2: parameters of a listing, which V2 does not sign either
--- config
$TEST_NGINX_V2
--- signed_v2: GET /bucket?prefix=a&delimiter=/&max-keys=2&marker=b query=""
--- passed: A
--- response_body_like: line GET /bucket\?delimiter=%2F&marker=b&max-keys=2&prefix=a HTTP

=== TEST 36: V2: a value whose signature is that of two parameters as well
--- config
$TEST_NGINX_V2
--- presigned_v2
signed_v2 GET /bucket/key?acl=x&versionId=1
signed_v2 GET /bucket/key?acl=x%26versionId=1 query=acl=x&versionId=1
GET /bucket/key?acl=x%26versionId=1
GET /bucket/key?response-content-disposition=a%26b
--- answers
200 verified yes
2x 400 <Code>InvalidArgument</Code><Message>Signature Version 2 cannot tell
200 verified yes
