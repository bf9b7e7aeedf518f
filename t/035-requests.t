# What a request asks of S3: read from what goes to the origin, in whatever
# spelling it came. What is no request of S3 goes nowhere.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_ASKED} = 'log_format asked "[$s3_operation] [$s3_bucket] [$s3_key]"; access_log logs/access.log asked;';

prepare();
run_tests();

__DATA__

=== TEST 1: classes, operations, buckets and prefixes, in whatever spelling
--- config
    s3_client ALL    secret_key=$TEST_NGINX_CLIENT_SECRET;
    s3_client READ   secret_key=$TEST_NGINX_CLIENT_SECRET allow=read;
    s3_client WRITE  secret_key=$TEST_NGINX_CLIENT_SECRET allow=write;
    s3_client LIST   secret_key=$TEST_NGINX_CLIENT_SECRET allow=list;
    s3_client DELETE secret_key=$TEST_NGINX_CLIENT_SECRET allow=delete;
    s3_client NAMED  secret_key=$TEST_NGINX_CLIENT_SECRET allow=GetObject,ListObject*;
    s3_client BUCKET secret_key=$TEST_NGINX_CLIENT_SECRET allow=write buckets=b;
    s3_client PREFIX secret_key=$TEST_NGINX_CLIENT_SECRET buckets=b/in/*;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
POST /b/k?%73elect&select-type=2               key=WRITE   => 403
POST /b/k?%73elect&select-type=2               key=READ    => 200
POST /b/k?select&select-type=1&%75ploadId=ID   key=READ    => 403
POST /b/k?select&select-type=2&tagging         key=WRITE   => 403
POST /b/k?select&select-type=2&tagging         key=READ    => 403
GET /b/k                                       key=NAMED   => 200
GET /b?list-type=2                             key=NAMED   => 200
GET /b/k?acl                                   key=NAMED   => 403
GET /b?prefix=x                                key=LIST    => 200
GET /b/k                                       key=LIST    => 403
DELETE /b/k                                    key=DELETE  => 200
PUT /b/k                                       key=DELETE  => 403
PUT /b?policy                                  key=BUCKET  => 403
PUT /b?%70olicy                                key=BUCKET  => 403
PUT /b?notification                            key=BUCKET  => 403
PUT /b/k?acl                                   key=BUCKET  => 403
PUT /b/k?tagging                               key=BUCKET  => 200
GET /b/in/k                                    key=PREFIX  => 200
GET /b/%69n/k                                  key=PREFIX  => 200
GET /b/out/k                                   key=PREFIX  => 403
GET /b/in/../out/k                             key=PREFIX  => 403
GET /b?prefix=in/&list-type=2                  key=PREFIX  => 200
GET /b?prefix=in/&%70refix=out/                key=PREFIX  => 403
GET /b?list-type=2                             key=PREFIX  => 403
POST /b?delete                                 key=PREFIX  => 403
GET /b?session                                 key=ALL     => 403
GET /b/k?unheard-of                            key=READ    => 403
GET /b/k?unheard-of                            key=ALL     => 200

=== TEST 2: methods that S3 lacks, and all but reading of the service
--- signed
{PATCH,PROPFIND,LOCK,MKCOL,LINK} /bucket/key
PATCH /create-user
{PUT,POST,DELETE,PATCH} /
--- answers: 10x 405 error MethodNotAllowed
--- no_error_log
connect to 127.0.0.1

=== TEST 3: account management by a form at the service
--- signed: POST / body=Action=ListUsers&Version=2010-05-08
--- refused: 405 MethodNotAllowed

=== TEST 4: nor unsigned, where that is let through
--- config
    s3_anonymous on;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- unsigned
PATCH /bucket/key        => 405
POST /                   => 405
GET /minio/health/live   => 403
GET /admin/user          => 403
GET //minio              => 400
GET /b/../c              => 400
--- no_error_log
connect to 127.0.0.1

=== TEST 5: reserved names are never passed on
--- signed
GET /minio/admin/v3/info
GET /minio
GET /%6Dinio/admin/v3/info
GET /minio%2Fadmin
GET /admin/user?uid=x
GET /admin
GET /rustfs/admin/v3/users
--- answers: 7x 403 error AccessDenied reserved
--- no_error_log
connect to 127.0.0.1

=== TEST 6: nor after a rewrite
--- config
    $TEST_NGINX_CLIENT
    location /api/ { s3_resign on; rewrite ^/api(/.*)$ $1 break; proxy_pass http://origin_a; }
--- signed: GET /api/admin/user?uid=x
--- refused: 403 AccessDenied reserved

=== TEST 7: others in their place, and none
--- config
    $TEST_NGINX_CLIENT
    s3_reserved swift auth;
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /minio/ { s3_resign on; s3_reserved off; proxy_pass http://origin_a; }
--- signed
GET /admin/user            => 200
GET /swift/v1              => 403
GET /%61uth/k              => 403
GET /minio/admin/v3/info   => 200

=== TEST 8: s3_reserved with a slash
--- config
    s3_reserved /minio;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_reserved \/minio".*without slashes/

=== TEST 9: s3_reserved off beside a name
--- config
    s3_reserved minio off;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_reserved off".*"off" alone/

=== TEST 10: paths that leave their bucket, and one without a bucket
--- signed
GET //minio/admin
GET /./minio/admin
GET /b/../minio/admin
GET /b/%2e%2e/c
GET /b/a/../../c
GET /../b
GET /b\c/k
GET /%2Fb/k
--- answers: 8x 400
--- no_error_log
connect to 127.0.0.1

=== TEST 11: copy sources that do
--- signed
PUT /b/k
    x-amz-copy-source: b/../c/k
PUT /b/k
    x-amz-copy-source: /b/%2e%2e/c/k
PUT /b/k
    x-amz-copy-source: b/a/../../k?versionId=1
--- answers: 3x 400 error InvalidArgument Copy Source
--- no_error_log
connect to 127.0.0.1

=== TEST 12: keys of forms that do
--- form: POST /b form_key={../c/k,a/../../k,..\k}
--- answers: 3x 400 error 400
--- no_error_log
connect to 127.0.0.1

=== TEST 13: a raw # in the target
--- signed
GET /b/k# path=/b/k%23
GET /b/k#?response-content-type=text/html path=/b/k%23
GET /b/k?a#b query=a%23b
--- answers: 3x 400 error InvalidURI
--- no_error_log
connect to 127.0.0.1

=== TEST 14: the host of a target in absolute form is the one that was signed
--- signed
GET http://a.test/bucket/key path=/bucket/key host=a.test                  => 200
GET http://b.test/bucket/key path=/bucket/key host=a.test                  => 403
GET http://b.test/bucket/key path=/bucket/key host=b.test omit=host        => 200
    unsigned Host: a.test
GET http://a.test:8080/bucket/key path=/bucket/key host=a.test:8080        => 200
GET http://a.test:8080/bucket/key path=/bucket/key host=a.test             => 403

=== TEST 15: a bucket in the host
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /k                      host=bucket.s3.example.com         => 400
PUT /k                      host=Bucket.S3.example.com:8080    => 400
PUT /k                      host=bucket.s3-eu.example.com      => 400
DELETE /k                   host=bucket.localhost              => 400
GET /k                      host=bucket.s3.example.com.        => 400
PUT /photo?x-id=PutObject   host=storage.example.com           => 400
GET /k                      host=s3.example.com                => 200
--- error_log
rejected InvalidRequest: The host seems to begin with the name of a bucket

=== TEST 16: a name of the server is no bucket
--- http_config
    server {
        listen $TEST_NGINX_LISTEN;
        server_name eu.s3.example.com *.eu.s3.example.com;
        $TEST_NGINX_CLIENT
        location / { s3_resign on; proxy_pass http://origin_a; }
    }
--- signed
GET /bucket/key host=eu.s3.example.com          => 200
GET /key        host=bucket.eu.s3.example.com   => 400

=== TEST 17: an endpoint below a path: what goes out counts
--- config
    s3_client AKIDMINE secret_key=s buckets=mine;
    s3_client AKIDS3   secret_key=s buckets=s3;
    location /s3/ { s3_resign on; rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://origin_a; }
--- signed
GET /s3/mine/k           key=AKIDMINE   secret=s   => 200
GET /s3/mine/a%20b%3Fc   key=AKIDMINE   secret=s   => 200
GET /s3/other/secret     key=AKIDS3     secret=s   => 403
GET /s3/s3/k             key=AKIDS3     secret=s   => 200
GET /s3/mine?policy      key=AKIDMINE   secret=s   => 200
GET /s3/other?policy     key=AKIDMINE   secret=s   => 403

=== TEST 18: forms likewise
--- config
    s3_client AKIDMINE secret_key=s buckets=mine/in/*;
    location /s3/ { s3_resign on; rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://origin_a; }
--- form
POST /s3/mine  path=/mine  form_key=in/k           key=AKIDMINE secret=s   => 200
POST /s3/mine  path=/mine  form_key=out/k          key=AKIDMINE secret=s   => 403
POST /s3/other path=/other form_key=in/k           key=AKIDMINE secret=s   => 403
POST /s3/mine  path=/mine  form_key=in/${filename} key=AKIDMINE secret=s conditions=none   => 200
    condition {"bucket": "mine"}
    condition ["starts-with", "$key", "in/"]

=== TEST 19: arguments that a rewrite adds are asked too
--- config
    s3_client AKIDREAD secret_key=s allow=GetObject;
    location /acl/ { s3_resign on; rewrite ^/acl/(.*)$ /$1?acl break; proxy_pass http://origin_a; }
    location /plain/ { s3_resign on; rewrite ^/plain/(.*)$ /$1 break; proxy_pass http://origin_a; }
    location /set/ { s3_resign on; set $args acl; proxy_pass http://origin_a; }
--- signed
GET /acl/b/k   key=AKIDREAD secret=s   => 403
GET /plain/b/k key=AKIDREAD secret=s   => 200
GET /set/k     key=AKIDREAD secret=s   => 403

=== TEST 20: logged as what they are
--- http_config
$TEST_NGINX_ASKED
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /s3/ { s3_resign on; rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://origin_a; }
--- signed
PUT /bucket?%70olicy
GET /bucket?location&%70olicy
GET /s3/b/k%20
GET /bucket?annotation
GET /bucket/key?annotation&annotationName=x
--- answers: 5x 200
--- access_log
[PutBucketPolicy] [bucket] [-]
[Unknown] [bucket] [-]
[GetObject] [b] [k%20]
[Unknown] [bucket] [-]
[GetObjectAnnotation] [bucket] [key]

=== TEST 21: the region's exemption is for what it says
--- config
    $TEST_NGINX_CLIENT
    s3_region eu-west-1;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /bucket?location             => 200
GET /bucket?location&%70olicy    => 400
GET /                            => 200
GET /?x-id=GetObject             => 400
--- origin: 4x 200 OK body=<ListAllMyBucketsResult/>

=== TEST 22: a header that the configuration adds is asked for too
--- config
    s3_client AKIDMINE secret_key=s buckets=mine;
    location / { s3_resign on; proxy_pass http://origin_a; proxy_set_header x-amz-copy-source $arg_prefix; }
--- signed
PUT /mine/k key=AKIDMINE secret=s
    x-amz-copy-source: other/secret
--- answers: 403

=== TEST 23: a backslash separates on Windows: a key that leaves its bucket there is one where no bucket decides anything
--- http_config
    upstream mapped {
        server $TEST_NGINX_A;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
        s3_bucket_map b acme-b;
        s3_bucket_map c acme-c;
    }
--- config
    $TEST_NGINX_CLIENT
    s3_client ONLYB secret_key=secret buckets=b;
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /keyed/ { s3_resign on; s3_sse_c c key=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=; proxy_pass http://origin_a; }
    location /b/mapped/ { s3_resign on; proxy_pass http://mapped; }
--- signed
PUT /b/..\u2215etc body=x
GET /b/a/..%5C..%5C..%5Cc
GET /b/..\c/k key=ONLYB secret=secret
GET /b/a\..\k key=ONLYB secret=secret
GET /keyed/..\c/k
GET /keyed/a\..\k
GET /b/mapped/..\..\..\c/k
GET /b/mapped/..\k
--- answers
2x 200 verified
403 error AccessDenied
200 verified
400 error 400
200 verified
501 error NotImplemented
200 verified
