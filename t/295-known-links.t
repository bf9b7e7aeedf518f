# Presigned URLs that are asked for again: a worker knows their signatures.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

prepare();
run_tests();

__DATA__

=== TEST 1: each time it goes out signed, with whatever is not
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
    location = /s3_status { s3_status; }
--- signed
6x presigned GET /bucket/k%20%C3%A9y?versionId=1
3x presigned GET /bucket/k%20%C3%A9y?versionId=1
    unsigned Range: bytes=0-1
presigned GET /bucket/k%20%C3%A9y?versionId=1
    unsigned Range: bytes=2-3
presigned GET /bucket/k%20%C3%A9y?versionId=1
6x presigned HEAD /bucket/k%20%C3%A9y?versionId=1
unsigned GET /s3_status?format=prometheus
--- answers
6x 200 ^origin A\n(?s).*verified yes
3x 200 (?s)verified yes.*header Range: bytes=0-1\n
200 (?s)verified yes.*header Range: bytes=2-3\n
200 (?s)verified yes(?!.*header Range)
6x 200
200 links_total\{signature="known"\} [1-9]

=== TEST 2: known or not, nobody else's request is accepted
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READER
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
6x presigned GET /bucket/key                         => 200 verified yes
presigned GET /bucket/key edit=s|/key|/kex|          => 403 error SignatureDoesNotMatch
presigned GET /bucket/key method=DELETE              => 403 error SignatureDoesNotMatch
presigned GET /bucket/key edit=s|Expires=|Expires=1| => 403 error SignatureDoesNotMatch
presigned GET /bucket/key tamper                     => 403 error SignatureDoesNotMatch
presigned GET /bucket/key key=AKIDNOBODY             => 403 error InvalidAccessKeyId
presigned GET /bucket/key skew=-2h                   => 403 error AccessDenied
presigned GET /bucket/key                            => 200 verified yes

=== TEST 3: at whichever origin it is tried, with the keys of that
--- http_config
    upstream both {
        server $TEST_NGINX_A max_fails=0;
        server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://both; }
--- signed
6x presigned GET /bucket/key
6x presigned GET /bucket/key mock=A=close
2x presigned GET /bucket/key
--- answers
6x 200 ^origin A\n(?s).*verified yes
6x 200 ^origin B\n(?s).*verified yes
2x 200 ^origin A\n(?s).*verified yes

=== TEST 4: in a head that nginx writes otherwise each time
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        proxy_set_header X-Request-Id $request_id;
        proxy_pass http://origin_a;
    }
--- signed
30x presigned GET /bucket/key => 200 ^origin A\n(?s).*verified yes

=== TEST 5: with a header that nobody has signed, known or not
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
6x presigned GET /bucket/key => 200 verified yes
presigned GET /bucket/key    => 403 error AccessDenied
    unsigned x-amz-request-payer: requester
presigned GET /bucket/key    => 200 verified yes
