# The $s3_* variables in log formats, keys, maps and limits.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_LOGGED} = <<'END';
    log_format s3 'key=[$s3_access_key] auth=[$s3_auth] bucket=[$s3_bucket] object=[$s3_key] op=[$s3_operation] error=[$s3_error] origin=[$s3_origin] host=[$s3_origin_host] status=[$status]';
END
$ENV{TEST_NGINX_ON} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    access_log logs/access.log s3;
    location / { s3_resign on; proxy_pass http://origin_ab; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: a request signed in the header
--- http_config
$TEST_NGINX_LOGGED
--- config
$TEST_NGINX_ON
--- signed: GET /bucket/a%20b/c?versionId=1
--- passed: A
--- access_log eval
["key=[AKIDCLIENT] auth=[v4-header] bucket=[bucket] object=[a%20b/c] op=[GetObject] error=[-] origin=[$ENV{TEST_NGINX_A}] host=[127.0.0.1] status=[200]"]

=== TEST 2: presigned
--- http_config
$TEST_NGINX_LOGGED
--- config
$TEST_NGINX_ON
--- presigned: PUT /bucket/key sent=hello
--- passed: A
--- access_log eval
["key=[AKIDCLIENT] auth=[v4-query] bucket=[bucket] object=[key] op=[PutObject] error=[-] origin=[$ENV{TEST_NGINX_A}]"]

=== TEST 3: V2 in the query, and in the header
--- http_config
$TEST_NGINX_LOGGED
--- config
    s3_signature_v2 on;
$TEST_NGINX_ON
--- presigned_v2
GET /bucket/key
signed_v2 GET /bucket/key
--- answers: 2x 200
--- access_log
key=[AKIDCLIENT] auth=[v2-query] bucket=[bucket]

=== TEST 4: anonymous
--- http_config
$TEST_NGINX_LOGGED
--- config
    s3_anonymous on;
$TEST_NGINX_ON
--- request
GET /bucket
--- access_log eval
["key=[-] auth=[anonymous] bucket=[bucket] object=[-] op=[ListObjects] error=[-] origin=[$ENV{TEST_NGINX_A}]"]

=== TEST 5: refused
--- http_config
$TEST_NGINX_LOGGED
--- config
$TEST_NGINX_ON
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch
--- access_log
error=[SignatureDoesNotMatch] origin=[-] host=[-] status=[403]

=== TEST 6: an access key that nobody has proven is not told
--- http_config
$TEST_NGINX_LOGGED
--- config
$TEST_NGINX_ON
--- signed: GET /bucket/key key=AKIDNOBODY
--- refused: 403 InvalidAccessKeyId
--- no_access_log
key=[AKIDCLIENT]

=== TEST 7: failover: the origin picked last
--- http_config
$TEST_NGINX_LOGGED
--- config
$TEST_NGINX_ON
--- signed: GET /bucket/key mock=A=close
--- passed: B
--- access_log eval
["origin=[$ENV{TEST_NGINX_B}] host=[127.0.0.1] status=[200]"]

=== TEST 8: operations
--- http_config
    log_format op 'op=[$s3_operation]';
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log op;
    location / { s3_resign on; proxy_pass http://origin_a; add_header X-Operation $s3_operation; }
--- signed
GET /
GET /bucket?list-type=2
HEAD /bucket/key
DELETE /bucket/key
PUT /bucket/key?partNumber=1&uploadId=x
GET /bucket?location
PUT /bucket/key
    x-amz-copy-source: /bucket/x
PUT /bucket
--- answers: 8x 200
--- response_headers eval
[map {"X-Operation: $_"} qw(ListBuckets ListObjectsV2 HeadObject DeleteObject UploadPart GetBucketLocation CopyObject CreateBucket)]

=== TEST 9: limit_req by access key; one client does not use up another's share
--- http_config
    limit_req_zone $s3_access_key zone=k:1m rate=1r/m;
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READER
    location / { s3_resign on; limit_req zone=k; proxy_pass http://origin_a; }
--- signed
2x GET /bucket/key
2x GET /bucket/key as=reader
--- answers
200
503
200
503

=== TEST 10: limit_req by access key, presigned
--- http_config
    limit_req_zone $s3_access_key$s3_auth zone=k:1m rate=1r/m;
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; limit_req zone=k; proxy_pass http://origin_a; }
--- request eval: [map { 'GET ' . q4(path => $_) } qw(/bucket/a /bucket/b)]
--- more_headers eval: [map { qh(path => $_) } qw(/bucket/a /bucket/b)]
--- error_code eval: [200, 503]

=== TEST 11: map, set and return
--- http_config
    map $s3_bucket $where { media "m"; default "other"; }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; add_header X-Where $where; }
    location /off { return 200 "[$s3_access_key][$s3_auth][$s3_bucket][$s3_key][$s3_origin]"; }
--- signed
GET /media/key
unsigned GET /off/key
--- answers
200 verified yes
200 ^\[\]\[\]\[off\]\[key\]\[\]$
--- response_headers eval: ['X-Where: m', '']

=== TEST 12: the time that signing took
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; add_header X-Time $s3_sign_time; }
--- signed: GET /bucket/key
--- passed: A
--- response_headers_like
X-Time: \d+\.\d{6}

=== TEST 13: proxy_set_header with them
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_set_header X-Client "$s3_access_key/$s3_auth"; proxy_set_header x-amz-meta-by $s3_access_key; }
--- signed: PUT /bucket/key
--- passed: A
--- response_body_like: header X-Client: AKIDCLIENT/v4-header\n.*header x-amz-meta-by: AKIDCLIENT\n
