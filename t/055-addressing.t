# Where clients have the bucket: in the path, in front of a domain, in a domain of its own, and below a
# path. What goes out has it where the origin wants it.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# A location that tells what it has understood.
sub location {
    my ($path, $lines) = @_;
    return <<"END";
    location $path {
        $lines
        s3_resign on;
        $ENV{TEST_NGINX_CLIENT}
        s3_client ONLYMINE secret_key=secret buckets=mine;
        s3_origin default $ENV{TEST_NGINX_CRED_A};
        proxy_pass http://$ENV{TEST_NGINX_A};
        add_header X-Asked "\$s3_operation \$s3_bucket \$s3_key" always;
    }
END
}

$ENV{TEST_NGINX_DOMAINS} = 's3_domain S3.mydomain.com s3.other.test media.example.com=media;' . location('/', '');
$ENV{TEST_NGINX_PREFIX}  = location('/s3', 's3_prefix /s3;');

# A form for a bucket that its URL names in its way.
sub form {
    my ($path, %o) = @_;
    my ($headers, $body) = S3Sign::v4_form(path => '/bucket', %o);
    return raw("POST $path", $headers, $body);
}

prepare();
run_tests();

__DATA__

=== TEST 1: a bucket in front of the domain, or in the path
--- config
$TEST_NGINX_DOMAINS
--- signed
GET /k/l host=bucket.s3.mydomain.com
GET /k/l host=BUCKET.S3.MyDomain.Com.:8443
GET /bucket/k/l host=s3.mydomain.com
GET /bucket/k/l host=s3.other.test:80
presigned GET /k/l host=bucket.s3.other.test
GET /a%20b//../c host=a.b-c.s3.mydomain.com
GET / host=bucket.s3.mydomain.com
GET /?list-type=2&prefix=k host=bucket.s3.mydomain.com
PUT / host=bucket.s3.mydomain.com
GET / host=s3.mydomain.com
--- answers
5x 200 verified yes.*line GET /bucket/k/l[? ].*header [Hh]ost: [\d.:]+\n
200 verified yes.*line GET /a.b-c/a%20b//../c HTTP
200 verified yes.*line GET /bucket HTTP
200 verified yes.*line GET /bucket\?list-type=2&prefix=k HTTP
200 verified yes.*line PUT /bucket HTTP
200 verified yes.*line GET / HTTP
--- response_headers eval
[('X-Asked: GetObject bucket k/l') x 5, 'X-Asked: GetObject a.b-c a%20b//../c', 'X-Asked: ListObjects bucket ',
    'X-Asked: ListObjectsV2 bucket ', 'X-Asked: CreateBucket bucket ', 'X-Asked: ListBuckets  ']

=== TEST 2: a domain of its own
--- config
$TEST_NGINX_DOMAINS
--- signed
GET /k host=media.example.com
PUT /k host=MEDIA.example.com:8080 body=hello
DELETE / host=media.example.com
--- answers
200 verified yes.*line GET /media/k HTTP
200 verified yes.*line PUT /media/k HTTP
200 verified yes.*line DELETE /media HTTP
--- response_headers eval
['X-Asked: GetObject media k', 'X-Asked: PutObject media k', 'X-Asked: DeleteBucket media ']

=== TEST 3: other hosts are refused
--- config
$TEST_NGINX_DOMAINS
--- signed
GET /bucket/k host=example.com
GET /bucket/k host=127.0.0.1
GET /k host=bucket.media.example.com
GET /k host=-b.s3.mydomain.com
GET /k host=a_b.s3.mydomain.com
GET /k host=xs3.mydomain.com
GET /k host=s3.mydomain.com.example.org
--- answers: 7x 400 error InvalidRequest host is none

=== TEST 4: the host that was signed counts, and a grant is for its bucket
--- config
$TEST_NGINX_DOMAINS
--- signed
GET /k host=mine.s3.mydomain.com key=ONLYMINE secret=secret
GET /mine/k host=s3.mydomain.com key=ONLYMINE secret=secret
GET /mine/k host=other.s3.mydomain.com key=ONLYMINE secret=secret
GET /k host=media.example.com key=ONLYMINE secret=secret
GET /admin/k host=mine.s3.mydomain.com key=ONLYMINE secret=secret
GET /k host=minio.s3.mydomain.com
--- answers
2x 200 verified yes.*line GET /mine/k HTTP
2x 403 error AccessDenied
200 verified yes.*line GET /mine/admin/k HTTP
403 error AccessDenied reserved

=== TEST 5: s3_host says what the host was
--- config eval: "s3_host \$http_x_forwarded_host;\n$ENV{TEST_NGINX_DOMAINS}"
--- signed
GET /k host=bucket.s3.mydomain.com
    unsigned X-Forwarded-Host: bucket.s3.mydomain.com
GET /k host=bucket.s3.mydomain.com
    unsigned X-Forwarded-Host: other.s3.mydomain.com
GET /k host=bucket.s3.mydomain.com
--- answers
200 verified yes.*line GET /bucket/k HTTP
403 error SignatureDoesNotMatch
400 error InvalidRequest host is none

=== TEST 6: V2 signs the bucket of the host
--- config eval: "s3_signature_v2 on;\n$ENV{TEST_NGINX_DOMAINS}"
--- signed_v2
GET /k path=/bucket/k host=bucket.s3.mydomain.com
presigned_v2 GET /bucket/k host=s3.mydomain.com
GET /k host=bucket.s3.mydomain.com
GET /k path=/other/k host=bucket.s3.mydomain.com
--- answers
2x 200 verified yes.*line GET /bucket/k[? ]
2x 403 error SignatureDoesNotMatch

=== TEST 7: from host to host, and from path to host
--- http_config
    upstream u {
        server $TEST_NGINX_A;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A host=a.example.com addressing=virtual;
    }
--- config
    s3_domain s3.mydomain.com;
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- signed
GET /k host=bucket.s3.mydomain.com
GET /bucket/k host=s3.mydomain.com
GET / host=bucket.s3.mydomain.com
GET / host=s3.mydomain.com
--- answers
2x 200 verified yes.*line GET /k HTTP.*header [Hh]ost: bucket.a.example.com\n
200 verified yes.*line GET / HTTP.*header [Hh]ost: bucket.a.example.com\n
200 verified yes.*line GET / HTTP.*header [Hh]ost: a.example.com\n

=== TEST 8: an endpoint below a path
--- config
$TEST_NGINX_PREFIX
--- signed
GET /s3/bucket/k
presigned GET /s3/bucket/k
GET /s3/bucket//a/../b
GET /%733/bucket/k
GET /s3
GET /s3/?x-id=ListBuckets
PUT /s3/bucket/k body=hello
--- answers
2x 200 verified yes.*line GET /bucket/k[? ]
200 verified yes.*line GET /bucket//a/../b HTTP
200 verified yes.*line GET /bucket/k HTTP
200 verified yes.*line GET / HTTP
200 verified yes.*line GET /\?x-id=ListBuckets HTTP
200 verified yes.*line PUT /bucket/k HTTP
--- response_headers eval
[('X-Asked: GetObject bucket k') x 2, 'X-Asked: GetObject bucket /a/../b', 'X-Asked: GetObject bucket k',
    ('X-Asked: ListBuckets  ') x 2, 'X-Asked: PutObject bucket k']

=== TEST 9: paths that are not below it
--- config
$TEST_NGINX_PREFIX
--- signed
GET /s3x/bucket/k
GET //s3/bucket/k
GET /x/../s3/bucket/k
GET /s3//bucket/k
GET /s3/../s3/bucket/k
GET /s3/bucket/../../k/../s3
GET /s3/minio/k
GET /s3/mine/k key=ONLYMINE secret=secret
GET /s3/other/k key=ONLYMINE secret=secret
GET /s3/s3/k key=ONLYMINE secret=secret
--- answers
5x 400 error InvalidURI
400 error 400
403 error AccessDenied reserved
200 verified yes
2x 403 error AccessDenied

=== TEST 10: both
--- config eval: "s3_domain s3.mydomain.com;\n$ENV{TEST_NGINX_PREFIX}"
--- signed
GET /s3/k host=bucket.s3.mydomain.com
GET /s3/bucket/k host=s3.mydomain.com
GET /s3 host=bucket.s3.mydomain.com
GET /s3/bucket/k host=example.com
--- answers
2x 200 verified yes.*line GET /bucket/k HTTP
200 verified yes.*line GET /bucket HTTP
400 error InvalidRequest

=== TEST 11: a rewrite is read as what comes
--- config
    s3_domain s3.mydomain.com;
    $TEST_NGINX_CLIENT
    s3_client ONLYMINE secret_key=secret buckets=mine/new/*;
    location / {
        rewrite ^/old/(.*)$ /new/$1 break;
        s3_resign on;
        s3_origin default $TEST_NGINX_CRED_A;
        proxy_pass http://$TEST_NGINX_A;
    }
--- signed
GET /old/k host=mine.s3.mydomain.com key=ONLYMINE secret=secret
GET /old/k host=other.s3.mydomain.com key=ONLYMINE secret=secret
GET /k host=mine.s3.mydomain.com key=ONLYMINE secret=secret
--- answers
200 verified yes.*line GET /mine/new/k HTTP
2x 403 error AccessDenied

=== TEST 12: where the new object is
--- config eval: "s3_domain s3.mydomain.com;\n" . location('/', '') . location('/s3', 's3_prefix /s3;')
--- signed
PUT /k host=bucket.s3.mydomain.com mock=A=moved:200:http://$TEST_NGINX_A/bucket/k
PUT /bucket/k host=s3.mydomain.com mock=A=moved:200:http://$TEST_NGINX_A/bucket/k
PUT / host=bucket.s3.mydomain.com mock=A=moved:200:/bucket
PUT /s3/bucket/k host=s3.mydomain.com mock=A=moved:200:http://$TEST_NGINX_A/bucket/k
PUT /s3/bucket host=s3.mydomain.com mock=A=moved:200:/bucket
PUT /s3/k host=bucket.s3.mydomain.com mock=A=moved:200:http://$TEST_NGINX_A/bucket/k
--- answers: 6x 200
--- response_headers_like eval
my @at = map { "Location: http://$_.mydomain.com:\\d+" } 'bucket.s3', 's3';
["$at[0]/k", "$at[1]/bucket/k", 'Location: /bucket', "$at[1]/s3/bucket/k", 'Location: /s3/bucket', "$at[0]/s3/k"]

=== TEST 13: a form says its bucket by its URL
--- config eval: "s3_domain s3.mydomain.com;\n" . location('/', '') . location('/s3', 's3_prefix /s3;')
--- raw_request eval
[form('/', host => 'bucket.s3.mydomain.com'), form('/bucket', host => 's3.mydomain.com'),
    form('/s3/bucket', host => 's3.mydomain.com'), form('/s3/', host => 'bucket.s3.mydomain.com')]
--- error_code eval: [(200) x 4]
--- response_body_like eval: [('verified yes.*line POST /bucket HTTP') x 4]

=== TEST 14: one for another bucket is refused
--- config
$TEST_NGINX_DOMAINS
--- raw_request eval
[form('/', host => 'other.s3.mydomain.com'), form('/', host => 's3.mydomain.com'), form('/k', host => 'bucket.s3.mydomain.com')]
--- error_code eval: [403, 405, 405]
--- response_body_like eval
[s3_error('AccessDenied', 'bucket'), s3_error('MethodNotAllowed'), s3_error('MethodNotAllowed')]

=== TEST 15: two buckets' objects of one name are two in a cache
--- http_config
    proxy_cache_path $TEST_NGINX_SERVROOT/cache keys_zone=c:1m;
--- config
    s3_domain s3.mydomain.com;
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        s3_origin default $TEST_NGINX_CRED_A;
        proxy_pass http://$TEST_NGINX_A;
        proxy_cache c;
        proxy_cache_key $s3_cache_key;
        proxy_cache_valid 200 1m;
        add_header X-Cache "$upstream_cache_status $s3_cache_key";
    }
--- signed
GET /k host=one.s3.mydomain.com
GET /k host=two.s3.mydomain.com
GET /one/k host=s3.mydomain.com
GET /k host=two.s3.mydomain.com
--- answers
200 line GET /one/k HTTP
200 line GET /two/k HTTP
200 line GET /one/k HTTP
200 line GET /two/k HTTP
--- response_headers_like eval
['X-Cache: MISS signed \S+ /one/k', 'X-Cache: MISS signed \S+ /two/k', 'X-Cache: HIT signed \S+ /one/k',
    'X-Cache: HIT signed \S+ /two/k']
