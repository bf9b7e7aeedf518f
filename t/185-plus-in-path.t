# A raw + in a path is a space, as S3 has it. Clients send a plus as %2B; a browser's or an old s3cmd's + was a space.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

prepare();
run_tests();

__DATA__

=== TEST 1: a + that was signed as a space asks for the key with the space
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; add_header X-Key $s3_key; }
--- request eval: ['GET /bucket/a+b', 'GET /bucket/+a/+?versionId=x%2By', 'GET /bucket/a%2Bb', 'GET /bucket/a%20b', 'PUT /bucket/a+b']
--- more_headers eval
[h4(path => '/bucket/a%20b'), h4(path => '/bucket/%20a/%20', query => 'versionId=x%2By'), h4(path => '/bucket/a%2Bb'), h4(path => '/bucket/a%20b'),
 h4(method => 'PUT', path => '/bucket/a%20b')]
--- error_code eval: [(200) x 5]
--- response_headers eval: ['X-Key: a%20b', 'X-Key: %20a/%20', 'X-Key: a%2Bb', 'X-Key: a%20b', 'X-Key: a%20b']
--- response_body_like eval
['verified yes.*line GET /bucket/a%20b ', 'verified yes.*line GET /bucket/%20a/%20\?versionId=x%2By ', 'verified yes.*line GET /bucket/a%2Bb ',
 'verified yes.*line GET /bucket/a%20b ', 'verified yes.*line PUT /bucket/a%20b ']

=== TEST 2: a + that was signed as a plus is another key
--- request
GET /bucket/a+b
--- more_headers eval: h4(path => '/bucket/a%2Bb')
--- refused: 403 SignatureDoesNotMatch

=== TEST 3: presigned
--- request eval: 'GET ' . q4(path => '/bucket/a%20b', edit => sub { $_[0] =~ s/%20/+/r })
--- passed: A

=== TEST 4: a + in the query alone is what it was
--- request eval: 'GET /bucket?prefix=a+b'
--- more_headers eval: h4(path => '/bucket', query => 'prefix=a%20b')
--- passed: A

=== TEST 5: V2 signs the path as it is sent
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_signature_v2 on; proxy_pass http://origin_a; }
--- request
GET /bucket/a+b
--- more_headers eval: h2(path => '/bucket/a+b')
--- error_code: 200
--- response_body_like: verified yes.*line GET /bucket/a%20b\s

=== TEST 6: unsigned
--- config
    location / { s3_resign on; s3_anonymous on; proxy_pass http://origin_a; add_header X-Key $s3_key; }
--- request: GET /bucket/a+b
--- error_code: 200
--- response_headers: X-Key: a%20b
--- response_body_like: line GET /bucket/a%20b\s

=== TEST 7: a grant is for the key that is meant
--- config
    s3_client AKIDMINE secret_key=s "buckets=bucket/a b*";
    s3_client AKIDPLUS secret_key=s buckets=bucket/a+b*;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: ['GET /bucket/a+b', 'GET /bucket/a+b']
--- more_headers eval: [map { h4(path => '/bucket/a%20b', key => $_, secret => 's') } qw(AKIDMINE AKIDPLUS)]
--- error_code eval: [200, 403]

=== TEST 8: what nginx has decoded no longer tells a plus from a space
--- config
    $TEST_NGINX_CLIENT
    location /bucket/r { s3_resign on; rewrite ^/bucket/(.*)$ /other/$1 break; proxy_pass http://origin_a; }
    location /bucket/e { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 404 = @again; }
    location @again { s3_resign on; rewrite ^/bucket/(.*)$ /other/$1 break; proxy_pass http://origin_a; }
--- request eval: ['GET /bucket/r+', 'GET /bucket/e+', 'GET /bucket/r%2B']
--- more_headers eval
[h4(path => '/bucket/r%20'), h4(path => '/bucket/e%20') . "X-Mock: A=404\n", h4(path => '/bucket/r%2B')]
--- error_code eval: [400, 400, 200]
--- response_body_like eval: [s3_error('InvalidURI'), s3_error('InvalidURI'), 'line GET /other/r%2B ']
