# Verification of presigned SigV4 requests, rule by rule as in 020.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# Dates that both a request and its answer name: fixed here, since a minute may pass until they are used.
our $recently  = S3Sign::timestamp(time - 100);
our $yesterday = S3Sign::timestamp(time - 86400);
our $reversed  = sub { my ($path, @query) = split /[?&]/, $_[0]; "$path?" . join '&', reverse @query };

prepare();
run_tests();

__DATA__

=== TEST 1: presigned GET stays presigned
--- presigned: GET /bucket/key
--- passed: A
--- response_body_like: ^origin A\nverified yes\nauth query\nkey AKIDORIGINA\nregion us-east-1\nsigned host\n

=== TEST 2: with the client's date and expiry
--- presigned: GET /bucket/key date=$recently expires=777
--- passed: A
--- answers: 200 X-Amz-Date=$recently&.*X-Amz-Expires=777&

=== TEST 3: none of the client's signature reaches the origin
--- presigned: GET /bucket/key?versionId=7&response-content-type=text%2Fplain&partNumber=2
--- passed: A
--- response_body_like eval
qr{^(?!.*AKIDCLIENT)(?!.*header authorization).*
line GET /bucket/key\?(?=.*partNumber=2&)(?=.*response-content-type=text%2Fplain&)(?=.*versionId=7).*}si

=== TEST 4: presigned PUT with a body
--- presigned: PUT /bucket/key sent=hello
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 5: presigned HEAD
--- presigned: HEAD /bucket/key
--- passed: A

=== TEST 6: presigned with signed headers
--- presigned
PUT /bucket/key sent=hello
    x-amz-acl: private
    content-type: a/b
--- passed: A
--- response_body_like: signed content-type;host;x-amz-acl\n

=== TEST 7: the parameters in any order
--- presigned: GET /bucket/key edit=$reversed
--- passed: A

=== TEST 8: an access key with a slash in it
--- config
    $TEST_NGINX_READER
    location / { s3_resign on; proxy_pass http://origin_a; }
--- presigned: GET /bucket/key as=reader
--- passed: A

=== TEST 9: an empty region
--- presigned: GET /bucket/key region=""
--- passed: A

=== TEST 10: the longest expiry
--- presigned: GET /bucket/key expires=604800
--- passed: A

=== TEST 11: days old and still valid
--- presigned: GET /bucket/key skew=-10000m expires=604800
--- passed: A

=== TEST 12: a foreign Authorization header beside a good query is not forwarded
--- presigned
GET /bucket/key
    unsigned Authorization: Bearer abc
--- passed: A
--- response_body_like: ^(?!.*Bearer)

=== TEST 13: X-Amz-Content-Sha256 as a signed header
--- presigned
GET /bucket/key
    x-amz-content-sha256: UNSIGNED-PAYLOAD
--- passed: A

=== TEST 14: 14 minutes early
--- presigned: GET /bucket/key skew=14m expires=600
--- error_code: 200

=== TEST 15: wrong signature
--- presigned: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 16: unknown access key
--- presigned: GET /bucket/key key=AKIDNOBODY
--- refused: 403 InvalidAccessKeyId

=== TEST 17: another method
--- presigned: PUT /bucket/key sent=hello method=GET
--- refused: 403 SignatureDoesNotMatch

=== TEST 18: HEAD with a link for GET
--- presigned: HEAD /bucket/key method=GET
--- refused: 403

=== TEST 19: another path
--- presigned: GET /bucket/key edit=s|/key|/kex|
--- refused: 403 SignatureDoesNotMatch

=== TEST 20: a parameter more
--- presigned: GET /bucket/key edit=s|$|&versionId=1|
--- refused: 403 SignatureDoesNotMatch

=== TEST 21: a parameter less
--- presigned: GET /bucket/key?versionId=1 edit=s|versionId=1&||
--- refused: 403 SignatureDoesNotMatch

=== TEST 22: another host
--- presigned: GET /bucket/key host=elsewhere omit=host
--- refused: 403 SignatureDoesNotMatch

=== TEST 23: an x-amz-copy-source that is not signed turns no PUT into a copy
--- presigned
PUT /bucket/key
    unsigned X-Amz-Copy-Source: /secret/object
--- refused: 403 AccessDenied There were headers present in the request which were not signed

=== TEST 24: a signed header is missing
--- presigned
PUT /bucket/key omit=x-amz-acl
    x-amz-acl: private
--- refused: 403 SignatureDoesNotMatch

=== TEST 25: a signed header has another value
--- presigned
PUT /bucket/key omit=x-amz-acl
    x-amz-acl: private
    unsigned x-amz-acl: public-read
--- refused: 403 SignatureDoesNotMatch

=== TEST 26: host is not signed
--- presigned
GET /bucket/key signed=range
    range: bytes=0-1
--- refused: 403 AccessDenied

=== TEST 27: expired
--- presigned: GET /bucket/key skew=-301 expires=300
--- refused: 403 AccessDenied Request has expired

=== TEST 27a: older than the location allows
--- config
    $TEST_NGINX_CLIENT
    s3_max_age 2m;
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /off/ { s3_resign on; s3_max_age off; proxy_pass http://origin_a; }
--- presigned
GET /bucket/key skew=-110 expires=3600                     => 200 verified
GET /bucket/key skew=-130 expires=3600                     => 403 error AccessDenied Request has expired
GET /off/key skew=-130 expires=3600                        => 200 verified
signed GET /bucket/key skew=-130                           => 200 verified

=== TEST 28: more than 15 minutes early
--- presigned: GET /bucket/key skew=30m
--- refused: 403 AccessDenied Request is not valid yet

=== TEST 29: expiry 0
--- presigned: GET /bucket/key expires=0
--- refused: 400 AuthorizationQueryParametersError

=== TEST 30: expiry of more than a week
--- presigned: GET /bucket/key expires=604801
--- refused: 400 AuthorizationQueryParametersError

=== TEST 31: expiry below 0
--- presigned: GET /bucket/key expires=-1
--- refused: 400 AuthorizationQueryParametersError

=== TEST 32: expiry that is no number
--- presigned: GET /bucket/key expires=300s
--- refused: 400 AuthorizationQueryParametersError

=== TEST 33: expiry beyond any integer
--- presigned: GET /bucket/key expires=9999999999999999999999999999999999999999
--- refused: 400 AuthorizationQueryParametersError

=== TEST 34: no expiry
--- presigned: GET /bucket/key expires=none
--- refused: 400 AuthorizationQueryParametersError

=== TEST 35: no date
--- presigned: GET /bucket/key edit=s|&X-Amz-Date=\w+||
--- refused: 400 AuthorizationQueryParametersError

=== TEST 36: a date that is none
--- presigned: GET /bucket/key date=20261301T000000Z
--- refused: 400 AuthorizationQueryParametersError

=== TEST 37: no credential
--- presigned: GET /bucket/key edit=s|&X-Amz-Credential=[^&]+||
--- refused: 400 AuthorizationQueryParametersError

=== TEST 38: no signature
--- presigned: GET /bucket/key edit=s|&X-Amz-Signature=[^&]+||
--- refused: 400 AuthorizationQueryParametersError

=== TEST 39: no signed headers
--- presigned: GET /bucket/key edit=s|&X-Amz-SignedHeaders=[^&]+||
--- refused: 400 AuthorizationQueryParametersError

=== TEST 40: no algorithm
--- presigned: GET /bucket/key edit=s|X-Amz-Algorithm=[^&]+&||
--- refused: 400 AuthorizationQueryParametersError

=== TEST 41: another algorithm
--- presigned: GET /bucket/key edit=s|AWS4-HMAC-SHA256|AWS4-HMAC-SHA1|
--- refused: 400 AuthorizationQueryParametersError

=== TEST 42: the scope's date is another day
--- presigned: GET /bucket/key scope_date=20200101
--- refused: 400 AuthorizationQueryParametersError

=== TEST 43: another service
--- presigned: GET /bucket/key service=ec2
--- refused: 400 AuthorizationQueryParametersError

=== TEST 44: another terminator
--- presigned: GET /bucket/key terminator=aws4
--- refused: 400 AuthorizationQueryParametersError

=== TEST 45: a signature parameter twice
--- presigned: GET /bucket/key edit=s|$|&X-Amz-Expires=604800|
--- refused: 400 AuthorizationQueryParametersError

=== TEST 46: the signature twice
--- presigned: GET /bucket/key edit=s|$|&X-Amz-Signature=0000000000000000000000000000000000000000000000000000000000000000|
--- refused: 400 AuthorizationQueryParametersError

=== TEST 47: a parameter's name in percent-encoding is the same parameter
--- presigned: GET /bucket/key edit=s|$|&X-Amz-%45xpires=604800|
--- refused: 400 AuthorizationQueryParametersError

=== TEST 48: the security token of the client goes no further
--- presigned: GET /bucket/key token=client/token
--- error_code_like: ^(200|40[03])$
--- response_body_like: ^(?!.*client.*token)

=== TEST 49: s3_region, and another region signed
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_region eu-west-1; proxy_pass http://origin_a; }
--- presigned: GET /bucket/key region=eu-west-2
--- error_code: 400
--- response_body_like: eu-west-1

=== TEST 50: a % without two digits
--- presigned: GET /bucket/key?a=%zz
--- refused: 400 InvalidURI

=== TEST 51: V2 and V4 parameters together
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_signature_v2 on; proxy_pass http://origin_a; }
--- presigned: GET /bucket/key edit=s|$|&AWSAccessKeyId=AKIDCLIENT&Expires=2000000000&Signature=abc%3D|
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 52: a link that expired is not revived by the new signature
--- http_config
    upstream slow_a { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A; }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://slow_a; }
--- presigned: GET /bucket/key date=$yesterday expires=87000
--- passed: A
--- answers: 200 X-Amz-Date=$yesterday&

=== TEST 53: an access key has any spelling in a URL: programs decode and encode URLs again
--- config
    $TEST_NGINX_READER
    s3_client user@example.com secret_key=s;
    s3_client "(k):1" secret_key=s;
    location / { s3_resign on; proxy_pass http://origin_a; add_header X-Key $s3_access_key; }
--- request eval
my $spelled = sub { my ($from, $to, %o) = @_; 'GET ' . q4(%o, edit => sub { $_[0] =~ s/\Q$from/$to/r }) };
my @mail = (key => 'user@example.com', secret => 's'); my @odd = (key => '(k):1', secret => 's');
[$spelled->('', '', @mail), $spelled->('%40', '@', @mail), $spelled->('user', '%75ser', @mail), $spelled->('', '', @odd), $spelled->('%28k%29%3A', '(k):', @odd),
 $spelled->('%28k%29%3A', '%28k)%3a', @odd), $spelled->('AKID%2FREADER', 'AKID/READER', reader()), $spelled->('AKID%2F', 'AKID%2f', reader())]
--- error_code eval: [(200) x 8]
--- response_headers eval: [('X-Key: user@example.com') x 3, ('X-Key: (k):1') x 3, ('X-Key: AKID/READER') x 2]

=== TEST 54: and in one of V2
--- config
    s3_client user@example.com secret_key=s;
    location / { s3_resign on; s3_signature_v2 on; proxy_pass http://origin_a; add_header X-Key $s3_access_key; }
--- request eval
[map { my ($from, $to) = @$_; 'GET ' . q2(key => 'user@example.com', secret => 's', edit => sub { $_[0] =~ s/\Q$from/$to/r }) }
    ['', ''], ['%40', '@'], ['user', '%75ser'], ['%40', '%4z']]
--- error_code eval: [(200) x 3, 400]
--- response_headers eval: [('X-Key: user@example.com') x 3, '!X-Key']

=== TEST 55: all spellings of a key, right or wrong, are one key before it is verified
--- http_config
    limit_req_zone $s3_access_key zone=k:1m rate=1r/m;
--- config
    s3_client user@example.com secret_key=s;
    location / { s3_resign on; limit_req zone=k; proxy_pass http://origin_a; }
--- request eval
[map { my ($from, $to) = @$_; 'GET ' . q4(key => 'user@example.com', secret => 'wrong', edit => sub { $_[0] =~ s/\Q$from/$to/r }) }
    ['', ''], ['%40', '@'], ['user', '%75ser']]
--- error_code eval: [403, 503, 503]

=== TEST 56: what no key has stays as it is spelled
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; add_header X-Key $s3_access_key always; }
--- request eval: 'GET ' . q4(edit => sub { $_[0] =~ s/Credential=/Credential=a%0d%0ax:b/r })
--- error_code: 403
--- response_headers_like: X-Key: a%0d%0ax:b.*
