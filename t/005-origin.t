# The tools of the other files, without the module: signatures made by S3Sign
# equal AWS's published ones, and the mock origins accept a right request and
# name what is wrong with each other one.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib"; $ENV{TEST_NGINX_LOAD_MODULES} = '' }
use S3Test;
use Test::Nginx::Socket 'no_plan';

my %aws = (
    key => 'AKIAIOSFODNN7EXAMPLE', secret => 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    host => 'examplebucket.s3.amazonaws.com', date => '20130524T000000Z',
);
# "Signature Calculations for the Authorization Header", Amazon S3 API reference
like(S3Sign::v4_headers(%aws, path => '/test.txt', headers => [range => 'bytes=0-9']),
    qr/Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41$/m,
    'GET object');
like(S3Sign::v4_headers(%aws, method => 'PUT', path => '/test$file.text',
        body => 'Welcome to Amazon S3.',
        headers => [date => 'Fri, 24 May 2013 00:00:00 GMT',
            'x-amz-storage-class' => 'REDUCED_REDUNDANCY']),
    qr/Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd$/m,
    'PUT object');
like(S3Sign::v4_headers(%aws, path => '/', query => 'lifecycle'),
    qr/Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543$/m,
    'GET lifecycle');
like(S3Sign::v4_headers(%aws, path => '/', query => 'max-keys=2&prefix=J'),
    qr/Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7$/m,
    'GET list');
# "Authenticating Requests: Using Query Parameters"
like(S3Sign::v4_target(%aws, path => '/test.txt', expires => 86400),
    qr/Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404$/,
    'presigned GET');
# "Signing and Authenticating REST Requests" (version 2)
like(S3Sign::v2_headers(%aws, key => 'AKIAIOSFODNN7EXAMPLE',
        path => '/awsexamplebucket1/photos/puppy.jpg', date => 'Tue, 27 Mar 2007 19:36:42 +0000'),
    qr{^authorization: AWS AKIAIOSFODNN7EXAMPLE:qgk2\+6Sv9/oM7G3qLEjTH1a1l1g=$}m,
    'version 2 GET object');

sub origin { key => 'AKIDORIGINA', secret => 'oRiGiNa+sEcReT/0123456789abcdefghijklmno', @_ }

prepare(origins_only => 1);

# What follows a request on its connection shows up, whole or not.
my $socket = IO::Socket::INET->new($ENV{TEST_NGINX_A});
print $socket "PUT /t0 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhello";
like(do { local $/; <$socket> }, qr/^body 2 /m, 'the request itself');
$socket = IO::Socket::INET->new($ENV{TEST_NGINX_LOG});
print $socket "GET /t0 HTTP/1.0\r\n\r\n";
like(do { local $/; <$socket> }, qr{^A 200 unverified body=2 PUT /t0 HTTP/1\.1\nA GARBAGE .* llo\n}m,
    'the bytes after it');

run_tests();

__DATA__

=== TEST 1: a right request
--- config
    location / { proxy_pass http://$TEST_NGINX_A; proxy_http_version 1.0; proxy_set_header Host $http_host; }
--- request
GET /bucket/key
--- more_headers eval: h4(origin())
--- response_body_like eval
qr{^origin A
verified yes
auth header
key AKIDORIGINA
region us-east-1
signed host;x-amz-content-sha256;x-amz-date
connection \d+ request 1
segments 1
line GET /bucket/key HTTP/1.0
header Host: localhost
.*
body 0 e3b0}s

=== TEST 2: a right presigned request with a body
--- config
    location / { proxy_pass http://$TEST_NGINX_A; proxy_set_header Host $http_host; }
--- request eval: "PUT " . q4(origin(method => 'PUT')) . "\nhello"
--- response_headers
X-Verified: yes
X-Origin: A
--- response_body_like: auth query\n.*body 5 2cf24dba

=== TEST 3: wrong requests are named
--- config
    location / { proxy_pass http://$TEST_NGINX_A; proxy_set_header Host $http_host; }
--- request eval
[("GET /bucket/key") x 9, "PUT /bucket/key\nhallo", "GET " . q4(origin(skew => -301, expires => 300)), "GET /bucket/key"]
--- more_headers eval
[
    h4(origin(tamper => 1)), h4(origin(key => 'AKIDORIGINB')), h4(origin(region => 'x')),
    h4(origin(skew => -120)), h4(origin(unsigned => ['x-amz-acl', 'private'])),
    h4(origin(scope_date => '20200101')), h4(origin(signed => 'x-amz-content-sha256;x-amz-date')),
    h4(origin(service => 'sts')), h4(origin(path => '/bucket/other')),
    h4(origin(method => 'PUT', body => 'hello')), '', '',
]
--- response_body_like eval
[
    map { "verified no: $_" } 'wrong signature', 'key AKIDORIGINB is not mine',
    'region x is not mine', 'date is off', 'x-amz-acl is not signed', 'scope date',
    'host is not signed', 'scope', 'wrong signature', 'the body is not the one signed',
    'expired', 'not signed',
]
--- error_code eval: [(200) x 12]

=== TEST 4: misbehaviour on request, and the log of it
--- config
    location / { proxy_pass http://$TEST_NGINX_A; proxy_http_version 1.0; proxy_set_header Host $http_host; }
    location /_log/ { proxy_pass http://$TEST_NGINX_LOG/; }
--- request eval
["GET /t4/a", "GET /t4/b", "GET /t4/c", "PUT /t4/d\nhello", "GET /t4/e", "GET /_log/t4/"]
--- more_headers eval
["X-Mock: A=503", "X-Mock: A=close", "X-Mock: A=drop", "X-Mock: B=503,A=partial:2",
    "X-Mock: A=delay:0.05", ""]
--- error_code eval: [503, 502, 502, 502, 200, 200]
--- response_body_like eval
["origin A", ("502") x 3, "origin A", qr{^A 503 unverified body=0 GET /t4/a HTTP/1.0
A close unverified body=0 GET /t4/b HTTP/1.0
A drop unverified body=0 GET /t4/c HTTP/1.0
A partial unverified body=[2-5] PUT /t4/d HTTP/1.0
A 200 unverified body=0 GET /t4/e HTTP/1.0
$}]
