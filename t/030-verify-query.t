# Verification of presigned SigV4 requests, rule by rule as in 020.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# An edit of the target.
sub edit {
    my ($from, $to) = @_;
    return (edit => sub { $_[0] =~ s/$from/$to/r });
}

prepare();
run_tests();

__DATA__

=== TEST 1: presigned GET stays presigned
--- request eval: 'GET ' . q4()
--- passed: A
--- response_body_like: ^origin A\nverified yes\nauth query\nkey AKIDORIGINA\nregion us-east-1\nsigned host\n

=== TEST 2: with the client's date and expiry
--- request eval: 'GET ' . q4(skew => -100, expires => 777)
--- passed: A
--- response_body_like eval: 'X-Amz-Date=' . S3Sign::timestamp(time - 100) =~ s/..Z$//r . '.*X-Amz-Expires=777&'

=== TEST 3: none of the client's signature reaches the origin
--- request eval: 'GET ' . q4(query => 'versionId=7&response-content-type=text%2Fplain&partNumber=2')
--- passed: A
--- response_body_like eval
qr{^(?!.*AKIDCLIENT)(?!.*header authorization).*
line GET /bucket/key\?(?=.*partNumber=2&)(?=.*response-content-type=text%2Fplain&)(?=.*versionId=7).*}si

=== TEST 4: presigned PUT with a body
--- request eval: 'PUT ' . q4(method => 'PUT') . "\nhello"
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 5: presigned HEAD
--- request eval: 'HEAD ' . q4(method => 'HEAD')
--- passed: A

=== TEST 6: presigned with signed headers
--- request eval: 'PUT ' . q4(method => 'PUT', headers => ['x-amz-acl', 'private', 'content-type', 'a/b']) . "\nhello"
--- more_headers eval: qh(headers => ['x-amz-acl', 'private', 'content-type', 'a/b'])
--- passed: A
--- response_body_like: signed content-type;host;x-amz-acl\n

=== TEST 7: the parameters in any order
--- request eval: 'GET ' . q4(edit => sub { my ($path, @query) = split /[?&]/, $_[0]; "$path?" . join '&', reverse @query })
--- passed: A

=== TEST 8: an access key with a slash in it
--- config
    $TEST_NGINX_READER
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: 'GET ' . q4(reader())
--- passed: A

=== TEST 9: an empty region
--- request eval: 'GET ' . q4(region => '')
--- passed: A

=== TEST 10: the longest expiry
--- request eval: 'GET ' . q4(expires => 604800)
--- passed: A

=== TEST 11: days old and still valid
--- request eval: 'GET ' . q4(skew => -600000, expires => 604800)
--- passed: A

=== TEST 12: a foreign Authorization header beside a good query is not forwarded
--- request eval: 'GET ' . q4()
--- more_headers
Authorization: Bearer abc
--- passed: A
--- response_body_like: ^(?!.*Bearer)

=== TEST 13: X-Amz-Content-Sha256 as a signed header
--- request eval: 'GET ' . q4(headers => ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'])
--- more_headers eval: qh(headers => ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'])
--- passed: A

=== TEST 14: 14 minutes early
--- request eval: 'GET ' . q4(skew => 14 * 60, expires => 600)
--- error_code: 200

=== TEST 15: wrong signature
--- request eval: 'GET ' . q4(tamper => 1)
--- refused: 403 SignatureDoesNotMatch

=== TEST 16: unknown access key
--- request eval: 'GET ' . q4(key => 'AKIDNOBODY')
--- refused: 403 InvalidAccessKeyId

=== TEST 17: another method
--- request eval: 'PUT ' . q4() . "\nhello"
--- refused: 403 SignatureDoesNotMatch

=== TEST 18: HEAD with a link for GET
--- request eval: 'HEAD ' . q4()
--- refused: 403

=== TEST 19: another path
--- request eval: 'GET ' . q4(edit('/key', '/kex'))
--- refused: 403 SignatureDoesNotMatch

=== TEST 20: a parameter more
--- request eval: 'GET ' . q4(edit('$', '&versionId=1'))
--- refused: 403 SignatureDoesNotMatch

=== TEST 21: a parameter less
--- request eval: 'GET ' . q4(query => 'versionId=1', edit('versionId=1&', ''))
--- refused: 403 SignatureDoesNotMatch

=== TEST 22: another host
--- request eval: 'GET ' . q4(host => 'elsewhere')
--- refused: 403 SignatureDoesNotMatch

=== TEST 23: an x-amz-copy-source that is not signed turns no PUT into a copy
--- request eval: 'PUT ' . q4(method => 'PUT')
--- more_headers
X-Amz-Copy-Source: /secret/object
--- refused: 403 AccessDenied There were headers present in the request which were not signed

=== TEST 24: a signed header is missing
--- request eval: 'PUT ' . q4(method => 'PUT', headers => ['x-amz-acl', 'private'])
--- refused: 403 SignatureDoesNotMatch

=== TEST 25: a signed header has another value
--- request eval: 'PUT ' . q4(method => 'PUT', headers => ['x-amz-acl', 'private'])
--- more_headers
x-amz-acl: public-read
--- refused: 403 SignatureDoesNotMatch

=== TEST 26: host is not signed
--- request eval: 'GET ' . q4(headers => ['range', 'bytes=0-1'], signed => 'range')
--- more_headers
Range: bytes=0-1
--- refused: 403 AccessDenied

=== TEST 27: expired
--- request eval: 'GET ' . q4(skew => -301, expires => 300)
--- refused: 403 AccessDenied Request has expired

=== TEST 28: more than 15 minutes early
--- request eval: 'GET ' . q4(skew => 30 * 60)
--- refused: 403 AccessDenied Request is not valid yet

=== TEST 29: expiry 0
--- request eval: 'GET ' . q4(expires => 0)
--- refused: 400 AuthorizationQueryParametersError

=== TEST 30: expiry of more than a week
--- request eval: 'GET ' . q4(expires => 604801)
--- refused: 400 AuthorizationQueryParametersError

=== TEST 31: expiry below 0
--- request eval: 'GET ' . q4(expires => -1)
--- refused: 400 AuthorizationQueryParametersError

=== TEST 32: expiry that is no number
--- request eval: 'GET ' . q4(expires => '300s')
--- refused: 400 AuthorizationQueryParametersError

=== TEST 33: expiry beyond any integer
--- request eval: 'GET ' . q4(expires => '9' x 40)
--- refused: 400 AuthorizationQueryParametersError

=== TEST 34: no expiry
--- request eval: 'GET ' . q4(expires => undef)
--- refused: 400 AuthorizationQueryParametersError

=== TEST 35: no date
--- request eval: 'GET ' . q4(edit(qr/&X-Amz-Date=\w+/, ''))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 36: a date that is none
--- request eval: 'GET ' . q4(date => '20261301T000000Z')
--- refused: 400 AuthorizationQueryParametersError

=== TEST 37: no credential
--- request eval: 'GET ' . q4(edit(qr/&X-Amz-Credential=[^&]+/, ''))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 38: no signature
--- request eval: 'GET ' . q4(edit(qr/&X-Amz-Signature=[^&]+/, ''))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 39: no signed headers
--- request eval: 'GET ' . q4(edit(qr/&X-Amz-SignedHeaders=[^&]+/, ''))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 40: no algorithm
--- request eval: 'GET ' . q4(edit(qr/X-Amz-Algorithm=[^&]+&/, ''))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 41: another algorithm
--- request eval: 'GET ' . q4(edit('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 42: the scope's date is another day
--- request eval: 'GET ' . q4(scope_date => '20200101')
--- refused: 400 AuthorizationQueryParametersError

=== TEST 43: another service
--- request eval: 'GET ' . q4(service => 'ec2')
--- refused: 400 AuthorizationQueryParametersError

=== TEST 44: another terminator
--- request eval: 'GET ' . q4(terminator => 'aws4')
--- refused: 400 AuthorizationQueryParametersError

=== TEST 45: a signature parameter twice
--- request eval: 'GET ' . q4(edit('$', '&X-Amz-Expires=604800'))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 46: the signature twice
--- request eval: 'GET ' . q4(edit('$', '&X-Amz-Signature=' . '0' x 64))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 47: a parameter's name in percent-encoding is the same parameter
--- request eval: 'GET ' . q4(edit('$', '&X-Amz-%45xpires=604800'))
--- refused: 400 AuthorizationQueryParametersError

=== TEST 48: the security token of the client goes no further
--- request eval: 'GET ' . q4(token => 'client/token')
--- error_code_like: ^(200|40[03])$
--- response_body_like: ^(?!.*client.*token)

=== TEST 49: s3_region, and another region signed
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_region eu-west-1; proxy_pass http://origin_a; }
--- request eval: 'GET ' . q4(region => 'eu-west-2')
--- error_code: 400
--- response_body_like: eu-west-1

=== TEST 50: a % without two digits
--- request eval: 'GET ' . q4(query => 'a=%zz')
--- refused: 400 InvalidURI

=== TEST 51: V2 and V4 parameters together
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_signature_v2 on; proxy_pass http://origin_a; }
--- request eval: 'GET ' . q4() . '&AWSAccessKeyId=AKIDCLIENT&Expires=2000000000&Signature=abc%3D'
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 52: a link that expired is not revived by the new signature
--- http_config
    upstream slow_a { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A; }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://slow_a; }
--- request eval: 'GET ' . q4(date => S3Sign::timestamp(time - 86400), expires => 86400 + 120)
--- passed: A
--- response_body_like eval: 'X-Amz-Date=' . S3Sign::timestamp(time - 86400) =~ s/..Z$//r
