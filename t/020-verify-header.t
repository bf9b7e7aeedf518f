# Verification of SigV4 in the Authorization header: for each rule a request
# that breaks only this rule and is refused with S3's status and code, and
# requests at the edge of the rules that must pass.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $now = time;
sub minutes { S3Sign::timestamp($now + 60 * shift) }

# An edit of the Authorization header.
sub edit {
    my ($from, $to) = @_;
    return (edit => sub { $_[0] =~ s/$from/$to/r });
}

prepare();
run_tests();

__DATA__

=== TEST 1: GET with a signed payload hash
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\nregion us-east-1\n

=== TEST 2: GET with UNSIGNED-PAYLOAD
--- signed: GET /bucket/key payload=UNSIGNED-PAYLOAD
--- passed: A
--- response_body_like: header (?i:x-amz-content-sha256): UNSIGNED-PAYLOAD

=== TEST 3: HEAD
--- signed: HEAD /bucket/key
--- passed: A

=== TEST 4: PUT with a body
--- signed: PUT /bucket/key body=hello
--- passed: A
--- response_body_like: body 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824

=== TEST 5: DELETE
--- signed: DELETE /bucket/key?versionId=abc
--- passed: A
--- response_body_like: line DELETE /bucket/key\?versionId=abc HTTP

=== TEST 6: POST, as for multipart uploads
--- signed
POST /bucket/key?uploads
    content-length: 0
--- passed: A
--- response_body_like: line POST /bucket/key\?uploads= HTTP

=== TEST 7: an Authorization header without spaces behind the commas (s3cmd)
--- request
GET /bucket/key
--- more_headers eval: h4(edit => sub { $_[0] =~ s/, /,/gr })
--- passed: A

=== TEST 8: an empty region, as some clients sign
--- signed: GET /bucket/key region=""
--- passed: A

=== TEST 9: any region, where none is asked for
--- signed: GET /bucket/key region=ap-south-7
--- passed: A

=== TEST 10: an access key with a slash in it
--- config
    $TEST_NGINX_READER
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed: GET /bucket/key as=reader
--- passed: A

=== TEST 11: header values are trimmed and folded, their case kept, repeats joined
--- raw_request eval
raw('GET /bucket/key', h4(headers => ['x-amz-meta-a', 'One  two   THREE', 'x-amz-meta-b', '1', 'x-amz-meta-b', '2'])
    =~ s/x-amz-meta-a: .*/X-Amz-META-A:    One  two   THREE  /r)
--- passed: A
--- response_body_like: signed host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-meta-b

=== TEST 12: host with a port, as sent
--- signed: GET /bucket/key host=s3.example.com:8080
--- passed: A

=== TEST 13: host without the port that was signed
--- request
GET /bucket/key
--- more_headers eval: h4(host => 's3.example.com:8080') =~ s/^host: .*/host: s3.example.com/mr
--- refused: 403 SignatureDoesNotMatch

=== TEST 14: signed content-length, expect and accept-encoding are those on the wire
--- request
PUT /bucket/key
hello
--- more_headers eval
h4(method => 'PUT', body => 'hello', headers => ['accept-encoding', 'gzip, br', 'Content-Length', '5', 'user-agent', 'x/1'])
--- passed: A
--- response_body_like: signed host;x-amz-content-sha256;x-amz-date\n

=== TEST 15: content-type and x-amzn-trace-id need not be signed
--- signed
PUT /bucket/key body=hello
    unsigned content-type: a/b
    unsigned x-amzn-trace-id: Root=1
--- passed: A
--- response_body_like: signed content-type;host;x-amz-content-sha256;x-amz-date\n

=== TEST 16: Date instead of x-amz-date
--- request
GET /bucket/key
--- more_headers eval: h4(date => minutes(0), date_header => minutes(0))
--- passed: A

=== TEST 17: Date in the form of HTTP
--- request
GET /bucket/key
--- more_headers eval
h4(date => minutes(0), date_header => POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $now))
--- passed: A

=== TEST 18: wrong signature
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch The request signature we calculated does not match

=== TEST 19: unknown access key
--- signed: GET /bucket/key key=AKIDNOBODY
--- refused: 403 InvalidAccessKeyId

=== TEST 20: the beginning of a known access key
--- signed: GET /bucket/key key=AKIDCLIEN
--- refused: 403 InvalidAccessKeyId

=== TEST 21: another secret
--- signed: GET /bucket/key secret=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
--- refused: 403 SignatureDoesNotMatch

=== TEST 22: an origin's credentials are no client's
--- signed: GET /bucket/key key=AKIDORIGINA secret=oRiGiNa+sEcReT/0123456789abcdefghijklmno
--- refused: 403 InvalidAccessKeyId

=== TEST 23: another method than the signed one
--- signed: PUT /bucket/key method=GET
--- refused: 403 SignatureDoesNotMatch

=== TEST 24: another path
--- signed: GET /bucket/other path=/bucket/key
--- refused: 403 SignatureDoesNotMatch

=== TEST 25: another query
--- signed: GET /bucket/key?versionId=2 query=versionId=1
--- refused: 403 SignatureDoesNotMatch

=== TEST 26: one query parameter more
--- signed: GET /bucket/key?acl query=""
--- refused: 403 SignatureDoesNotMatch

=== TEST 27: another host
--- request
GET /bucket/key
--- more_headers eval: h4(host => 'elsewhere') =~ s/^host: .*/host: localhost/mr
--- refused: 403 SignatureDoesNotMatch

=== TEST 28: another value of a signed header
--- request
GET /bucket/key
--- more_headers eval: h4(headers => ['x-amz-meta-a', '1']) =~ s/meta-a: 1/meta-a: 2/r
--- refused: 403 SignatureDoesNotMatch

=== TEST 29: another payload hash
--- request
GET /bucket/key
--- more_headers eval: h4() =~ s/(sha256: )\w+/$1 . '0' x 64/er
--- refused: 403 SignatureDoesNotMatch

=== TEST 30: a signed header that is missing
--- signed
GET /bucket/key omit=x-amz-meta-a
    x-amz-meta-a: 1
--- refused: 403 SignatureDoesNotMatch

=== TEST 31: host is not signed
--- signed: GET /bucket/key signed=x-amz-content-sha256;x-amz-date
--- refused: 403 AccessDenied not signed

=== TEST 32: an x-amz-acl that is not signed
--- signed
PUT /bucket/key
    unsigned x-amz-acl: public-read
--- refused: 403 AccessDenied There were headers present in the request which were not signed

=== TEST 33: an x-amz-copy-source that is not signed
--- signed
PUT /bucket/key
    unsigned X-AMZ-Copy-Source: /other/key
--- refused: 403 AccessDenied not signed

=== TEST 34: x-amz-date that is not signed
--- signed: GET /bucket/key signed=host;x-amz-content-sha256
--- refused: 403 AccessDenied not signed

=== TEST 35: x-amz-content-sha256 need not be among the signed headers
--- signed: GET /bucket/key signed=host;x-amz-date
--- passed: A

=== TEST 36: no x-amz-content-sha256
--- signed: GET /bucket/key payload=none
--- refused: 400 InvalidRequest x-amz-content-sha256

=== TEST 37: x-amz-content-sha256 of 63 digits
--- signed: GET /bucket/key payload=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
--- refused: 400 InvalidArgument

=== TEST 38: x-amz-content-sha256 of 64 characters, not all digits
--- signed: GET /bucket/key payload=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaag
--- refused: 400 InvalidArgument

=== TEST 39: x-amz-content-sha256 of an unknown kind
--- signed: GET /bucket/key payload=STREAMING-UNSIGNED-PAYLOAD
--- refused: 400 InvalidArgument

=== TEST 40: x-amz-content-sha256 twice
--- raw_request eval
raw('GET /bucket/key', h4(payload => 'UNSIGNED-PAYLOAD') . "x-amz-content-sha256: UNSIGNED-PAYLOAD\n")
--- refused: 400
--- error_code_like: ^40[03]$

=== TEST 41: ECDSA framing
--- signed: PUT /bucket/key payload=STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD
--- refused: 501 NotImplemented

=== TEST 42: ECDSA framing with trailer
--- signed: PUT /bucket/key payload=STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER
--- refused: 501 NotImplemented

=== TEST 43: no date at all
--- signed: GET /bucket/key omit=x-amz-date
--- refused: 403 AccessDenied

=== TEST 44: unreadable x-amz-date
--- request
GET /bucket/key
--- more_headers eval: h4(date => substr(minutes(0), 0, 8) . 'T256199Z')
--- refused: 403 AccessDenied

=== TEST 45: x-amz-date in the form of HTTP's, in place of ISO 8601
--- request
GET /bucket/key
--- more_headers eval: h4(date => 'yesterday at noon', scope_date => substr(minutes(0), 0, 8))
--- refused: 403 AccessDenied

=== TEST 46: minutes late and early
--- signed
GET /bucket/key skew=-10m
GET /bucket/key skew=14m
--- answers: 2x 200

=== TEST 47: 16 minutes late
--- signed: GET /bucket/key skew=-16m
--- refused: 403 RequestTimeTooSkewed

=== TEST 48: half an hour early
--- signed: GET /bucket/key skew=30m
--- refused: 403 RequestTimeTooSkewed

=== TEST 49: years early
--- signed: GET /bucket/key date=99990101T000000Z
--- refused: 403 RequestTimeTooSkewed

=== TEST 50: a narrower s3_max_skew
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_max_skew 1m; proxy_pass http://origin_a; }
--- signed: GET /bucket/key skew=-2m
--- refused: 403 RequestTimeTooSkewed

=== TEST 51: a wider s3_max_skew
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_max_skew 2h; proxy_pass http://origin_a; }
--- signed: GET /bucket/key skew=-61m
--- passed: A

=== TEST 52: the scope's date is another day than x-amz-date
--- signed: GET /bucket/key scope_date=20200101
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 53: another service
--- signed: GET /bucket/key service=sts
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 54: another terminator
--- signed: GET /bucket/key terminator=aws5_request
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 55: a scope with a field too few
--- signed: GET /bucket/key scope=us-east-1/s3/aws4_request
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 56: no Credential
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/Credential=\S+ /, ''))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 57: no SignedHeaders
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/SignedHeaders=\S+ /, ''))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 58: no Signature
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/, Signature=\S+/, ''))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 59: an empty Signature
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/Signature=\S+/, 'Signature='))
--- refused: 400

=== TEST 60: a Signature that is too short
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/.$/, ''))
--- refused: 403 SignatureDoesNotMatch

=== TEST 61: a Signature that goes on
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/$/, '00'))
--- refused: 403 SignatureDoesNotMatch

=== TEST 62: Signature twice
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/$/, ', Signature=' . '0' x 64))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 63: an unknown field
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/$/, ', Colour=red'))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 64: nothing behind the algorithm
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/ .*/, ''))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 65: another algorithm that begins alike
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/SHA256 /, 'SHA256X '))
--- refused: 400 AuthorizationHeaderMalformed

=== TEST 66: signed headers in upper case
--- signed: GET /bucket/key signed=Host;x-amz-content-sha256;x-amz-date
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 67: a malformed header never falls back to a good presigned query
--- presigned
GET /bucket/key
    unsigned Host: localhost
    unsigned Authorization: AWS4-HMAC-SHA256 nonsense
--- refused: 400

=== TEST 68: header and query signature
--- request eval: 'GET ' . q4()
--- more_headers eval: h4()
--- refused: 400 InvalidArgument Only one auth mechanism allowed

=== TEST 69: two Authorization headers
--- raw_request eval
raw('GET /bucket/key', h4() . "Authorization: AWS4-HMAC-SHA256 nonsense\n")
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 70: not signed
--- request
GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 71: not signed, for the secrets of nobody
--- request
GET /bucket/key
--- more_headers
Authorization: Bearer abc
--- error_code_like: ^40[03]$
--- response_body_like: <Code>(AccessDenied|InvalidArgument)</Code>
--- no_error_log
connect to 127.0.0.1

=== TEST 72: a % without two digits in the query
--- signed: GET /bucket/key?a=%4
--- refused: 400 InvalidURI

=== TEST 73: the same in hexadecimal's next letter
--- signed: GET /bucket/key?%4g
--- refused: 400 InvalidURI

=== TEST 74: HEAD has the status alone
--- signed: HEAD /bucket/key tamper
--- refused: 403
--- response_headers_like
x-amz-request-id: \S+
--- response_body:

=== TEST 75: s3_region, and another region signed: the right one is named
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_region eu-west-1; proxy_pass http://origin_a; }
--- signed: GET /bucket/key region=eu-west-2
--- refused: 400 AuthorizationHeaderMalformed eu-west-1

=== TEST 76: s3_region, and it is signed
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_region eu-west-1; proxy_pass http://origin_a; }
--- signed: GET /bucket/key region=eu-west-1
--- passed: A

=== TEST 77: s3_region: us-east-1 is good for ListBuckets and GetBucketLocation, and for nothing else
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_region eu-west-1; proxy_pass http://origin_a; }
--- signed
GET /
GET /bucket?location
GET /bucket
GET /bucket/key?location
--- origin: 2x 200 OK body=<ListAllMyBucketsResult/>
--- answers
2x 200
2x 400

=== TEST 78: s3_host: the host that clients signed for, where it is rewritten on the way
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_host s3.example.com; proxy_pass http://origin_a; }
--- request
GET /bucket/key
--- more_headers eval: h4(host => 's3.example.com') =~ s/^host: .*/host: 10.0.0.1/mr
--- passed: A

=== TEST 79: s3_host with a variable
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_host $http_x_forwarded_host; proxy_pass http://origin_a; }
--- request eval: ['GET /bucket/key', 'GET /bucket/key']
--- more_headers eval
[map { h4(host => 's3.example.com') =~ s/^host: .*/host: 10.0.0.1\nX-Forwarded-Host: $_/mr } 's3.example.com', 'other.example.com']
--- error_code eval: [200, 403]

=== TEST 80: HTTP/1.0
--- signed: GET /bucket/key HTTP/1.0
--- passed: A

=== TEST 81: an absolute URI in the request line
--- raw_request eval: raw('GET http://localhost/bucket/key', h4())
--- passed: A
--- response_body_like: line GET /bucket/key HTTP

=== TEST 82: a header is named as signed, is missing, and was not signed
--- request
GET /bucket/key
--- more_headers eval: h4(edit(qr/SignedHeaders=host;/, 'SignedHeaders=host;range;'))
--- refused: 403 SignatureDoesNotMatch

=== TEST 83: a session token, none, and one beside a key that has none
--- config
    s3_client AKIDCLIENT secret_key=cLiEnT+sEcReT/0123456789abcdefghijklmnop session_token=To/K+en==;
    s3_client AKIDPLAIN secret_key=s;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
{,presigned }GET /bucket/key token=To/K+en== => 200 verified yes
GET /bucket/key token=To/K+en= => 400 error InvalidToken
GET /bucket/key => 403 error InvalidAccessKeyId
{,presigned }GET /bucket/key key=AKIDPLAIN secret=s token=To/K+en== => 400 error InvalidToken

=== TEST 84: an old secret and a new one
--- config
    s3_client AKIDCLIENT secret_key=new allow=read;
    s3_client AKIDCLIENT secret_key=cLiEnT+sEcReT/0123456789abcdefghijklmnop allow=write;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /bucket/key secret=new
PUT /bucket/key secret=new
PUT /bucket/key
GET /bucket/key
GET /bucket/key secret=other
--- error_code eval: [200, 403, 200, 403, 403]
